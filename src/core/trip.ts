import { notAsync } from './checks.ts'
import type { Bytes } from './codec.ts'
import { type Entry, hasStamp, type Times } from './entry.ts'
import { isAbort, speaksOfRights } from './errors.ts'
import { type AloneReason, loadChannel, type TraceMessage } from './events.ts'
import { fitOf } from './fit.ts'
import type { Flight, Result } from './flight.ts'
import { claim } from './follower.ts'
import { freeze } from './freeze.ts'
import type { Instance } from './instance.ts'
import type { Key } from './key.ts'
import { holdLease, type Lease, type Loss } from './leader.ts'
import { type FoundValue, type Look, seenIn, valueIn } from './lookup.ts'
import type { Asker } from './newKeys.ts'
import type { Policy, TagsOption } from './options.ts'
import { errorOfferOf, type Offer, offerOf } from './publication.ts'
import type { Ended, Ending } from './store.ts'

/** What a loader gets. */
export interface LoadContext {
  /** Aborted when nobody waits for the value any more, in this instance or another. */
  readonly signal: AbortSignal
  readonly key: Key
  /** A value that was there before, and is not fresh any more: for asking the origin whether it has changed. */
  readonly stale?: unknown
}

export type Loader<V> = (context: LoadContext) => V | Promise<V>

/** What a trip is made for. */
export interface Order {
  readonly id: string
  readonly key: Key
  readonly policy: Policy
  /** What events of values that can't be stored call it, once for each. Default: the shape of the key. */
  readonly shape?: string | undefined
  /** Of this call, where they are not the policy's. */
  readonly tags?: TagsOption | undefined
  /** Of an error that is stored. Default: the tags where they are a list; what a function makes of a value nobody knows then. */
  readonly errorTags?: readonly string[] | undefined
  readonly forced: boolean
  /** Of what a client asks for: for whom. */
  readonly asker?: Asker | undefined
  /**
   * Of a value that is made of others, which may have been computed before its own flight: the clock of tags that they hold
   * since, by each of their tags. Asked for with the tags.
   */
  readonly since?: (() => ReadonlyMap<string, number>) | undefined
  /** Called before the loader is run for all, with the clock of tags then, where that is known. */
  readonly onLead?: ((clock: number | undefined) => void) | undefined
  /** Called where something was stored when it was asked for, and again where a stale value is answered in the place of another. */
  readonly onFound?: ((entry: Times, use: FoundUse) => void) | undefined
  /**
   * Called before the answer where the value was sent to be stored, with the times it has there; whether it is, the reply says
   * later.
   */
  readonly onStore?: ((times: Times) => void) | undefined
  /** Called when the flight that ran the loader has ended with a value: whether that is stored, or the flight was lost before. */
  readonly onEnd?: ((how: 'stored' | 'lost' | 'failed') => void) | undefined
  /** Called where the flight is lost while its loader runs. */
  readonly onLost?: ((how: Loss) => void) | undefined
  /** Called where this caller waits for what another computes. */
  readonly onWait?: (() => void) | undefined
}

/** What was done with what was stored. */
export type FoundUse =
  /** It was answered at once; its times say whether it was stale. */
  | 'hit'
  /** It was too old: the origin is asked. */
  | 'stale'
  /** It was too old, and is answered all the same: the origin failed, or was too slow. */
  | 'fallback'

/** What a trip does with the lease it won: run a loader, or hand it to whoever claimed. `stale`: what is there yet. */
export type Lead = (flight: Flight, lease: Lease, stale: FoundValue | undefined) => Promise<Result>

/** The trip of a flight: claim, and lead where the claim is won. `look` is what was found before; none for a forced refresh. */
export async function travel(
  instance: Instance,
  flight: Flight,
  order: Order,
  lead: Lead,
  look: Look | undefined,
): Promise<Result> {
  const { id, policy } = order
  if (instance.closed) return { type: 'alone', reason: 'closed' }
  if (look?.found === 'fault') return { type: 'alone', reason: 'store' }
  // What the look took is taken off the claim's budget, but for half of it: where the event loop was busy, not the store,
  // the claim must have its chance, or all instances would run their loader just when they are busiest.
  const { commandTimeout } = instance.settings
  const timeout = Math.max(commandTimeout / 2, commandTimeout - (look?.duration ?? 0))
  const seen = look === undefined ? 'any' : seenIn(look)
  const { signal } = flight
  const claimed = await claim(instance, { id, policy, seen, signal, timeout, onWait: order.onWait })
  switch (claimed.role) {
    case 'hit':
      return shared(claimed.value)
    case 'leader': {
      const lease = holdLease(instance, {
        id,
        token: claimed.token,
        clock: claimed.clock,
        present: claimed.present,
        policy,
        callers: () => flight.callers,
        abort: flight.abort,
        lost(how) {
          flight.detach()
          order.onLost?.(how)
          if (flight.idle) flight.abort()
        },
      })
      if (flight.callers === 0) return giveBack(flight, lease)
      flight.leads(lease.abandon)
      const stale = valueIn(look)
      // Removed since it was read, it must not come back by what the loader makes of it.
      return lead(flight, lease, stale !== undefined && hasMark(claimed.present, stale.entry) ? stale : undefined)
    }
    case 'alone':
      return { type: 'alone', reason: claimed.reason }
    default:
      return claimed satisfies never
  }
}

/** All left while the claim was under way: there is nobody to run the loader for. */
function giveBack(flight: Flight, lease: Lease): Result {
  flight.abort()
  void lease.release('abandoned')
  return { type: 'again' }
}

/** What a store or another instance gave can be had by all. */
function shared(value: unknown): Result {
  return { type: 'value', value: freeze(value), once: false }
}

function hasMark(present: Bytes | 'none', { stamp }: Entry): boolean {
  return present !== 'none' && hasStamp(present, stamp)
}

/** How `getOrSet` leads: it runs the loader, and ends the flight with what that returns or throws. */
export function loading(instance: Instance, order: Order, load: Loader<unknown>): Lead {
  const { id, key, shape, policy, tags, errorTags = tags } = order
  return async (flight, lease, stale) => {
    const { token } = lease
    // What is there is replaced: that is no key more.
    const asker = lease.present === 'none' ? order.asker : undefined
    let value: unknown
    order.onLead?.(lease.clock)
    const startedAt = performance.now()
    try {
      value = await run(instance, order, load, flight.signal, stale)
    } catch (error) {
      // A value that is there, stale or not, is worth more than an error.
      const offer = (bytes: Bytes) =>
        errorOfferOf(instance, { id, key, shape, token, policy, tags: errorTags, asker }, error, bytes)
      void lease.fail(
        error,
        lease.present === 'none' ? offer : undefined,
        stale !== undefined && outdates(policy, error),
      )
      throw error
    }
    const cost = performance.now() - startedAt
    const made = offerOf(instance, { id, key, shape, token, value, policy, cost, tags, asker })
    const offer = made instanceof Promise ? await made : made
    const ending = offer.tags.length === 0 ? offer.ending : await lease.index(offer, order.since?.())
    // Sent before anybody is answered: what this instance asks next, on the same connection, comes after it. Nobody
    // waits for the reply, which would only delay the answer; events tell it.
    void lease.publish(stale === undefined ? ending : outdating(offer, ending)).then((reply) => {
      order.onEnd?.(outcomeOf(ending, reply))
    })
    if (ending.type === 'value' && offer.times !== undefined) order.onStore?.(offer.times)
    return own(flight, value, ending.type === 'alone')
  }
}

function outcomeOf(ending: Ending, reply: Ended | undefined): 'stored' | 'lost' | 'failed' {
  if (ending.type === 'again' || reply?.type === 'fenced') return 'lost'
  return reply?.stored === true ? 'stored' : 'failed'
}

/** Whether the origin has answered, and not with what is there: such as that it is gone. What speaks of one caller's rights does not. */
function outdates({ isOutage, outdates }: Policy, error: unknown): boolean {
  try {
    if (outdates !== undefined) return outdates(error)
    return !isAbort(error) && !speaksOfRights(error) && !isOutage(error)
  } catch {
    return false // told where it is asked whether it hides the error
  }
}

/** What may not be kept any more takes what is there with it: that must not be answered to the end of its window. */
function outdating(offer: Offer, ending: Ending): Ending {
  const isKept = offer.ending.type === 'value' // it may be, and could not be listed under its tags
  return !isKept && (ending.type === 'alone' || ending.type === 'share') ? { ...ending, outdates: true } : ending
}

/**
 * Runs the loader without a flight in the store: its value is not published. It is told nothing stale: whether that is there yet
 * nobody has looked.
 */
export async function runAlone(
  instance: Instance,
  flight: Flight,
  order: Order,
  load: Loader<unknown>,
  reason: AloneReason,
): Promise<Result> {
  const { events } = instance
  if (flight.callers === 0) return { type: 'again' }
  flight.leads()
  events.emit({ type: 'alone', key: order.id, reason })
  try {
    return own(flight, await run(instance, order, load, flight.signal, undefined), true)
  } catch (error) {
    events.emit({ type: 'loaderError', key: order.id, error, shared: false })
    throw error
  }
}

/** What a loader here gave. Who else waits here can have it too, unless it is a stream or the like. */
function own(flight: Flight, value: unknown, unchecked: boolean): Result {
  if (unchecked) flight.detach() // who joins from here on would not be counted
  const fit = unchecked && flight.callers > 1 ? fitOf(value) : undefined
  return { type: 'value', value: freeze(value), once: fit?.type === 'unfit' && fit.once }
}

async function run(
  instance: Instance,
  order: Order,
  load: Loader<unknown>,
  signal: AbortSignal,
  stale: FoundValue | undefined,
): Promise<unknown> {
  const { id, key } = order
  const { instanceId, settings } = instance
  const context = stale === undefined ? { signal, key } : { signal, key, stale: stale.value }
  if (!loadChannel.hasSubscribers) return load(context)
  const trace: TraceMessage = { namespace: settings.namespace, instanceId, key: id }
  return loadChannel.tracePromise(async () => load(context), trace)
}

/** Whether a stale value is answered in the place of the error. */
export function hides({ events }: Instance, { id, policy }: Order, error: unknown): boolean {
  try {
    return Boolean(notAsync('isOutage', policy.isOutage(error)))
  } catch (thrown) {
    events.emit({ type: 'policyError', key: id, option: 'isOutage', error: thrown })
    return false
  }
}
