import { courseOf } from './course.ts'
import { StoreError } from './errors.ts'
import type { Waiter } from './inbox.ts'
import { type Instance, newToken } from './instance.ts'
import type { Limit } from './limit.ts'
import { createLocalPlaces } from './localPlaces.ts'
import type { Policy } from './options.ts'
import type { Standing } from './store.ts'

/** A ticket for one place, which several leaders may share: such as those whose values one loader computes. */
export interface Ticket {
  readonly token: string
  /** How many leaders have it. */
  holders: number
}

/** A leader that needs a place in its group. */
export interface Entrant {
  readonly id: string
  readonly policy: Policy
  /** Default: one of its own. */
  readonly ticket?: Ticket | undefined
  /** Aborted where it is not to lead any more. */
  readonly signal: AbortSignal
  /** Called once where it must wait. */
  readonly onQueue?: (() => void) | undefined
}

/**
 * Bounds how many leaders of a group run their loader at once, over all instances: a bulkhead (M. Nygard, "Release It!").
 *
 * The store keeps one queue for all instances, in the order of asking; the first so many have a place. A ticket is renewed as a
 * lease is: the place of an instance that dies comes back when that runs out. Where the store does not answer each instance keeps
 * to the limit by itself.
 */
export interface Bulkhead {
  /**
   * Runs it in a place of the policy's group; at once where there is no limit, or in the course of something that has a place of the
   * group already.
   *
   * @throws the signal's reason, where that is aborted before there is a place
   */
  run<T>(entrant: Entrant, work: () => Promise<T>): Promise<T>
  /** By group: how many run here, and how many wait. */
  places(): Record<string, { readonly running: number; readonly waiting: number }>
}

/** ms between two questions while messages may be lost: at first, doubled each time, and at most. */
const FIRST_POLL = 20
const LAST_POLL = 1000
/** ms that a lease may seem to be shorter here than in the store. */
const LEASE_MARGIN = 10

/** The groups of which a place is held, in the course of a loader. */
const course = courseOf<ReadonlySet<string>>('places')

export function createBulkhead(instance: Instance): Bulkhead {
  const { session, breaker, events, settings } = instance
  const { commandTimeout: timeout } = settings
  const local = createLocalPlaces()

  /** Stands in the queue from the first question on, until it is left. */
  function stand({ id, policy, signal, onQueue }: Entrant, { group, leaders }: Limit, ticket: Ticket) {
    const { leaseTtl, maxFlightTime } = policy
    /** Whether the store may know the ticket. */
    let known = false
    let over = false
    let timer: NodeJS.Timeout | undefined
    const forget = instance.onClose(leaveStore)
    ticket.holders++
    local.ask(group, ticket.token)

    async function enter(): Promise<Standing | undefined> {
      if (instance.closed) return undefined
      try {
        const entered = breaker.run({ op: 'enter', key: id, timeout }, () =>
          session.enter(group, ticket.token, leaders, leaseTtl),
        )
        known = true
        return await entered
      } catch (error) {
        if (error instanceof StoreError && error.code === 'BREAKER_OPEN') known = false
        return undefined // told by the breaker
      }
    }

    /** Waits for a place. @throws the signal's reason */
    async function admission(): Promise<void> {
      const startedAt = performance.now()
      let poll = FIRST_POLL
      let queued = false
      for (;;) {
        signal.throwIfAborted()
        // Before the question: the message comes on another connection and may overtake the reply.
        const waiter = instance.inbox.expect(group)
        const standing = await enter()
        if (standing === undefined) {
          waiter.stop()
          return local.wait(group, ticket.token, leaders, signal)
        }
        if (standing.ahead < leaders) {
          waiter.stop()
          local.take(group, ticket.token)
          if (queued) events.emit({ type: 'admit', key: id, group, duration: performance.now() - startedAt })
          return
        }
        if (!queued) {
          queued = true
          events.emit({ type: 'queue', key: id, group, ahead: standing.ahead - leaders })
          onQueue?.()
        }
        const renewal = Math.min(leaseTtl / 3, standing.leaseLeft + LEASE_MARGIN)
        const limit = instance.inbox.confirmed ? renewal : Math.min(renewal, poll)
        poll = Math.min(poll * 2, LAST_POLL)
        await waitForTurn(instance, waiter, ticket.token, limit, signal)
      }
    }

    /** Renews the place while the work goes on; what takes longer than `maxFlightTime` does not keep it. */
    function hold(until = performance.now() + maxFlightTime): void {
      timer = setTimeout(async () => {
        if (performance.now() >= until) return leaveStore()
        await enter()
        if (!over) hold(until)
      }, leaseTtl / 3)
      timer.unref()
    }

    function leaveStore(): void {
      if (over) return
      over = true
      clearTimeout(timer)
      forget()
      ticket.holders--
      if (ticket.holders > 0 || !known) return
      // Also while the breaker is open: others wait for the place.
      const guarded = { op: 'leave', key: id, timeout, always: true }
      const left = breaker.run(guarded, () => session.leave(group, ticket.token, leaders))
      instance.behind(left.catch(() => undefined)) // told by the breaker; the lease frees the place
    }

    function leave(): void {
      leaveStore()
      if (ticket.holders === 0) local.leave(group, ticket.token)
    }

    return { admission, hold, leave }
  }

  return {
    async run(entrant, work) {
      const { limit } = entrant.policy
      // In its own course it would wait for itself.
      if (limit === undefined || course.current?.has(limit.group) === true) return work()
      const { admission, hold, leave } = stand(entrant, limit, entrant.ticket ?? newTicket())
      try {
        await admission()
        hold()
        return await course.run(new Set([...(course.current ?? []), limit.group]), work)
      } finally {
        leave()
      }
    },
    places: local.counts,
  }
}

export function newTicket(): Ticket {
  return { token: newToken(), holders: 0 }
}

async function waitForTurn(
  instance: Instance,
  waiter: Waiter,
  token: string,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || instance.closed) waiter.stop()
  signal.addEventListener('abort', waiter.stop, { once: true })
  const forget = instance.onClose(waiter.stop)
  try {
    await waiter.wait(token, limit)
  } finally {
    signal.removeEventListener('abort', waiter.stop)
    forget()
  }
}
