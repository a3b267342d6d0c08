import { StoreError, UnconfirmedError } from './errors.ts'
import type { Instance } from './instance.ts'
import type { Key } from './key.ts'
import { inParts, paced } from './parts.ts'
import type { Page } from './store.ts'
import { announce, type Writer } from './writes.ts'

/** Keys, each exact, as it was given to `getOrSet`; tags, as values were given them; or both. */
export interface InvalidateOptions {
  readonly keys?: readonly Key[] | undefined
  readonly tags?: readonly string[] | undefined
}

/** What is to be invalidated, by ids of keys and of tags. */
export interface Invalidation {
  readonly ids: readonly string[]
  readonly tags: readonly string[]
}

/** So many ids are removed by one call of the store: others wait for as long as that takes it, about 1 ms. */
const REMOVED_AT_ONCE = 100
/** So many tags are invalidated at once. */
const TAGS_AT_ONCE = 100

/**
 * Removes the entries, ends the flights, of the ids and of all that have one of the tags, and tells all instances.
 *
 * @throws UnconfirmedError for those that the store did not confirm, after all were tried: to be repeated
 */
export async function invalidate(writer: Writer, { ids, tags }: Invalidation): Promise<void> {
  if (ids.length === 0 && tags.length === 0) return
  const { instance } = writer
  const failedIds: string[] = []
  const failedTags: string[] = []
  let cause: unknown
  // A calls invalidate (detached here); B of this instance starts a flight, whose read is served before the removal;
  // the reply comes; C asks: without the second detach C would join B and get what was removed.
  const detach = () => {
    writer.detach(ids)
    if (tags.length > 0) writer.seal(tags)
  }
  detach()
  await Promise.all([
    removeIds(instance, ids, (some, error) => {
      failedIds.push(...some)
      cause ??= error
    }),
    invalidateTags(instance, tags, (tag, error) => {
      // One by one: a call takes only so many arguments.
      for (const one of tag === undefined ? tags : [tag]) failedTags.push(one)
      cause ??= error
    }),
  ])
  detach()
  try {
    await announce(instance, ids, tags)
  } catch (error) {
    throw new UnconfirmedError('invalidate', cause ?? error, ids, tags)
  }
  if (failedIds.length > 0 || failedTags.length > 0) {
    throw new UnconfirmedError('invalidate', cause, failedIds, failedTags)
  }
  instance.events.emit({ type: 'invalidate', keys: ids, tags, remote: false })
}

/**
 * Removes all entries and flights of the namespace, and tells all instances.
 *
 * @throws UnconfirmedError where the store did not confirm it: to be repeated
 */
export async function clear(writer: Writer): Promise<void> {
  const { instance } = writer
  const { session } = instance
  writer.seal('all')
  try {
    // A flight of before ends while the first pass goes on, at the latest: with it, or with an entry that may stand where
    // the pass has been already. That entry is there when the second one begins.
    await pass(instance, (page) => removeAll(instance, page.ids))
    await pass(instance, async (page) => {
      await removeAll(instance, page.ids)
      // The indexes of what is gone; what was listed in them meanwhile goes with them.
      await invalidateTags(instance, page.tags, (_tag, error) => {
        throw error
      })
    })
    writer.seal('all')
    await run(instance, 'announce', () => session.announce({ from: instance.instanceId, ids: [], tags: [], all: true }))
  } catch (error) {
    throw new UnconfirmedError('clear', error)
  }
  instance.events.emit({ type: 'clear', remote: false })
}

/** Lists the namespace from one end to the other. */
async function pass(instance: Instance, each: (page: Listing) => Promise<void>): Promise<void> {
  let at: string | undefined
  do {
    const page: Listing = await run(instance, 'clear', () => instance.session.list(at))
    await each(page)
    at = page.next
  } while (at !== undefined)
}

type Listing = Awaited<ReturnType<Instance['session']['list']>>

/** The ids; those that may not have been removed go to `failed`. */
async function removeIds(
  instance: Instance,
  ids: readonly string[],
  failed: (ids: readonly string[], error: unknown) => void,
): Promise<void> {
  await paced(
    inParts(ids, REMOVED_AT_ONCE),
    1,
    (part) => removeAll(instance, part),
    (part, error) => failed((error instanceof StoreError && error.ids) || part, error),
  )
}

/** All that have one of the tags; a tag of which not all may have been removed goes to `failed`. */
async function invalidateTags(
  instance: Instance,
  tags: readonly string[],
  failed: (tag: string | undefined, error: unknown) => void,
): Promise<void> {
  if (tags.length === 0) return
  instance.usesTags()
  let clock: number
  try {
    clock = await run(instance, 'invalidate', () => instance.session.step())
  } catch (error) {
    return failed(undefined, error)
  }
  await paced(tags, TAGS_AT_ONCE, (tag) => invalidateTag(instance, tag, clock), failed)
}

/**
 * Marks, scans, sweeps. A leader whose value has the tag lists its id first and reads the epoch then: it finds the mark,
 * or the scan finds the id.
 */
async function invalidateTag(instance: Instance, tag: string, clock: number): Promise<void> {
  const { session } = instance
  const membersAt = (at?: string) => run(instance, 'invalidate', () => session.members(tag, at))
  await run(instance, 'invalidate', () => session.mark(tag, clock))
  let reading: Promise<Page> | undefined = membersAt()
  while (reading !== undefined) {
    const { ids, next }: Page = await reading
    // The next page is read while this one is removed.
    reading = next === undefined ? undefined : membersAt(next)
    await Promise.all([removeAll(instance, ids), reading])
  }
  // Whatever failed before has thrown: the index stays for the next call, which finds all of it again.
  await run(instance, 'invalidate', () => session.sweep(tag, clock))
}

async function removeAll(instance: Instance, ids: readonly string[]): Promise<void> {
  for (const part of inParts(ids, REMOVED_AT_ONCE)) {
    await run(instance, 'invalidate', () => instance.session.remove(part), part.length === 1 ? part[0] : undefined)
  }
}

/** Sent even while the breaker is open: an invalidation reaches the store or rejects. */
function run<T>(instance: Instance, op: string, send: () => Promise<T>, key?: string): Promise<T> {
  const { commandTimeout: timeout } = instance.settings
  return instance.breaker.run({ op, timeout, always: true, ...(key === undefined ? {} : { key }) }, send)
}
