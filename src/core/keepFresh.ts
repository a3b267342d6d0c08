import { AsyncResource } from 'node:async_hooks'
import { ageOf, freshFor } from './freshness.ts'
import type { Instance } from './instance.ts'
import type { Look } from './lookup.ts'
import type { Loader, Order } from './trip.ts'

/** What is kept fresh, until it is stopped. */
export interface KeptFresh {
  /** From now on it is not refreshed any more; what is under way goes on. */
  stop(): void
  [Symbol.dispose](): void
}

/** Something that is to be kept fresh. */
export interface Keepable {
  /** For events. */
  readonly what: string
  /** Sees to it that it is fresh; when it needs to be seen to again, in ms. */
  renew(): Promise<number>
}

/** Keeps things fresh, each as long as nobody stops it. */
export interface Keeper {
  keep(kept: Keepable): KeptFresh
  /** Something was invalidated: what is kept may be gone, and is looked at. `undefined`: anything. */
  wake(): void
}

/** ms until it is looked at again what is not stored for some time: fresh for ever, or too long for a timer. */
const LOOK_AGAIN_AFTER = 60_000
/** ms between two renewals, at least: a ttl may be as short as one likes. */
const LEAST_DELAY = 10
/** ms after a failure until the next attempt: at first, doubled each time, and at most. */
const FIRST_RETRY = 1000
const LAST_RETRY = 60_000
/** ms until what may have been invalidated is looked at, at most: not by all instances at once. */
const WAKE_WITHIN = 250

export function createKeeper(instance: Instance): Keeper {
  const wakes = new Set<() => void>()

  function keep({ what, renew }: Keepable): KeptFresh {
    let timer: NodeJS.Timeout | undefined
    let stopped = false
    let working = false
    /** Woken: what it has seen may be gone. */
    let woken = false
    let failures = 0
    // Not in the context of the request whose invalidation wakes it: that may say whose data it asks for.
    const begin = AsyncResource.bind(() => void work())

    function schedule(delay: number): void {
      clearTimeout(timer)
      if (!stopped) timer = setTimeout(begin, Math.max(LEAST_DELAY, Math.min(delay, LOOK_AGAIN_AFTER)))
    }

    /** One at a time: a loader that is slower than the ttl does not pile up. */
    async function work(): Promise<void> {
      working = true
      woken = false
      let delay: number
      try {
        delay = await renew()
        failures = 0
      } catch (error) {
        delay = Math.min(FIRST_RETRY * 2 ** failures++, LAST_RETRY) * (0.75 + Math.random() / 2)
        if (!stopped) instance.events.emit({ type: 'keepFresh', what, error, retryIn: delay })
      }
      working = false
      schedule(woken && failures === 0 ? Math.random() * WAKE_WITHIN : delay)
    }

    function wake(): void {
      if (woken || failures > 0) return
      woken = true
      if (!working) schedule(Math.random() * WAKE_WITHIN)
    }

    function stop(): void {
      stopped = true
      clearTimeout(timer)
      wakes.delete(wake)
      forget()
    }

    const forget = instance.onClose(stop)
    if (instance.closed) stop()
    else {
      wakes.add(wake)
      schedule(0)
    }
    return { stop, [Symbol.dispose]: stop }
  }

  return {
    keep,
    wake() {
      for (const wake of wakes) wake()
    },
  }
}

/** What `renewed` needs of the calls. */
export interface Renewing {
  enabled(id: string): boolean
  lookInStore(id: string): Promise<Look>
  refresh(order: Order, load: Loader<unknown>, look: Look): Promise<boolean>
}

/**
 * Refreshes what is stored, where its end is near, by one instance at a time: who comes second finds it done, or waits for the
 * first, and takes over where that dies.
 *
 * @returns ms until its end is near again
 * @throws Error where it is not fresh
 */
export async function renewed(
  instance: Instance,
  calls: Renewing,
  order: Order,
  load: Loader<unknown>,
): Promise<number> {
  const { id, policy } = order
  const { session } = instance
  // The kill switch: nothing is computed for nobody.
  if (!calls.enabled(id)) return LOOK_AGAIN_AFTER

  /** ms until it must be refreshed. */
  function leftOf({ found }: Look): number {
    if (found === 'fault' || found.type !== 'value') return 0
    const { createdAt, ttl, cost } = found.entry
    const left = freshFor(found.entry, session.now())
    if (left === Number.POSITIVE_INFINITY) return LOOK_AGAIN_AFTER
    // Time enough for a leader to die and another to take over; of a short ttl no more than half of it.
    const margin = Math.min(ttl / 2, Math.max(ttl / 10, 2 * (cost + policy.leaseTtl)))
    return ageOf(createdAt, session.now()) < ttl - margin ? left - margin : 0
  }

  const look = await calls.lookInStore(id)
  if (look.found === 'fault') throw new Error('the store does not answer')
  const left = leftOf(look)
  // Not all instances at once: the first one is done, or at it, before the others look.
  if (left > 0) return left + Math.random() * Math.min(left, policy.leaseTtl) * SPREAD
  if (!(await calls.refresh(order, load, look))) throw new Error('nothing new is stored')
  return leftOf(await calls.lookInStore(id)) || LEAST_DELAY
}

/** The part of the lease over which the instances are spread. */
const SPREAD = 0.1
