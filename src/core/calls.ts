import { type Claim, claiming, type LeaderClaim } from './claims.ts'
import { isAbort, isTimeout, WaitTimeoutError } from './errors.ts'
import { type AloneReason, getOrSetChannel, type TraceMessage } from './events.ts'
import { createFlights, type Flight, type Result } from './flight.ts'
import type { Instance } from './instance.ts'
import { createLooks, type Look, storedIn } from './lookup.ts'
import { type Lead, type Loader, loading, type Order, runAlone, travel } from './trip.ts'

/** The callers of one cache, and the flights they share. */
export interface Calls {
  /** The value for this caller: from the flight of the key, or a new one, or, where neither may be had, its own loader. */
  ask(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined, seen?: Look): Promise<unknown>
  /**
   * What is stored, for a caller who needs no order for a hit: where it is none the caller asks at once, with what was seen.
   * `undefined` where `ask` begins otherwise.
   */
  glance(id: string): Promise<Look | undefined>
  /** As `ask`, and hands out the lease where `ask` runs the loader. */
  claim(order: Order, signal: AbortSignal | undefined): Promise<Claim>
  /** Whether the kill switch is on; what it throws is told, and means that it is not. */
  enabled(id: string): boolean
  /** What is stored, for this caller alone or with all who look in the same moment. Never rejects. */
  look(id: string): Promise<Look>
  /** Whoever asks for these from now on must not get what was begun before. */
  detach(ids: readonly string[]): void
  /**
   * Whoever asks from now on must not get what was begun before: a tag was invalidated, and which values have it is known
   * to nobody until they are computed. Those who wait keep waiting.
   */
  seal(): void
  readonly flights: number
}

/** A stored value. */
interface Hit {
  readonly type: 'hit'
  readonly value: unknown
}

/** A caller's place in a flight. */
interface Seat {
  readonly type: 'seat'
  readonly flight: Flight
  readonly opener: boolean
}

/** So often a caller goes on after somebody else's abort; where each loader aborts itself that error is the answer. */
const MAX_ABORTS = 2

export function createCalls(instance: Instance): Calls {
  const { events, settings } = instance
  const looks = createLooks(instance)
  const flights = createFlights()
  /** Of forced refreshes, which must not join an ordinary flight: that may end with what was there before. */
  const forced = createFlights()
  /** Loaders of those whose wait limit passed. */
  const solos = createFlights()

  function enabled(id: string): boolean {
    try {
      const on: unknown = settings.enabled()
      if (typeof on === 'boolean') return on
      throw new TypeError(`enabled returned ${typeof on}, not a boolean`)
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'enabled', error })
      return false
    }
  }

  /** What is stored; or a place in the flight that will bring a value: one that is there, or a new one. */
  async function approach(order: Order, lead: Lead, signal: AbortSignal | undefined, seen?: Look): Promise<Hit | Seat> {
    const { id } = order
    const table = order.forced ? forced : flights
    const blind = order.forced || instance.closed || table.get(id) !== undefined
    const look = blind ? undefined : (seen ?? (await looks.at(id)))
    signal?.throwIfAborted()
    const stored = storedIn(look)
    if (stored !== undefined) {
      events.emit({ type: 'hit', key: id })
      order.onHit?.(stored.entry)
      return { type: 'hit', value: stored.value }
    }
    // A loader that runs without a flight in the store is as good as one with: not a second one beside it.
    const open = table.get(id) ?? solos.get(id)
    if (open !== undefined) {
      events.emit({ type: 'join', key: id })
      return { type: 'seat', flight: open.join(), opener: false }
    }
    if (look !== undefined && look.found !== 'fault') events.emit({ type: 'miss', key: id })
    const flight = table.open(id, (opened) => travel(instance, opened, order, lead, look))
    return { type: 'seat', flight, opener: true }
  }

  /** Waits for the flight's result, as far as this caller's signal and wait limit go; `late` is for after that. */
  function resultOf(
    { flight, opener }: Seat,
    order: Order,
    signal: AbortSignal | undefined,
    late: () => Result = () => ({ type: 'alone', reason: 'waitTimeout' }),
  ): Promise<Result> {
    const { waitTimeout: limit, onWaitTimeout: policy } = order.policy
    const onLimit = async (): Promise<Result> => {
      events.emit({ type: 'waitTimeout', key: order.id, policy })
      if (policy === 'throw') throw new WaitTimeoutError(order.id, limit)
      return late()
    }
    return flight.wait({ signal, limit, onLimit, opener })
  }

  async function answer(
    order: Order,
    load: Loader<unknown>,
    signal: AbortSignal | undefined,
    seen: Look | undefined,
  ): Promise<unknown> {
    const lead = loading(instance, order, load)
    let aborts = 0
    for (let look = seen; ; look = undefined) {
      const seat = await approach(order, lead, signal, look)
      if (seat.type === 'hit') return seat.value
      let result: Result
      try {
        result = await resultOf(seat, order, signal)
      } catch (error) {
        // Somebody else's abort: it says nothing about the value, nor about this caller.
        if (seat.opener || !isOthersAbort(error, signal) || ++aborts > MAX_ABORTS) throw error
        continue
      }
      switch (result.type) {
        case 'value':
          return seat.opener || !result.once ? result.value : own(order, load, signal)
        case 'alone':
          // Waited for in vain: the next one must not wait for it again.
          if (solos.get(order.id) === seat.flight) seat.flight.detach()
          return solo(order, load, signal, result.reason)
        case 'again':
          continue
        default:
          result satisfies never
      }
    }
  }

  /**
   * The loader, without a flight in the store: one at a time for all callers here that have nothing else to wait for.
   * Who waits longer than its limit for somebody's loader sees to it that another one runs.
   */
  async function solo(
    order: Order,
    load: Loader<unknown>,
    signal: AbortSignal | undefined,
    reason: AloneReason,
  ): Promise<unknown> {
    let aborts = 0
    for (;;) {
      const open = solos.get(order.id)
      const flight = open?.join() ?? solos.open(order.id, (opened) => runAlone(instance, opened, order, load, reason))
      const seat: Seat = { type: 'seat', flight, opener: open === undefined }
      let result: Result
      try {
        result = await resultOf(seat, order, signal, () => {
          flight.detach()
          return { type: 'again' }
        })
      } catch (error) {
        if (seat.opener || !isOthersAbort(error, signal) || ++aborts > MAX_ABORTS) throw error
        continue
      }
      if (result.type !== 'value') continue
      return seat.opener || !result.once ? result.value : own(order, load, signal)
    }
  }

  /** The loader, for this caller only. */
  function own(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): unknown {
    return load({ signal: signal ?? new AbortController().signal, key: order.key })
  }

  return {
    async ask(order, load, signal, seen) {
      signal?.throwIfAborted()
      if (!enabled(order.id)) {
        events.emit({ type: 'alone', key: order.id, reason: 'disabled' })
        return own(order, load, signal)
      }
      if (!getOrSetChannel.hasSubscribers) return answer(order, load, signal, seen)
      const { namespace } = settings
      const trace: TraceMessage = { namespace, instanceId: instance.instanceId, key: order.id }
      return getOrSetChannel.tracePromise(() => answer(order, load, signal, seen), trace)
    },

    async glance(id) {
      if (instance.closed || getOrSetChannel.hasSubscribers || flights.get(id) !== undefined || !enabled(id)) {
        return undefined
      }
      const look = await looks.at(id)
      if (storedIn(look) !== undefined) events.emit({ type: 'hit', key: id })
      return look
    },

    async claim(order, signal) {
      signal?.throwIfAborted()
      if (!enabled(order.id)) return { role: 'alone' }
      for (;;) {
        let hand!: (claim: LeaderClaim) => void
        let here = true
        const handed = new Promise<LeaderClaim>((resolve) => {
          hand = resolve
        })
        const lead = claiming(instance, order, (claim) => {
          hand(claim)
          return here && !signal?.aborted
        })
        const seat = await approach(order, lead, signal)
        if (seat.type === 'hit') return { role: 'hit', value: seat.value }
        const result = resultOf(seat, order, signal)
        // What comes of the flight after the lease was handed out is the claimer's own doing.
        result.catch(() => undefined)
        let claimed: LeaderClaim | Result
        try {
          claimed = await Promise.race([handed, result])
        } finally {
          here = false
        }
        if ('role' in claimed) return claimed
        if (claimed.type === 'value' && !claimed.once) return { role: 'hit', value: claimed.value }
        if (claimed.type !== 'again') return { role: 'alone' }
      }
    },

    enabled,
    look: looks.at,

    detach(ids) {
      for (const id of ids) {
        looks.detach(id)
        flights.detach(id)
        forced.detach(id)
        solos.detach(id)
      }
    },

    seal() {
      for (const table of [looks, flights, forced, solos]) table.seal()
    },

    get flights() {
      return flights.size + forced.size + solos.size
    },
  }
}

/** An abort that another caller caused. A timeout of the loader's own (`AbortSignal.timeout`) would befall all. */
function isOthersAbort(error: unknown, signal: AbortSignal | undefined): boolean {
  return isAbort(error) && !isTimeout(error) && !signal?.aborted
}
