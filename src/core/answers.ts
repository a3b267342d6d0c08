import { hitIn, joinFlight, lookFor, openFlight, overStale, type Seat, type Tables } from './approach.ts'
import { isAbort, isTimeout, WaitTimeoutError } from './errors.ts'
import type { AloneReason } from './events.ts'
import type { Lateness, Overdue, Result } from './flight.ts'
import type { Instance } from './instance.ts'
import { hides, loading, runAlone } from './loading.ts'
import type { FoundValue, Look } from './lookup.ts'
import type { Loader, Order } from './order.ts'

/** How one caller gets its value. */
export interface Answers {
  /** From what is stored, from a flight, or from its own loader. */
  answer(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined, seen: Look | undefined): Promise<unknown>
  /** From its own loader, for this caller only. */
  own(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<unknown>
  /** A stale value in the place of an error. @throws the error, where there is none or it does not hide it */
  insteadOf(error: unknown, order: Order, stale: FoundValue | undefined, signal: AbortSignal | undefined): unknown
  /** Waits for the flight's result, as far as this caller's patience and wait limit go. */
  waitFor(seat: Seat, order: Order, patience: Patience): Promise<Result | Overdue>
  /** What this caller gets after its wait limit. @throws WaitTimeoutError where that is an error */
  afterLimit(seat: Seat, order: Order): Result
}

/** How long a caller waits. */
export interface Patience {
  readonly signal: AbortSignal | undefined
  /** Until when rather than have something stale: by `performance.now()`, or `Infinity`. */
  readonly softEnd: number
}

/** So often a caller goes on after somebody else's abort; where each loader aborts itself that error is the answer. */
const MAX_ABORTS = 2

export function createAnswers(instance: Instance, tables: Tables): Answers {
  const { events } = instance
  const { solos, refreshes } = tables

  function waitFor(
    { flight, opener, stale }: Seat,
    order: Order,
    { signal, softEnd }: Patience,
  ): Promise<Result | Overdue> {
    const soft = stale && {
      limit: Math.max(0, softEnd - performance.now()),
      answer: (why: Lateness) => instead(order, stale, why),
    }
    return flight.wait({ signal, limit: order.policy.waitTimeout, opener, soft })
  }

  function afterLimit({ flight, stale }: Seat, order: Order): Result {
    const { waitTimeout: limit, onWaitTimeout: policy } = order.policy
    events.emit({ type: 'waitTimeout', key: order.id, policy })
    if (policy === 'throw') {
      throw new WaitTimeoutError(order.id, limit, flight.late === 'queue' ? order.policy.limit?.group : undefined)
    }
    if (policy === 'stale' && stale !== undefined) return instead(order, stale, 'waitTimeout')
    return { type: 'alone', reason: 'waitTimeout' }
  }

  /** A stale value, in the place of what did not come. */
  function instead(
    order: Order,
    { value, entry }: FoundValue,
    reason: Lateness | 'error' | 'waitTimeout',
  ): Result & { type: 'value' } {
    events.emit({ type: 'stale', key: order.id, reason })
    order.onFound?.(entry, 'fallback')
    return { type: 'value', value, once: false }
  }

  async function answer(
    order: Order,
    load: Loader<unknown>,
    signal: AbortSignal | undefined,
    seen: Look | undefined,
  ): Promise<unknown> {
    const { softTimeout } = order.policy
    const softEnd = softTimeout === Number.POSITIVE_INFINITY ? softTimeout : performance.now() + softTimeout
    let aborts = 0
    for (let before = seen; ; before = undefined) {
      // A hit makes nothing that only a flight needs.
      const coming = lookFor(instance, tables, order, before)
      const look = coming instanceof Promise ? await coming : coming
      signal?.throwIfAborted()
      const found = hitIn(tables, order, load, look)
      if (found?.type === 'error') throw found.error
      if (found !== undefined) return found.value
      const patience = { signal, softEnd }
      const seat =
        joinFlight(instance, tables, order, look) ??
        openFlight(instance, tables, { order, lead: loading(instance, order, load), look })
      let result: Result
      try {
        const came = await waitFor(seat, order, patience)
        result = came.type === 'overdue' ? afterLimit(seat, order) : came
      } catch (error) {
        // Somebody else's abort: it says nothing about the value, nor about this caller.
        if (!seat.opener && isOthersAbort(error, signal) && ++aborts <= MAX_ABORTS) continue
        return insteadOf(error, order, seat.stale, signal)
      }
      switch (result.type) {
        case 'value':
          return seat.opener || !result.once ? result.value : own(order, load, signal)
        case 'alone':
          // Waited for in vain: the next one must not wait for it again.
          if (solos.get(order.id) === seat.flight) seat.flight.detach()
          return solo(order, load, patience, result.reason, seat.stale)
        case 'again':
          continue
        default:
          result satisfies never
      }
    }
  }

  function insteadOf(
    error: unknown,
    order: Order,
    stale: FoundValue | undefined,
    signal: AbortSignal | undefined,
  ): unknown {
    if (stale === undefined || signal?.aborted || error instanceof WaitTimeoutError || !hides(instance, order, error)) {
      throw error
    }
    return instead(order, stale, 'error').value
  }

  /**
   * The loader, without a flight in the store: one at a time for all callers here that have nothing else to wait for.
   * Who waits longer than its limit for somebody's loader sees to it that another one runs.
   */
  async function solo(
    order: Order,
    load: Loader<unknown>,
    patience: Patience,
    reason: AloneReason,
    stale: FoundValue | undefined,
  ): Promise<unknown> {
    const { signal } = patience
    let aborts = 0
    let why = reason
    for (;;) {
      const open = solos.get(order.id)
      if (open !== undefined) order.onWait?.()
      const flight =
        open?.join() ??
        solos.open(
          order.id,
          overStale(instance, refreshes, order, stale, (opened) => runAlone(instance, opened, order, load, why)),
        )
      const seat: Seat = { flight, opener: open === undefined, stale }
      let result: Result
      try {
        const came = await waitFor(seat, order, patience)
        result = came.type === 'overdue' ? afterLimit(seat, order) : came
      } catch (error) {
        if (!seat.opener && isOthersAbort(error, signal) && ++aborts <= MAX_ABORTS) continue
        return insteadOf(error, order, stale, signal)
      }
      if (result.type === 'alone') {
        // Waited for in vain: it is for nobody else to wait for.
        flight.detach()
        why = result.reason
      }
      if (result.type !== 'value') continue
      return seat.opener || !result.once ? result.value : own(order, load, signal)
    }
  }

  /** The loader, for this caller only. */
  async function own(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    return load({ signal: signal ?? new AbortController().signal, key: order.key })
  }

  return { answer, own, insteadOf, waitFor, afterLimit }
}

/** An abort that another caller caused. A timeout of the loader's own (`AbortSignal.timeout`) would befall all. */
function isOthersAbort(error: unknown, signal: AbortSignal | undefined): boolean {
  return isAbort(error) && !isTimeout(error) && !signal?.aborted
}
