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

/** A caller's place in a flight. */
export interface Seat {
  readonly flight: Flight
  readonly opener: boolean
  /** What this caller has seen, and may get in the place of what comes. */
  readonly stale: FoundValue | undefined
}

/** How a caller comes to a value that is not stored, nor computed by another. */
export interface Approach {
  readonly order: Order
  /** How it leads. */
  readonly lead: Lead
  /** What was seen; `undefined` for a forced refresh, and where a flight will say all there is to know. */
  readonly look: Look | undefined
}

/** What this caller has to look at before it takes a seat, if anything; `seen`: it has done so. */
export function lookFor(
  instance: Instance,
  { stored, flights }: Tables,
  order: Order,
  seen?: Look,
): Look | Promise<Look> | undefined {
  if (order.forced || instance.closed) return undefined
  return seen ?? stored.unless(flights.get(order.id), order.id)
}

/** What may be answered at once of what was seen. `load` refreshes a stale value behind it; without one that is not answered. */
export function hitIn(
  { stored }: Tables,
  order: Order,
  load: Loader<unknown> | undefined,
  look: Look | undefined,
): StoredFound | undefined {
  if (look === undefined || look.use === 'expired') return undefined
  const found = stored.usable(order.id, look, load && { order, load })
  if (found !== undefined) order.onFound?.(found.entry, 'hit')
  return found
}

/** A place in the flight that will bring a value, if there is one: nothing is made that only a new one needs. */
export function joinFlight(
  { events }: Instance,
  { flights, forced, refreshes, solos }: Tables,
  order: Order,
  look: Look | undefined,
): Seat | undefined {
  const { id } = order
  // A loader that runs without a flight in the store is as good as one with: not a second one beside it.
  // A refresh may end with what was there before, as an ordinary flight.
  const open = order.forced
    ? (forced.get(id) ?? solos.get(id))
    : (flights.get(id) ?? refreshes.get(id) ?? solos.get(id))
  if (open === undefined) return undefined
  const stale = staleFor(order, look)
  events.count('join', id)
  order.onWait?.()
  return { flight: open.join(), opener: false, stale }
}

/** A place in a new flight, where `joinFlight` has just found none. */
export function openFlight(instance: Instance, tables: Tables, { order, lead, look }: Approach): Seat {
  const { refreshes } = tables
  const { id } = order
  const table = order.forced ? tables.forced : tables.flights
  const stale = staleFor(order, look)
  if (look !== undefined && look.found !== 'fault') instance.events.count('miss', id)
  const trip = (opened: Flight) => travel(instance, opened, over(refreshes, order, stale), lead, look)
  const flight = table.open(id, overStale(instance, refreshes, order, stale, trip), {
    // Who has no loader to refresh it leads over what is stale yet: others look, and get that.
    overStale: look?.use !== 'expired' && valueIn(look) !== undefined,
  })
  return { flight, opener: true, stale }
}

/**
 * What this caller may get in the place of what comes; tells it of what there was. Of those who wait each may have what it has seen
 * itself: (1) A sees a stale value, (2) B of this instance invalidates it, (3) A opens a flight, (4) C joins that, and it fails: C
 * has asked after the invalidation, and must not get what A has seen.
 */
function staleFor(order: Order, look: Look | undefined): FoundValue | undefined {
  const old = valueIn(look)
  if (old !== undefined) order.onFound?.(old.entry, 'stale')
  return look?.use === 'fallback' ? old : undefined
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
