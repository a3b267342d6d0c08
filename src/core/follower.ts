import type { Bytes } from './codec.ts'
import { hasStamp } from './entry.ts'
import { decodeError, StoreError } from './errors.ts'
import type { AloneReason } from './events.ts'
import type { Flight } from './flight.ts'
import type { Waited, Waiter } from './inbox.ts'
import type { Instance } from './instance.ts'
import { decode, type Found, lookup } from './lookup.ts'
import type { Policy } from './options.ts'
import type { ClaimReply, Outcome, Seen } from './store.ts'
import type { Coming } from './tier.ts'
import { newToken } from './token.ts'

/** What came of claiming a key. */
export type Claimed =
  | { readonly role: 'hit'; readonly value: unknown }
  | {
      readonly role: 'leader'
      readonly token: string
      readonly clock: number | undefined
      /** The mark of what is stored. */
      readonly present: Bytes | 'none'
    }
  | { readonly role: 'alone'; readonly reason: AloneReason }

/** Whoever claims a key. */
export interface Claimer {
  readonly id: string
  readonly policy: Policy
  /** What the read before found. `'any'`: a forced refresh, which read nothing. */
  readonly seen: Seen
  /** ms that the first claim may take; later ones may take the whole command budget. */
  readonly timeout: number
  /** Whose callers wait; told where the other must wait for a place in its group. */
  readonly flight: Pick<Flight, 'signal' | 'queues'>
  /** Called where the claim is another's. */
  readonly onWait?: (() => void) | undefined
}

/** What a claimer has met so far. */
interface Trail {
  seen: Seen
  timeout: number
  /** The token of the flight waited for last. */
  awaited?: string
  /** How many flights were waited for. */
  flights: number
  /** The lease of `awaited` ran out. */
  lapsed: boolean
  /** How many hits were gone, or not ours, when they were read. */
  misled: number
  /** ms until the next claim while messages may be lost. */
  poll: number
}

/** So many flights of others, and so many hits that were none, before the loader runs without a flight. */
const MAX_FRUITLESS = 2
/** ms that a lease may seem to be shorter here than in the store. */
const LEASE_MARGIN = 10
/** ms; doubled with each poll. */
const FIRST_POLL = 20
const LAST_POLL = 1000

/**
 * Claims the key until there is a value, a lease, or no use in going on.
 *
 * Throws the leader's error where that is shared, and the signal's reason.
 */
export async function claim(instance: Instance, claimer: Claimer): Promise<Claimed> {
  const { seen, timeout } = claimer
  const trail: Trail = { seen, timeout, flights: 0, lapsed: false, misled: 0, poll: FIRST_POLL }
  for (;;) {
    if (instance.closed) return { role: 'alone', reason: 'closed' }
    const claimed = await claimOnce(instance, claimer, trail)
    if (claimed !== undefined) return claimed
    trail.timeout = instance.settings.commandTimeout
  }
}

/** One claim, and the wait that may follow from it; `undefined`: claim again. */
async function claimOnce(instance: Instance, claimer: Claimer, trail: Trail): Promise<Claimed | undefined> {
  const { id } = claimer
  const token = newToken()
  const waiter = instance.inbox.expect(id)
  const coming = instance.tier.expect(id)
  try {
    return await claimWith(instance, claimer, trail, token, waiter, coming)
  } finally {
    coming.end()
  }
}

async function claimWith(
  instance: Instance,
  claimer: Claimer,
  trail: Trail,
  token: string,
  waiter: Waiter,
  coming: Coming,
): Promise<Claimed | undefined> {
  const { id } = claimer
  let reply: ClaimReply
  try {
    reply = await send(instance, claimer, trail, token)
  } catch {
    // The breaker told why. A loader whose value may be published starts after the reply to its claim, so this one may
    // not: A's claim is late, B invalidates, the server runs A's claim, A would publish what it began before.
    waiter.stop()
    return { role: 'alone', reason: instance.closed ? 'closed' : 'store' }
  }
  switch (reply.type) {
    case 'lead':
      waiter.stop()
      if (trail.lapsed && trail.awaited !== undefined) {
        instance.events.emit({ type: 'takeover', key: id, token, from: trail.awaited })
      }
      instance.events.emit({ type: 'lead', key: id, token })
      return { role: 'leader', token, clock: reply.clock, present: reply.present }
    case 'hit':
      waiter.stop()
      return takeStored(instance, claimer, trail)
    case 'wait':
      if (trail.seen === 'any') trail.seen = reply.present
      if (!mayFollow(instance, id, trail, reply.token)) {
        waiter.stop()
        return { role: 'alone', reason: 'fruitless' }
      }
      claimer.onWait?.()
      if (reply.queued) claimer.flight.queues()
      return follow(instance, claimer, trail, waiter, coming, reply)
    default:
      return reply satisfies never
  }
}

function send(instance: Instance, claimer: Claimer, trail: Trail, token: string): Promise<ClaimReply> {
  const { breaker, session } = instance
  const { id, policy } = claimer
  /** A lease that nobody here takes any more: the reply was late, or the cache was closed meanwhile. */
  const giveBack = (reply: ClaimReply) => {
    if (reply.type !== 'lead') return
    const { commandTimeout } = instance.settings
    const released = breaker.run({ op: 'end', key: id, timeout: commandTimeout, always: true }, () =>
      session.end(id, token, { type: 'again' }),
    )
    instance.behind(released.catch(() => undefined)) // told by the breaker; the lease frees the key then
  }
  const answered = breaker
    .run(
      { op: 'claim', key: id, timeout: trail.timeout },
      () => session.claim(id, { token, seen: trail.seen, lease: policy.leaseTtl }),
      giveBack,
    )
    .then((reply) => {
      if (!instance.closed) return reply
      giveBack(reply)
      throw new StoreError('CLOSED', 'the cache was closed')
    })
  // `close` waits for the reply: a claim that the store grants while the cache closes must be given back.
  instance.behind(answered.catch(() => undefined))
  return answered
}

/** Whether to wait for this flight: the same as before, or not yet too many. */
function mayFollow(instance: Instance, id: string, trail: Trail, token: string): boolean {
  if (token === trail.awaited) return true
  if (trail.flights === MAX_FRUITLESS) return false
  trail.flights++
  trail.awaited = token
  trail.poll = FIRST_POLL
  instance.events.emit({ type: 'follow', key: id, token })
  return true
}

/** Waits for the end of the leader's flight, or of its lease. */
async function follow(
  instance: Instance,
  claimer: Claimer,
  trail: Trail,
  waiter: Waiter,
  coming: Coming,
  theirs: { readonly token: string; readonly leaseLeft: number },
): Promise<Claimed | undefined> {
  const startedAt = performance.now()
  const lease = theirs.leaseLeft + LEASE_MARGIN
  const limit = instance.inbox.confirmed ? lease : Math.min(lease, trail.poll)
  trail.poll = Math.min(trail.poll * 2, LAST_POLL)
  const waited = await wait(instance, claimer.flight.signal, waiter, theirs.token, limit)
  trail.lapsed = waited.type === 'lapsed' && limit === lease
  switch (waited.type) {
    case 'lapsed':
    case 'inbox':
      return undefined
    case 'queued':
      // It goes on, and so does this: by a new claim, to be told of its end.
      claimer.flight.queues()
      return undefined
    case 'stopped':
      claimer.flight.signal.throwIfAborted()
      return { role: 'alone', reason: 'closed' }
    default: {
      const { id: key } = claimer
      const duration = performance.now() - startedAt
      instance.events.emit({ type: 'followed', key, token: theirs.token, outcome: waited.type, duration })
      return take(instance, claimer, trail, coming, waited)
    }
  }
}

async function wait(
  instance: Instance,
  signal: AbortSignal,
  waiter: Waiter,
  token: string,
  limit: number,
): Promise<Waited> {
  if (signal.aborted || instance.closed) waiter.stop()
  signal.addEventListener('abort', waiter.stop, { once: true })
  const forget = instance.onClose(waiter.stop)
  try {
    return await waiter.wait(token, limit)
  } finally {
    signal.removeEventListener('abort', waiter.stop)
    forget()
  }
}

async function take(
  instance: Instance,
  claimer: Claimer,
  trail: Trail,
  coming: Coming,
  outcome: Exclude<Outcome, { type: 'queued' }>,
): Promise<Claimed | undefined> {
  switch (outcome.type) {
    case 'value': {
      const found = await decode(instance, claimer.id, outcome.entry)
      if (found.type === 'error') throw found.error
      if (found.type === 'nothing') return undefined
      coming.keep(found)
      return { role: 'hit', value: found.value }
    }
    case 'ready':
      return takeStored(instance, claimer, trail)
    case 'error': {
      const error = decodeError(outcome.error)
      if (error !== undefined) throw error
      return undefined
    }
    case 'again':
      return undefined
    case 'alone':
      return { role: 'alone', reason: 'unshareable' }
    default:
      return outcome satisfies never
  }
}

/** Reads what a hit, or a `ready`, says is there. What is not what was seen before is taken as it is. */
async function takeStored(instance: Instance, claimer: Claimer, trail: Trail): Promise<Claimed | undefined> {
  const coming = instance.tier.expect(claimer.id)
  let found: Found
  try {
    found = await lookup(instance, claimer.id)
    coming.keep(found)
  } catch {
    return { role: 'alone', reason: 'store' } // the breaker told why
  } finally {
    coming.end()
  }
  if (found.type === 'nothing')
    trail.seen = found.seen // gone again, or not ours: that is what the next claim has seen
  else if (!isMarkOf(trail.seen, found.entry.stamp)) {
    if (found.type === 'error') throw found.error
    return { role: 'hit', value: found.value }
  }
  return ++trail.misled > MAX_FRUITLESS ? { role: 'alone', reason: 'fruitless' } : undefined
}

function isMarkOf(seen: Seen, stamp: string): boolean {
  return typeof seen !== 'string' && hasStamp(seen, stamp)
}
