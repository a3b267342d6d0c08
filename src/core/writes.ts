import type { Bytes } from './codec.ts'
import { encodeEntry } from './entry.ts'
import { StoreError, UnconfirmedError } from './errors.ts'
import { lifeOf } from './freshness.ts'
import type { Instance } from './instance.ts'
import { type Key, keyId } from './key.ts'
import { indexLife } from './leader.ts'
import type { Policy } from './options.ts'
import { inParts, paced } from './parts.ts'
import { codecFor, payloadOf, tagsOf, timesOf } from './publication.ts'
import { tagIds } from './tag.ts'
import { newToken } from './token.ts'

/** What the writes and invalidations of a cache need of it besides the instance. */
export interface Writer {
  readonly instance: Instance
  /** Whoever asks for these from now on must not get what was begun before. */
  detach(ids: readonly string[]): void
  /** As `detach` for everything: what has one of these tags (their ids) was invalidated, or all of it. */
  seal(tags: readonly string[] | 'all'): void
}

/** So many commands are under way at once: each must be answered within its budget. */
const AT_ONCE = 100
/** So many names are told in one message. */
const ANNOUNCED_AT_ONCE = 1000

interface Write {
  readonly id: string
  /** The stamp of the entry. */
  readonly token: string
  readonly entry: Bytes
  /** ms that the store keeps it. */
  readonly ttl: number
  /** Ids of tags. */
  readonly tags: readonly string[]
}

/**
 * Stores the values, whatever flights there are, and tells all instances. For each, whether it is stored: of those with
 * tags a later invalidation may have won.
 *
 * @throws TypeError or RangeError for a value that can't be stored; nothing is written then
 * @throws UnconfirmedError for those that the store did not confirm, after all were tried
 */
export async function write(
  writer: Writer,
  pairs: readonly (readonly [key: Key, value: unknown])[],
  policy: Policy,
): Promise<boolean[]> {
  const { instance } = writer
  const { version } = instance.settings
  if (pairs.length === 0) return []
  const writes = await Promise.all(pairs.map(([key, value]) => writeOf(instance, keyId(key, version), value, policy)))
  const ids = writes.map(({ id }) => id)
  /** Of those that were confirmed: whether they are stored. */
  const stored = new Map<Write, boolean>()
  let cause: unknown
  writer.detach(ids)
  await paced(
    writes,
    AT_ONCE,
    async (one) => void stored.set(one, await send(instance, one, policy)),
    (_one, error) => {
      cause ??= error
    },
  )
  writer.detach(ids)
  const failed = writes.filter((one) => !stored.has(one)).map(({ id }) => id)
  try {
    await announce(instance, ids, [])
  } catch (error) {
    throw new UnconfirmedError('set', cause ?? error, ids)
  }
  if (failed.length > 0) throw new UnconfirmedError('set', cause, failed)
  return writes.map((one) => {
    const kept = stored.get(one) === true
    if (kept) instance.events.emit({ type: 'set', key: one.id })
    return kept
  })
}

/**
 * Tells all caches of the namespace, this one too, what was changed.
 *
 * To be called after the last change: who hears it earlier could read again what is not removed yet.
 */
export async function announce(instance: Instance, ids: readonly string[], tags: readonly string[]): Promise<void> {
  const names = [...ids.map((id) => ({ id, tag: undefined })), ...tags.map((tag) => ({ id: undefined, tag }))]
  const { commandTimeout: timeout } = instance.settings
  for (const part of inParts(names, ANNOUNCED_AT_ONCE)) {
    const notice = {
      from: instance.instanceId,
      ids: part.flatMap(({ id }) => id ?? []),
      tags: part.flatMap(({ tag }) => tag ?? []),
      all: false,
    }
    await instance.breaker.run({ op: 'announce', timeout, always: true }, () => instance.session.announce(notice))
  }
}

async function send(instance: Instance, write: Write, policy: Policy): Promise<boolean> {
  const { id, entry, ttl, tags } = write
  if (tags.length > 0) return sendTagged(instance, write, policy)
  const { commandTimeout: timeout } = instance.settings
  await instance.breaker.run({ op: 'set', key: id, timeout, always: true }, () => instance.session.set(id, entry, ttl))
  return true
}

/**
 * A writes directly, B invalidates a tag of it: nothing but a flight, which B ends, could keep A's value from coming
 * after that. So A takes the flight first, whoever leads it, and goes on as its leader. The entry goes with the taking:
 * where A loses, to an invalidation by a tag that the entry does not have or to another write, it is older than A's.
 */
async function sendTagged(instance: Instance, write: Write, policy: Policy): Promise<boolean> {
  const { id, token, entry, ttl, tags } = write
  const { breaker, session, settings } = instance
  const guarded = { op: 'set', key: id, timeout: settings.commandTimeout, always: true }
  instance.usesTags()
  const release = () => breaker.run(guarded, () => session.end(id, token, { type: 'again' }))
  // Nobody renews it: it lasts for all three steps. One that is taken late is given back then.
  const lease = Math.max(policy.leaseTtl, 4 * settings.commandTimeout)
  let clock: number
  let epoch: number
  try {
    clock = await breaker.run(
      guarded,
      () => session.take(id, token, lease),
      () => void release().catch(() => undefined),
    )
    epoch = await breaker.run(guarded, () => session.index(id, tags, indexLife(ttl, lease)))
  } catch (error) {
    // Also where it was the taking: that may have been done, and only its reply be late.
    instance.behind(release().catch(() => undefined)) // told by the breaker; the lease frees the key then
    throw error
  }
  if (epoch > clock) {
    await release().catch(() => undefined) // as above; the write has lost, whatever comes of this
    return false
  }
  const ended = await breaker.run(guarded, () => session.end(id, token, { type: 'value', entry, ttl }))
  if (ended.type === 'fenced') return false
  if (!ended.stored) throw new StoreError('REFUSED', ended.refused ?? 'the store refused the value')
  return true
}

async function writeOf(instance: Instance, id: string, value: unknown, policy: Policy): Promise<Write> {
  const times = policy.ttl === undefined ? undefined : timesOf(policy, value, instance.session.now(), 0)
  if (times === undefined || !(times.ttl > 0)) {
    const why = times !== undefined && policy.negativeTtl === times.ttl ? ' (negativeTtl)' : ''
    throw new RangeError(`set needs a ttl greater than 0 (ms), got ${times?.ttl}${why}: say it at createCache or here`)
  }
  const tags = tagsOf(policy.tags, value)
  const { maxEntryBytes, maxTags } = instance.settings
  if (tags.length > maxTags) {
    throw new RangeError(`the value of ${id} can't be stored: ${tags.length} tags are more than maxTags (${maxTags})`)
  }
  const codec = codecFor(value, policy.codec)
  if ('reason' in codec) {
    throw new TypeError(
      `the value of ${id} can't be stored: ${codec.reason}${codec.path === '' ? '' : ` at ${codec.path}`}`,
    )
  }
  const token = newToken()
  const entry = encodeEntry(
    { ...times, stamp: token, codec: codec.id, tags },
    payloadOf(codec, await codec.encode(value)),
  )
  if (entry.byteLength > maxEntryBytes) {
    throw new RangeError(
      `the value of ${id} can't be stored: ${entry.byteLength} bytes are more than maxEntryBytes (${maxEntryBytes})`,
    )
  }
  return { id, token, entry, ttl: lifeOf(times), tags: tagIds(tags) }
}
