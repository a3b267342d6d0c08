import { type Claim, claiming, type LeaderClaim } from './claims.ts'
import { isAbort, WaitTimeoutError } from './errors.ts'
import { getOrSetChannel, type TraceMessage } from './events.ts'
import { createFlights, type Flight, type Result } from './flight.ts'
import type { Instance } from './instance.ts'
import { type Loader, loading, type Order, type Plan, runAlone, travel } from './trip.ts'

/** The callers of one cache, and the flights they share. */
export interface Calls {
  /** The value for this caller: from the flight of the key, or a new one, or, where neither may be had, its own loader. */
  ask(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<unknown>
  /** As `ask`, and hands out the lease where `ask` runs the loader. */
  claim(order: Order, signal: AbortSignal | undefined): Promise<Claim>
  /** Whoever asks for these from now on must not get what was begun before. */
  detach(ids: readonly string[]): void
  readonly flights: number
}

export function createCalls(instance: Instance): Calls {
  const { events, settings } = instance
  const flights = createFlights()
  /** Of forced refreshes, which must not join an ordinary flight: that may end with what was there before. */
  const forced = createFlights()
  /** Loaders of those whose wait limit passed. */
  const solos = createFlights()

  function enabled(order: Order): boolean {
    try {
      return settings.enabled()
    } catch (error) {
      events.emit({ type: 'policyError', key: order.id, option: 'enabled', error })
      return false
    }
  }

  /** Opens a flight for the order, or joins the one that is there. */
  function board(order: Order, plan: Plan): { flight: Flight; opener: boolean } {
    const table = order.forced ? forced : flights
    const open = table.get(order.id)
    if (open === undefined) {
      return { flight: table.open(order.id, (flight) => travel(instance, flight, order, plan)), opener: true }
    }
    events.emit({ type: 'join', key: order.id })
    return { flight: open.join(), opener: false }
  }

  /** Waits for the flight's result, as far as this caller's signal and wait limit go. */
  async function resultOf(
    { flight, opener }: { flight: Flight; opener: boolean },
    order: Order,
    signal: AbortSignal | undefined,
    instead: () => Promise<Result>,
  ): Promise<Result> {
    const found = await flight.looked
    if (found !== undefined) {
      signal?.throwIfAborted()
      return found
    }
    const { waitTimeout: limit, onWaitTimeout: policy } = order.policy
    const onLimit = async () => {
      events.emit({ type: 'waitTimeout', key: order.id, policy })
      if (policy === 'throw') throw new WaitTimeoutError(order.id, limit)
      return instead()
    }
    return flight.wait({ signal, limit, onLimit, opener })
  }

  async function answer(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    const plan = loading(instance, order, load)
    for (;;) {
      const seat = board(order, plan)
      let result: Result
      try {
        result = await resultOf(seat, order, signal, () => solo(order, load, signal))
      } catch (error) {
        // Somebody else's abort: it says nothing about the value, nor about this caller.
        if (seat.opener || !isAbort(error) || signal?.aborted) throw error
        continue
      }
      if (result.type === 'value' && (seat.opener || !result.once)) return result.value
      // Whoever ran it may not share it: this caller runs its own.
      if (result.type !== 'again') return load({ signal: signal ?? new AbortController().signal, key: order.key })
    }
  }

  /** After the wait limit: the loaders of those who gave up waiting run once for all of them, without a flight. */
  function solo(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<Result> {
    const open = solos.get(order.id)
    const flight = open?.join() ?? solos.open(order.id, (own) => runAlone(instance, own, order, load, 'waitTimeout'))
    const { waitTimeout: limit } = order.policy
    // Waited for twice: from here on everybody is on its own.
    const onLimit = async (): Promise<Result> => ({ type: 'alone' })
    return flight.wait({ signal, limit, onLimit, opener: open === undefined })
  }

  return {
    async ask(order, load, signal) {
      signal?.throwIfAborted()
      if (!enabled(order)) return load({ signal: signal ?? new AbortController().signal, key: order.key })
      if (!getOrSetChannel.hasSubscribers) return answer(order, load, signal)
      const { namespace } = settings
      const trace: TraceMessage = { namespace, instanceId: instance.instanceId, key: order.id }
      return getOrSetChannel.tracePromise(() => answer(order, load, signal), trace)
    },

    async claim(order, signal) {
      signal?.throwIfAborted()
      if (!enabled(order)) return { role: 'alone' }
      for (;;) {
        let hand!: (claim: LeaderClaim) => void
        const handed = new Promise<LeaderClaim>((resolve) => {
          hand = resolve
        })
        const seat = board(order, claiming(instance, order, hand))
        const result = resultOf(seat, order, signal, async () => ({ type: 'alone' }))
        const claimed = await Promise.race([handed, result])
        if ('role' in claimed) {
          result.catch(() => undefined) // the end of the flight is the claimer's own doing from here on
          return claimed
        }
        if (claimed.type === 'value' && !claimed.once) return { role: 'hit', value: claimed.value }
        if (claimed.type !== 'again') return { role: 'alone' }
      }
    },

    detach(ids) {
      for (const id of ids) {
        flights.detach(id)
        forced.detach(id)
        solos.detach(id)
      }
    },

    get flights() {
      return flights.size + forced.size + solos.size
    },
  }
}
