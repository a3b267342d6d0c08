import type { Bytes } from './codec.ts'
import type { Flight, Result } from './flight.ts'
import type { Instance } from './instance.ts'
import type { Lease } from './leader.ts'
import type { FoundValue } from './lookup.ts'
import { type CallOptions, type Policy, resolveCall, type SetOptions } from './options.ts'
import type { Order } from './order.ts'
import { errorOfferOf, offerOf } from './publication.ts'
import type { Lead } from './trip.ts'

/** What `cache.claim` came to. */
export type Claim<V = unknown> =
  /** There is a value: stored, or just computed by whoever led. */
  | { readonly role: 'hit'; readonly value: V }
  | LeaderClaim<V>
  /** No flight is to be had (the store failed, the value may not be shared): compute, and tell nobody. */
  | { readonly role: 'alone' }

/** This caller computes the value for all; whoever asks meanwhile, on any instance, waits for it. */
export interface LeaderClaim<V = unknown> {
  readonly role: 'leader'
  /** Aborted when nobody waits for the value any more, here or in another instance. */
  readonly signal: AbortSignal
  /** A value that is there, and not fresh any more; `undefined` for none. */
  readonly stale: unknown
  /**
   * Stores the value and gives it to all who wait. `false`: not published, because the flight was lost meanwhile
   * (the key or a tag of the value invalidated, lease run out), the store did not answer, or the flight was ended before.
   */
  publish(value: V, options?: PublishOptions<V>): Promise<boolean>
  /** Those who wait here get the error; in other instances as `shareError` allows. */
  fail(error: unknown): Promise<void>
  /** Gives the flight back: one of those who wait leads next. */
  release(): Promise<void>
  /** `release`, if it was not ended yet. */
  [Symbol.asyncDispose](): Promise<void>
}

export type PublishOptions<V = unknown> = SetOptions<V> & Pick<CallOptions<V>, 'shouldCache' | 'earlyRefresh'>

/** How `claim` leads: it hands the lease to the claimer, if that still waits, whose doing settles the flight. */
export function claiming(instance: Instance, order: Order, hand: (claim: LeaderClaim) => boolean): Lead {
  return (flight, lease, stale) =>
    new Promise((resolve, reject) => {
      if (hand(leaderClaim(instance, order, flight, lease, stale, resolve, reject))) return
      // The claimer has left, others wait: one of those must lead.
      flight.detach()
      void lease.release('abandoned')
      resolve({ type: 'again' })
    })
}

function leaderClaim(
  instance: Instance,
  order: Order,
  flight: Flight,
  lease: Lease,
  stale: FoundValue | undefined,
  resolve: (result: Result) => void,
  reject: (error: unknown) => void,
): LeaderClaim {
  const { id, key } = order
  const startedAt = performance.now()
  async function release(): Promise<void> {
    const released = lease.release('released')
    resolve({ type: 'again' })
    await released
  }
  // Given up because nobody waits: nobody may be left to settle it.
  flight.signal.addEventListener('abort', () => resolve({ type: 'again' }), { once: true })
  return {
    role: 'leader',
    signal: flight.signal,
    stale: stale?.value,
    async publish(value, options) {
      let policy: Policy
      try {
        policy = options === undefined ? order.policy : resolveCall(order.policy, options, 'publish')
        if (policy.codec !== undefined) instance.codecs.set(policy.codec.id, policy.codec)
        if (policy.ttl === undefined) throw new TypeError(needsTtl('publish'))
      } catch (error) {
        await release() // nobody may be left to end the flight
        throw error
      }
      const cost = performance.now() - startedAt
      const made = offerOf(instance, { id, key, token: lease.token, value, policy, cost })
      const ending = await lease.index(await made)
      const ended = lease.publish(ending)
      resolve(
        ending.type === 'alone' ? { type: 'alone', reason: 'unshareable' } : { type: 'value', value, once: false },
      )
      const told = await ended
      return told?.type === 'ok' && ending.type !== 'alone' && ending.type !== 'again'
    },
    async fail(error) {
      const { policy } = order
      const offer = (bytes: Bytes) => errorOfferOf(instance, { id, key, token: lease.token, policy }, error, bytes)
      const failed = lease.fail(error, lease.present === 'none' ? offer : undefined)
      reject(error)
      await failed
    },
    release,
    [Symbol.asyncDispose]: release,
  }
}

export function needsTtl(method: string): string {
  return `${method} needs a ttl (ms, or Infinity): say it at createCache or here; there is no default that suits all data`
}
