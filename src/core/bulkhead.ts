import { courseOf } from './course.ts'
import { StoreError } from './errors.ts'
import type { Waiter } from './inbox.ts'
import type { Instance } from './instance.ts'
import type { Limit } from './limit.ts'
import { createLocalPlaces } from './localPlaces.ts'
import type { Policy } from './options.ts'
import type { Standing } from './store.ts'
import { newToken } from './token.ts'

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
  /** Begins what goes on when the loader in whose course it is has ended, and its place is given back. */
  apart<T>(work: () => T): T
  /** By group: how many run here, and how many wait. */
  places(): Record<string, { readonly running: number; readonly waiting: number }>
}

/** ms between two questions while messages may be lost: at first, doubled each time, and at most. */
const FIRST_POLL = 20
const LAST_POLL = 1000
/** ms that a lease may seem to be shorter here than in the store. */
const LEASE_MARGIN = 10

/** A place that is held in the course of a loader. */
interface Held {
  readonly instanceId: string
  readonly group: string
  /** Whether the loader still runs: what it leaves behind may go on, without its place. */
  active: boolean
  readonly outer: Held | undefined
}

const course = courseOf<Held>('places')

/** What follows from a question to the store. */
type Answer =
  | Standing
  /** The ticket stands where it stood: a reply is missing, and its lease has not run out. */
  | 'unheard'
  /** Nobody says who has a place. */
  | 'away'

export function createBulkhead(instance: Instance): Bulkhead {
  const { session, breaker, events, settings, instanceId } = instance
  const { commandTimeout: timeout } = settings
  const local = createLocalPlaces()

  /** Stands in the queue from the first question on, until it is left. */
  function stand({ id, policy, signal, onQueue }: Entrant, { group, leaders }: Limit, ticket: Ticket) {
    const { leaseTtl, maxFlightTime } = policy
    const startedAt = performance.now()
    /** Whether the store may know the ticket. */
    let known = false
    /** Until when the store keeps it, by `performance.now()`. */
    let leaseEndsAt = 0
    let entering: Promise<unknown> = Promise.resolve()
    let queued = false
    let over = false
    let timer: NodeJS.Timeout | undefined
    const forget = instance.onClose(leaveStore)
    ticket.holders++
    local.ask(group, ticket.token)

    async function enter(): Promise<Answer> {
      if (instance.closed) return 'away'
      const sentAt = performance.now()
      try {
        const entered = breaker.run({ op: 'enter', key: id, timeout }, async () => {
          // It may have had to wait for others to be answered.
          if (over) throw new StoreError('CLOSED', 'the place is not wanted any more')
          known = true
          return session.enter(group, ticket.token, leaders, leaseTtl)
        })
        entering = entered.catch(() => undefined) // just below
        const standing = await entered
        leaseEndsAt = sentAt + leaseTtl
        return standing
      } catch (error) {
        // Told by the breaker. Of one reply that is late the order must not suffer.
        const code = error instanceof StoreError ? error.code : undefined
        const isLate = code === 'TIMEOUT' || code === 'UNREACHABLE'
        return isLate && performance.now() < leaseEndsAt ? 'unheard' : 'away'
      }
    }

    function wait(ahead: number): void {
      if (queued) return
      queued = true
      events.emit({ type: 'queue', key: id, group, ahead })
      onQueue?.()
    }

    /** Waits for a place. @throws the signal's reason */
    async function admission(): Promise<void> {
      for (let poll = FIRST_POLL; ; poll = Math.min(poll * 2, LAST_POLL)) {
        // Before the question: the message comes on another connection and may overtake the reply.
        const waiter = instance.inbox.expect(group)
        const answer = await enter()
        if (signal.aborted) waiter.stop()
        signal.throwIfAborted()
        if (answer === 'unheard' || (answer !== 'away' && answer.ahead >= leaders)) {
          const left = answer === 'unheard' ? 0 : answer.leaseLeft
          wait(answer === 'unheard' ? 0 : answer.ahead - leaders)
          const renewal = Math.min(leaseTtl / 3, left + LEASE_MARGIN)
          const isTold = answer !== 'unheard' && instance.inbox.confirmed
          await waitForTurn(instance, waiter, ticket.token, isTold ? renewal : Math.min(leaseTtl / 3, poll), signal)
          continue
        }
        waiter.stop()
        // It has a place, or nobody says who has: then this instance has as many as all would have.
        const isStores = answer !== 'away'
        if (local.take(group, ticket.token, leaders, isStores)) return
        wait(local.counts()[group]?.waiting ?? 0)
        const limit = instance.closed ? Number.POSITIVE_INFINITY : isStores ? leaseTtl / 3 : askAgainAfter()
        if (await local.wait(group, ticket.token, leaders, limit, signal)) return
      }
    }

    /** ms until a store that does not answer is asked again; by chance, so that not all ask at once. */
    function askAgainAfter(): number {
      return settings.breaker.retryAfter * (1 + Math.random() / 4)
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
      if (ticket.holders > 0) return
      const left = entering.then(() => {
        // Also while the breaker is open: others wait for the place.
        const guarded = { op: 'leave', key: id, timeout, always: true }
        return known ? breaker.run(guarded, () => session.leave(group, ticket.token, leaders)) : undefined
      })
      instance.behind(left.catch(() => undefined)) // told by the breaker; the lease frees the place
    }

    return {
      async admitted(): Promise<void> {
        signal.throwIfAborted()
        await admission()
        if (queued) events.emit({ type: 'admit', key: id, group, duration: performance.now() - startedAt })
        hold()
      },
      leave(): void {
        leaveStore()
        if (ticket.holders === 0) local.leave(group, ticket.token)
      },
    }
  }

  function isHeld(group: string): boolean {
    for (let held = course.current; held !== undefined; held = held.outer) {
      if (held.active && held.group === group && held.instanceId === instanceId) return true
    }
    return false
  }

  return {
    async run(entrant, work) {
      const { limit } = entrant.policy
      // In its own course it would wait for itself.
      if (limit === undefined || isHeld(limit.group)) return work()
      const { admitted, leave } = stand(entrant, limit, entrant.ticket ?? newTicket())
      const held: Held = { instanceId, group: limit.group, active: true, outer: course.current }
      try {
        await admitted()
        return await course.run(held, work)
      } finally {
        held.active = false
        leave()
      }
    },
    apart: course.outside,
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
    signal.throwIfAborted()
  } finally {
    signal.removeEventListener('abort', waiter.stop)
    forget()
  }
}
