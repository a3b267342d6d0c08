import type { Bytes } from './codec.ts'
import { type Entry, hasStamp } from './entry.ts'
import type { Flight, Result } from './flight.ts'
import { claim } from './follower.ts'
import { freeze } from './freeze.ts'
import type { Instance } from './instance.ts'
import { holdLease, type Lease } from './leader.ts'
import { type FoundValue, type Look, seenIn, valueIn } from './lookup.ts'
import type { Order } from './order.ts'

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
  const claimed = await claim(instance, { id, policy, seen, timeout, flight, onWait: order.onWait })
  switch (claimed.role) {
    case 'hit':
      return shared(claimed.value)
    case 'leader': {
      const lost = new AbortController()
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
          lost.abort()
          order.onLost?.(how)
          if (flight.idle) flight.abort()
        },
      })
      if (flight.callers === 0) return giveBack(flight, lease)
      flight.holds(lease.abandon)
      const found = valueIn(look)
      // Removed since it was read, it must not come back by what the loader makes of it.
      const stale = found !== undefined && hasMark(claimed.present, found.entry) ? found : undefined
      return leadInPlace(instance, flight, order, lease, lost, () => lead(flight, lease, stale))
    }
    case 'alone':
      return { type: 'alone', reason: claimed.reason }
    default:
      return claimed satisfies never
  }
}

/** Leads as soon as there is a place in the group of its limit. */
async function leadInPlace(
  instance: Instance,
  flight: Flight,
  order: Order,
  lease: Lease,
  lost: AbortController,
  lead: () => Promise<Result>,
): Promise<Result> {
  const { id, policy, ticket } = order
  if (policy.limit === undefined) {
    flight.leads()
    return lead()
  }
  let began = false
  const { signal } = lost
  const onQueue = () => {
    lease.queue()
    flight.queues()
  }
  try {
    return await instance.bulkhead.run(
      { id, policy, ticket, signal: AbortSignal.any([flight.signal, signal]), onQueue },
      () => {
        began = true
        lease.begin()
        flight.leads()
        return lead()
      },
    )
  } catch (error) {
    // Invalidated while it waited: who waits here asks anew.
    if (!began && signal.aborted && !flight.signal.aborted) return { type: 'again' }
    throw error
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
