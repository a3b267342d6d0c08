import type { Flight, Flights, Result } from './flight.ts'
import type { Instance } from './instance.ts'
import { hides } from './loading.ts'
import { type FoundValue, type Look, valueIn } from './lookup.ts'
import type { Loader, Order } from './order.ts'
import type { Refreshes } from './refreshes.ts'
import type { Stored, StoredFound } from './stored.ts'
import { type Lead, travel } from './trip.ts'

/** What the callers of one cache share. */
export interface Tables {
  readonly stored: Stored
  readonly flights: Flights
  /** Of forced refreshes, which must not join an ordinary flight: that may end with what was there before. */
  readonly forced: Flights
  /** Loaders that run without a flight in the store. */
  readonly solos: Flights
  /** Loaders that run behind answers. */
  readonly refreshes: Refreshes
}

/** Something that is stored. */
export interface Hit {
  readonly type: 'hit'
  readonly found: StoredFound
}

/** A caller's place in a flight. */
export interface Seat {
  readonly type: 'seat'
  readonly flight: Flight
  readonly opener: boolean
  /** What this caller has seen, and may get in the place of what comes. */
  readonly stale: FoundValue | undefined
}

/** How a caller comes to a value. */
export interface Approach {
  readonly order: Order
  /** How it leads, where it opens the flight. */
  readonly lead: () => Lead
  /** What refreshes a stale value behind it; without one that is not answered. */
  readonly load: Loader<unknown> | undefined
  readonly signal: AbortSignal | undefined
}

/** What is stored; or a place in the flight that will bring a value: one that is there, or a new one. */
export async function approach(
  instance: Instance,
  tables: Tables,
  { order, lead, load, signal }: Approach,
  seen?: Look,
): Promise<Hit | Seat> {
  const { events } = instance
  const { stored, refreshes, solos } = tables
  const { id } = order
  const table = order.forced ? tables.forced : tables.flights
  const look = order.forced || instance.closed ? undefined : (seen ?? (await stored.unless(table.get(id), id)))
  signal?.throwIfAborted()
  const found = look && stored.usable(id, look, load && (() => void refreshes.begin(order, load, look)))
  if (found !== undefined) {
    order.onFound?.(found.entry, 'hit')
    return { type: 'hit', found }
  }
  const old = valueIn(look)
  if (old !== undefined) order.onFound?.(old.entry, 'stale')
  // Of those who wait each may have what it has seen itself: (1) A sees a stale value, (2) B of this instance invalidates it, (3) A
  // opens a flight, (4) C joins that, and it fails: C has asked after the invalidation, and must not get what A has seen.
  const stale = look?.use === 'fallback' ? old : undefined
  // A loader that runs without a flight in the store is as good as one with: not a second one beside it.
  // A refresh may end with what was there before, as an ordinary flight.
  const open = table.get(id) ?? (order.forced ? undefined : refreshes.get(id)) ?? solos.get(id)
  if (open !== undefined) {
    events.emit({ type: 'join', key: id })
    order.onWait?.()
    return { type: 'seat', flight: open.join(), opener: false, stale }
  }
  if (look !== undefined && look.found !== 'fault') events.emit({ type: 'miss', key: id })
  const trip = (opened: Flight) => travel(instance, opened, over(refreshes, order, stale), lead(), look)
  const flight = table.open(id, overStale(instance, refreshes, order, stale, trip), {
    // Who has no loader to refresh it leads over what is stale yet: others look, and get that.
    overStale: old !== undefined && look?.use !== 'expired',
  })
  return { type: 'seat', flight, opener: true, stale }
}

/** The order of a trip that is to replace a stale value: a loader that hangs is one that has failed. */
function over(refreshes: Refreshes, order: Order, stale: FoundValue | undefined): Order {
  if (stale === undefined) return order
  return {
    ...order,
    onLost(how) {
      if (how === 'overdue') refreshes.ended(order.id, 'outage')
    },
  }
}

/** A trip that is to replace a stale value: where it fails that is answered for a while. */
export function overStale(
  instance: Instance,
  refreshes: Refreshes,
  order: Order,
  stale: FoundValue | undefined,
  trip: (flight: Flight) => Promise<Result>,
): (flight: Flight) => Promise<Result> {
  if (stale === undefined && !order.forced) return trip
  return async (flight) => {
    try {
      const result = await trip(flight)
      if (result.type === 'value') refreshes.ended(order.id, 'stored')
      return result
    } catch (error) {
      if (stale !== undefined && !flight.signal.aborted && hides(instance, order, error))
        refreshes.ended(order.id, 'outage')
      throw error
    }
  }
}
