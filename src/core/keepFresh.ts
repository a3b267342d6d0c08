import { AsyncResource } from 'node:async_hooks'
import { entryTags } from './entry.ts'
import { ageOf, freshFor } from './freshness.ts'
import type { Instance } from './instance.ts'
import { type Look, valueIn } from './lookup.ts'
import type { Policy } from './options.ts'
import type { Loader, Order } from './order.ts'
import type { Refreshed } from './refreshes.ts'
import { tagIds } from './tag.ts'

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
  /** Sees to it that it is fresh. */
  renew(): Promise<Renewed>
}

/** What is known of something that is fresh now. */
export interface Renewed {
  /** ms until it must be seen to again. */
  readonly delay: number
  readonly id: string
  /** Ids of its tags. */
  readonly tags: readonly string[]
}

/** Keeps things fresh, each as long as nobody stops it. */
export interface Keeper {
  keep(kept: Keepable): KeptFresh
  /** These, and what has one of these tags, or everything, were invalidated: what of it is kept is looked at. */
  wake(ids: readonly string[], tags: readonly string[] | 'all'): void
}

/** ms until it is looked at again what is not stored for some time: fresh for ever, or too long for a timer. */
const LOOK_AGAIN_AFTER = 60_000
/** ms between two looks at the kill switch. */
const SWITCH_AGAIN_AFTER = 1000
/** ms between two renewals, at least: a ttl may be as short as one likes. */
const LEAST_DELAY = 10
/** ms after a failure until the next attempt: at first, doubled each time, and at most. */
const FIRST_RETRY = 1000
const LAST_RETRY = 60_000
/** ms until what may have been invalidated is looked at, at most: not by all instances at once. */
const WAKE_WITHIN = 250

export function createKeeper(instance: Instance): Keeper {
  const all = new Set<Kept>()

  function keep({ what, renew }: Keepable): KeptFresh {
    let timer: NodeJS.Timeout | undefined
    let stopped = false
    let working = false
    /** By `performance.now()`. */
    let dueAt = 0
    /** Woken: what it has seen may be gone. */
    let woken = false
    let failures = 0
    let known: Renewed | undefined
    // Not in the context of the request whose invalidation wakes it: that may say whose data it asks for.
    const begin = AsyncResource.bind(() => void work())

    function schedule(delay: number): void {
      clearTimeout(timer)
      if (stopped) return
      const wait = Math.max(LEAST_DELAY, Math.min(delay, LOOK_AGAIN_AFTER))
      dueAt = performance.now() + wait
      timer = setTimeout(begin, wait)
    }

    /** One at a time: a loader that is slower than the ttl does not pile up. */
    async function work(): Promise<void> {
      working = true
      woken = false
      let delay: number
      try {
        known = await renew()
        delay = known.delay
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
      const delay = Math.random() * WAKE_WITHIN
      if (!working && performance.now() + delay < dueAt) schedule(delay)
    }

    const kept: Kept = {
      wake,
      retry() {
        failures = 0
        wake()
      },
      // Of what was never there nobody knows what it is.
      isOf: (ids, tags) => known === undefined || ids.has(known.id) || known.tags.some((tag) => tags.has(tag)),
    }

    function stop(): void {
      stopped = true
      clearTimeout(timer)
      all.delete(kept)
      forget()
    }

    const forget = instance.onClose(stop)
    if (instance.closed) stop()
    else {
      all.add(kept)
      schedule(0)
    }
    return { stop, [Symbol.dispose]: stop }
  }

  function wake(ids: readonly string[], tags: readonly string[] | 'all'): void {
    if (all.size === 0) return
    const [ofIds, ofTags] = [new Set(ids), new Set(tags)]
    for (const kept of all) if (tags === 'all' || kept.isOf(ofIds, ofTags)) kept.wake()
  }

  // What was said while nothing was heard nobody knows; and what has failed may have failed for that.
  instance.onConfirm(() => {
    for (const kept of all) kept.retry()
  })
  return {
    keep,
    wake,
  }
}

interface Kept {
  wake(): void
  /** As `wake`, also where it has failed. */
  retry(): void
  /** Whether an invalidation of these ids and tags may be of it. */
  isOf(ids: ReadonlySet<string>, tags: ReadonlySet<string>): boolean
}

/** What `renewed` needs of the calls. */
export interface Renewing {
  enabled(id: string): boolean
  lookInStore(id: string): Promise<Look>
  refresh(order: Order, load: Loader<unknown>, look: Look): Promise<Refreshed>
}

/**
 * Refreshes what is stored, where its end is near, by one instance at a time: who comes second finds it done, or waits for the
 * first, and takes over where that dies.
 *
 * @throws what the loader throws, or Error where it is not fresh for another reason
 */
export async function renewed(
  instance: Instance,
  calls: Renewing,
  order: Order,
  load: Loader<unknown>,
): Promise<Renewed> {
  const { id, policy } = order
  // The kill switch: nothing is computed for nobody.
  if (!calls.enabled(id)) return { delay: SWITCH_AGAIN_AFTER, id, tags: [] }
  const look = await calls.lookInStore(id)
  if (look.found === 'fault') throw new Error('the store does not answer')
  const { left, tags } = leftOf(instance, policy, look)
  // Not all instances at once: the first one is done, or at it, before the others look.
  if (left > 0) return { delay: left + Math.random() * Math.min(left, policy.leaseTtl) * SPREAD, id, tags }
  const refreshed = await calls.refresh(order, load, look)
  if (refreshed.type === 'failed') throw refreshed.error
  // Lost to an invalidation: at once again.
  const now = leftOf(instance, policy, await calls.lookInStore(id))
  return { delay: now.left, id, tags: now.tags }
}

/** The part of the lease over which the instances are spread. */
const SPREAD = 0.1

/** ms until it must be refreshed; 0 for at once. */
function leftOf({ session }: Instance, { leaseTtl }: Policy, look: Look): { left: number; tags: readonly string[] } {
  const found = valueIn(look)
  if (found === undefined) return { left: 0, tags: [] }
  const { createdAt, ttl, cost } = found.entry
  const tags = tagIds(entryTags(found.entry))
  const left = freshFor(found.entry, session.now())
  if (left === Number.POSITIVE_INFINITY) return { left: LOOK_AGAIN_AFTER, tags }
  // Time enough for a leader to die and another to take over; of a short ttl no more than half of it.
  const margin = Math.min(ttl / 2, Math.max(ttl / 10, 2 * (cost + leaseTtl)))
  return { left: ageOf(createdAt, session.now()) < ttl - margin ? left - margin : 0, tags }
}
