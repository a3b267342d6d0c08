import type { Flight, Flights } from './flight.ts'
import { freshnessOf } from './freshness.ts'
import type { Instance } from './instance.ts'
import { createLooks, type Found, type FoundValue, type Look } from './lookup.ts'
import type { Loader, Order } from './order.ts'
import type { Refreshes } from './refreshes.ts'

/** What is stored, in memory or in the store, and what of it may be answered. */
export interface Stored {
  /** Of memory where that has it fresh, else of the store. Never rejects. */
  at(id: string): Look | Promise<Look>
  /** As `at`; `undefined` where the flight will say all there is to know. */
  unless(open: Flight | undefined, id: string): Look | Promise<Look> | undefined
  /** As `at`, whatever memory has. */
  inStore(id: string): Promise<Look>
  /** What memory has, fresh and not to be refreshed. */
  held(id: string): FoundValue | undefined
  /**
   * What may be answered at once of what was seen, which is told. `refresher` computes anew what should be refreshed; without one
   * such a thing is not answered.
   */
  usable(id: string, look: Look, refresher: Refresher | undefined): StoredFound | undefined
  /** Who looks from now on must not get what was read before. */
  detach(id: string): void
  /** As `detach` for each. */
  seal(): void
}

/** What a refresh is begun with. */
export interface Refresher {
  readonly order: Order
  readonly load: Loader<unknown>
}

export type StoredFound = Found & { readonly type: 'value' | 'error' }

export function createStored(instance: Instance, flights: Flights, solos: Flights, refreshes: Refreshes): Stored {
  const { events, session, tier } = instance
  const looks = createLooks(instance)

  /** What memory has, as a look. */
  function remembered(id: string): Look | undefined {
    const found = tier.get(id)
    if (found === undefined) return undefined
    const use = freshnessOf(found.entry, session.now)
    return use === 'fresh' || use === 'early' ? { found, use, duration: 0, tier: 'memory' } : undefined
  }

  /** It is; or it was, and has failed just now. */
  function isRefreshed(id: string): boolean {
    return refreshes.has(id) || flights.get(id) !== undefined || refreshes.rest(id) !== undefined
  }

  /** Where there is nothing better. */
  function fallback(id: string): boolean {
    const late = flights.get(id)?.late ?? refreshes.get(id)?.late ?? solos.get(id)?.late
    if (late === undefined && refreshes.rest(id) !== 'outage') return false
    events.emit({ type: 'stale', key: id, reason: late ?? 'error' })
    return true
  }

  return {
    at: (id) => remembered(id) ?? looks.at(id),
    unless: (open, id) => remembered(id) ?? (open === undefined || open.overStale ? looks.at(id) : undefined),
    inStore: looks.at,

    held(id) {
      const found = tier.get(id)
      if (found === undefined) return undefined
      if (found.entry.beta > 0 && freshnessOf(found.entry, session.now) !== 'fresh') refreshes.want(id)
      return refreshes.wanted(id) ? undefined : found
    },

    usable(id, look, refresher) {
      const { found, use, tier } = look
      if (found === 'fault' || found.type === 'nothing' || use === 'expired') return undefined
      if (use === 'fallback') return found.type === 'value' && fallback(id) ? found : undefined
      if ((use !== 'fresh' || refreshes.wanted(id)) && !isRefreshed(id)) {
        if (refresher === undefined) return undefined
        void refreshes.begin(refresher.order, refresher.load, look)
      }
      if (use === 'stale') events.emit({ type: 'stale', key: id, reason: 'revalidating' })
      else events.count(tier === 'memory' ? 'memoryHit' : 'hit', id)
      return found
    },

    detach: looks.detach,
    seal: looks.seal,
  }
}
