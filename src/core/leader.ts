import { notAsync } from './checks.ts'
import type { Bytes } from './codec.ts'
import { encodeError, isAbort, StoreError } from './errors.ts'
import type { Instance } from './instance.ts'
import { keyId } from './key.ts'
import { DAY, type Policy } from './options.ts'
import type { Offer } from './publication.ts'
import type { Ended, Ending } from './store.ts'

/** A flight that this instance leads: renewed until it is ended, lost, or older than `maxFlightTime`. */
export interface Lease {
  readonly token: string
  /** As `Leader.clock`. */
  readonly clock: number | undefined
  /** As `Leader.present`. */
  readonly present: Bytes | 'none'
  /**
   * Lists the id under the tags of what is offered, and says what of it may be published: all, where no tag was
   * invalidated since the flight was claimed, or since the clock that is said of it. To be called right before `publish`.
   */
  index(offer: Offer, since?: ReadonlyMap<string, number>): Promise<Ending>
  /** Stores and tells the value, if the flight is still ours. Once; `undefined` where the store did not answer. */
  publish(ending: Ending): Promise<Ended | undefined>
  /**
   * Tells the error, or that it can't be told.
   *
   * @param offer of what may be told: how it is stored in the place of a value, if it is to be
   * @param outdates whether it says that what is there is not to be kept any more
   */
  fail(error: unknown, offer?: (error: Bytes) => Offer | undefined, outdates?: boolean): Promise<Ended | undefined>
  /** Gives the flight back: those who wait claim again. */
  release(reason: string): Promise<Ended | undefined>
  /** The leader must wait for a place in its group: that is no part of `maxFlightTime`, and who has something stale may get it. */
  queue(): void
  /** The loader begins. */
  begin(): void
  /** Nobody waits here any more: ask whether somebody does elsewhere, and give up if not. */
  abandon(): void
}

/** How a flight is lost: it is another's, or nobody's; it took longer than `maxFlightTime`; a tag of its value was invalidated. */
export type Loss = 'fenced' | 'overdue' | 'invalidated'

export interface Leader {
  readonly id: string
  readonly token: string
  /** The clock of tags when the flight was claimed; `undefined` where it is not known. */
  readonly clock: number | undefined
  /** The mark of what was stored then. */
  readonly present: Bytes | 'none'
  readonly policy: Policy
  /** How many wait for the value in this instance. */
  callers(): number
  /** Nobody waits anywhere: the loader may stop. */
  abort(): void
  /** The flight is gone, or as good as gone: new callers must not wait for this one. */
  lost(how: Loss): void
}

export function holdLease(instance: Instance, leader: Leader): Lease {
  const { session, breaker, events, tier } = instance
  const { id, token, clock, present, policy } = leader
  const claimedAt = performance.now()
  let startedAt = claimedAt
  let queued = false
  /** Whether those who wait elsewhere know that it is queued. */
  let told = false
  const forget = instance.onClose(() => {
    void release('closed')
    if (leader.callers() === 0) leader.abort()
  })
  let over = false
  let fenced = false
  let renewing = false
  let overdue = false
  let timer = setTimeout(renew, policy.leaseTtl / 3)
  timer.unref() // a claim that is never ended must not keep a process

  /** From here on nothing is renewed, and nothing but one end is sent. */
  function finish(): void {
    over = true
    clearTimeout(timer)
    forget()
  }

  async function renew(): Promise<void> {
    const now = performance.now()
    // Epochs, by which it is known what was invalidated since, live for a day.
    const left = queued ? claimedAt + DAY - policy.maxFlightTime - now : policy.maxFlightTime - (now - startedAt)
    if (left < 1) {
      // The lease runs out by itself, and one of those who wait takes over; our own callers get our value, if it comes.
      overdue = true
      events.emit({ type: 'overdue', key: id, token })
      return leader.lost('overdue')
    }
    const lease = Math.min(policy.leaseTtl, left)
    const { commandTimeout: timeout } = instance.settings
    renewing = true
    told = tells()
    const waiters = await breaker
      .run({ op: 'renew', key: id, timeout }, () => session.renew(id, token, lease, told))
      .catch(() => undefined) // told by the breaker; the next one may come in time, and the end decides
    renewing = false
    if (over) return
    if (waiters === 'lost') {
      fenced = true
      finish()
      events.emit({ type: 'fenced', key: id, token })
      return leader.lost('fenced')
    }
    if (waiters === 0 && leader.callers() === 0) {
      // Who registers between the renewal and this release is told `again`.
      leader.abort()
      void release('abandoned')
      return
    }
    timer = setTimeout(renew, told === tells() ? Math.min(policy.leaseTtl / 3, left) : 0)
    timer.unref()
  }

  /** Whether others are to know that it is queued: where there is something stale for them. */
  function tells(): boolean {
    return queued && present !== 'none'
  }

  /** Renews now, instead of at its time; one that is under way comes to the same question. */
  function renewNow(): void {
    if (over || renewing) return
    clearTimeout(timer)
    void renew()
  }

  async function end(ending: Ending, ended: (reply: Ended & { type: 'ok' }) => void): Promise<Ended | undefined> {
    if (over) return fenced ? { type: 'fenced' } : undefined
    finish()
    // Who asks here from now on must not get what memory had before.
    if (ending.type === 'value') tier.drop([id])
    const coming = tier.expect(id)
    const { commandTimeout: timeout } = instance.settings
    // Also while the breaker is open: there is one per flight, nobody waits for it, and others wait for what it says.
    const sent = breaker.run({ op: 'end', key: id, timeout, always: true }, () => session.end(id, token, ending))
    const settled = sent.catch(() => undefined) // told by the breaker; the lease frees the key
    instance.behind(settled)
    const reply = await settled
    if (reply?.type === 'ok' && reply.stored && ending.type === 'value') coming.keepBytes(ending.entry)
    coming.end()
    if (reply?.type === 'ok') ended(reply)
    if (reply?.type === 'fenced') {
      events.emit({ type: 'fenced', key: id, token })
      leader.lost('fenced')
    }
    return reply
  }

  async function index({ ending, tags }: Offer, since?: ReadonlyMap<string, number>): Promise<Ending> {
    if (tags.length === 0 || (ending.type !== 'value' && ending.type !== 'share')) return ending
    // Without the clock nobody can say whether a tag was invalidated since: the value is for those who wait here.
    if (over || clock === undefined) return { type: 'alone' }
    instance.usesTags()
    const { commandTimeout: timeout } = instance.settings
    const life = indexLife(ending.type === 'value' ? ending.ttl : 0, policy.leaseTtl)
    // (1) A marks a tag, (2) B claims, (3) B reads what C had stored before and A has not removed yet, (4) A removes it, (5) B ends:
    // with the clock of its own claim alone B would store what is made of the old value.
    const groups = byClock(tags, clock, since)
    const list = async ([at, tags]: readonly [number, readonly string[]]) => (await session.index(id, tags, life)) <= at
    let holds: readonly boolean[]
    try {
      // The flight is renewed meanwhile. Also while the breaker is open, as `end`.
      const guarded = { op: 'index', key: id, timeout, always: true }
      holds = await breaker.run(guarded, () => Promise.all(groups.map(list)))
    } catch {
      return { type: 'alone' } // told by the breaker
    }
    if (holds.every(Boolean)) return ending
    // A loads from the origin, B changes it and invalidates a tag that A's value only now turns out to have.
    leader.lost('invalidated')
    return { type: 'again' }
  }

  function publish(ending: Ending): Promise<Ended | undefined> {
    if (ending.type === 'again') return release('invalidated')
    return end(ending, ({ stored, refused }) => {
      if (ending.type === 'value' && stored) {
        const duration = performance.now() - startedAt
        events.emit({ type: 'publish', key: id, token, bytes: ending.entry.byteLength, duration })
      } else {
        events.emit({ type: 'share', key: id, token, reason: refused ?? ending.type })
      }
      if (refused !== undefined)
        events.emit({ type: 'storeFault', op: 'end', key: id, error: new StoreError('REFUSED', refused) })
    })
  }

  async function fail(
    error: unknown,
    offerOf?: (error: Bytes) => Offer | undefined,
    outdates?: boolean,
  ): Promise<Ended | undefined> {
    const bytes = mayShare(error) ? encodeError(error) : undefined
    events.emit({ type: 'loaderError', key: id, error, shared: bytes !== undefined })
    // An abort says nothing about the value: the next one to ask may have it.
    if (isAbort(error)) return release('aborted')
    const offer = bytes && offerOf?.(bytes)
    if (offer !== undefined) return publish(offer.tags.length === 0 ? offer.ending : await index(offer))
    return end(
      bytes === undefined ? { type: 'alone', outdates } : { type: 'error', error: bytes, outdates },
      () => undefined,
    )
  }

  function mayShare(error: unknown): boolean {
    if (isAbort(error)) return false
    try {
      return Boolean(notAsync('shareError', policy.shareError(error)))
    } catch (thrown) {
      events.emit({ type: 'policyError', key: id, option: 'shareError', error: thrown })
      return false
    }
  }

  function release(reason: string): Promise<Ended | undefined> {
    return end({ type: 'again' }, () => events.emit({ type: 'release', key: id, token, reason }))
  }

  return {
    token,
    clock,
    present,
    index,
    publish,
    fail,
    release,
    queue() {
      queued = true
      if (tells()) renewNow()
    },
    begin() {
      startedAt = performance.now()
      queued = false
      if (told) renewNow()
    },
    abandon() {
      if (over || overdue) return leader.abort()
      renewNow()
    },
  }
}

/** The tags by the clock that the value holds since as to them: that of its flight, or of what it is made of. */
function byClock(
  tags: readonly string[],
  clock: number,
  since: ReadonlyMap<string, number> = new Map(),
): readonly (readonly [number, readonly string[]])[] {
  const older = [...since].filter(([, at]) => at < clock)
  if (older.length === 0) return [[clock, tags]]
  const held = new Map(older.map(([tag, at]) => [keyId(tag), at]))
  const groups = new Map<number, string[]>()
  for (const tag of tags) {
    const at = held.get(tag) ?? clock
    groups.set(at, [...(groups.get(at) ?? []), tag])
  }
  return [...groups]
}

/** ms that an id stays listed beyond what its entry and the end of its flight may take. */
const INDEX_MARGIN = 60_000

/** ms that an id must stay in the indexes of its tags: the end that stores the entry may follow by as much as the lease. */
export function indexLife(ttl: number, lease: number): number {
  return ttl + lease + INDEX_MARGIN
}
