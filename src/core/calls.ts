import { type Claim, claiming, type LeaderClaim } from './claims.ts'
import type { Times } from './entry.ts'
import { isAbort, isTimeout, WaitTimeoutError } from './errors.ts'
import { type AloneReason, getOrSetChannel, type TraceMessage } from './events.ts'
import { createFlights, type Flight, type Result } from './flight.ts'
import type { Instance } from './instance.ts'
import { type FoundValue, type Look, valueIn } from './lookup.ts'
import { createRefreshes, hides } from './refreshes.ts'
import { createStored, type StoredFound } from './stored.ts'
import { type Lead, type Loader, loading, type Order, runAlone, travel } from './trip.ts'

/** The callers of one cache, and the flights they share. */
export interface Calls {
  /** The value for this caller: from the flight of the key, or a new one, or, where neither may be had, its own loader. */
  ask(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined, seen?: Look): Promise<unknown>
  /** What memory has: no promise, and no order, for the most frequent of all cases. `undefined` where `ask` must decide. */
  held(id: string): FoundValue | undefined
  /**
   * What is stored, for a caller who needs no order for a hit: where it is none the caller asks at once, with what was seen.
   * `undefined` where `ask` begins otherwise.
   */
  glance(id: string): Promise<Glance | undefined>
  /** As `ask`, and hands out the lease where `ask` runs the loader. */
  claim(order: Order, signal: AbortSignal | undefined): Promise<Claim>
  /** Whether the kill switch is on; what it throws is told, and means that it is not. */
  enabled(id: string): boolean
  /** What is stored, for this caller alone or with all who look in the same moment. Never rejects. */
  look(id: string): Look | Promise<Look>
  /** As `look`, whatever memory has. */
  lookInStore(id: string): Promise<Look>
  /** Computes it behind all answers, over what was seen; as `Refreshes.begin`. */
  refresh(order: Order, load: Loader<unknown>, look: Look): Promise<boolean>
  /**
   * What is stored and may be answered at once, if it fits. Where it is to be refreshed, for which there is no loader here, the first
   * one gets nothing, and is to ask in another way; `undefined` for nothing, too.
   */
  peek(id: string, fits: (value: unknown, entry: Times) => boolean): Promise<unknown>
  /** Whoever asks for these from now on must not get what was begun before. */
  detach(ids: readonly string[]): void
  /**
   * Whoever asks from now on must not get what was begun before: tags (their ids) were invalidated, or all; which values that are
   * being computed have them is known to nobody yet. Those who wait keep waiting.
   */
  seal(tags: readonly string[] | 'all'): void
  readonly flights: number
}

/** What a look without an order found. */
export interface Glance {
  /** What may be answered at once, and needs no refresh. */
  readonly hit: FoundValue | undefined
  readonly look: Look
}

/** Something that is stored. */
interface Hit {
  readonly type: 'hit'
  readonly found: StoredFound
}

/** A caller's place in a flight. */
interface Seat {
  readonly type: 'seat'
  readonly flight: Flight
  readonly opener: boolean
  /** What this caller has seen, and may get in the place of what comes. */
  readonly stale: FoundValue | undefined
}

/** A caller who waits: until when it does so rather than have something stale; `Infinity`, or by `performance.now()`. */
interface Patience {
  readonly signal: AbortSignal | undefined
  readonly softEnd: number
}

/** So often a caller goes on after somebody else's abort; where each loader aborts itself that error is the answer. */
const MAX_ABORTS = 2

export function createCalls(instance: Instance): Calls {
  const { events, settings, tier } = instance
  const flights = createFlights()
  /** Of forced refreshes, which must not join an ordinary flight: that may end with what was there before. */
  const forced = createFlights()
  /** Loaders of those whose wait limit passed. */
  const solos = createFlights()
  const refreshes = createRefreshes(instance)
  const stored = createStored(instance, flights, refreshes)

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
  async function approach(
    order: Order,
    lead: Lead,
    begin: ((look: Look) => void) | undefined,
    signal: AbortSignal | undefined,
    seen?: Look,
  ): Promise<Hit | Seat> {
    const { id } = order
    const table = order.forced ? forced : flights
    const look = order.forced || instance.closed ? undefined : (seen ?? (await stored.unless(table.get(id), id)))
    signal?.throwIfAborted()
    const found = look && stored.usable(id, look, begin && (() => begin(look)))
    if (found !== undefined) {
      order.onFound?.(found.entry, 'hit')
      return { type: 'hit', found }
    }
    const old = valueIn(look)
    if (old !== undefined) order.onFound?.(old.entry, 'stale')
    const stale = look?.use === 'fallback' ? old : undefined
    // A loader that runs without a flight in the store is as good as one with: not a second one beside it.
    const open = table.get(id) ?? refreshes.get(id) ?? solos.get(id)
    if (open !== undefined) {
      events.emit({ type: 'join', key: id })
      order.onWait?.()
      return { type: 'seat', flight: open.join(), opener: false, stale }
    }
    if (look !== undefined && look.found !== 'fault') events.emit({ type: 'miss', key: id })
    const flight = table.open(
      id,
      (opened) => overStale(order, opened, stale, travel(instance, opened, order, lead, look)),
      stale !== undefined,
    )
    return { type: 'seat', flight, opener: true, stale }
  }

  /** A trip that is to replace a stale value: where it fails that is answered for a while. */
  async function overStale(
    order: Order,
    flight: Flight,
    stale: FoundValue | undefined,
    trip: Promise<Result>,
  ): Promise<Result> {
    if (stale === undefined) return trip
    try {
      const result = await trip
      if (result.type === 'value') refreshes.ended(order.id, 'stored')
      return result
    } catch (error) {
      if (!flight.signal.aborted && hides(instance, order, error)) refreshes.ended(order.id, 'outage')
      throw error
    }
  }

  /** Waits for the flight's result, as far as this caller's patience and wait limit go; `late` is for after that. */
  function resultOf(
    { flight, opener, stale }: Seat,
    order: Order,
    { signal, softEnd }: Patience,
    late: () => Result = () => ({ type: 'alone', reason: 'waitTimeout' }),
  ): Promise<Result> {
    const { waitTimeout: limit, onWaitTimeout: policy } = order.policy
    const onLimit = async (): Promise<Result> => {
      events.emit({ type: 'waitTimeout', key: order.id, policy })
      if (policy === 'throw') throw new WaitTimeoutError(order.id, limit)
      return policy === 'stale' && stale !== undefined ? instead(order, stale, 'waitTimeout') : late()
    }
    const soft =
      stale === undefined || softEnd === Number.POSITIVE_INFINITY
        ? undefined
        : {
            limit: Math.max(0, softEnd - performance.now()),
            answer: () => instead(order, stale, 'softTimeout'),
          }
    return flight.wait({ signal, limit, onLimit, opener, soft })
  }

  /** A stale value, in the place of what did not come. */
  function instead(
    order: Order,
    { value, entry }: FoundValue,
    reason: 'error' | 'softTimeout' | 'waitTimeout',
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
    const lead = loading(instance, order, load)
    const begin = (look: Look) => void refreshes.begin(order, load, look)
    const { softTimeout } = order.policy
    const patience = { signal, softEnd: performance.now() + softTimeout }
    let aborts = 0
    for (let look = seen; ; look = undefined) {
      const seat = await approach(order, lead, begin, signal, look)
      if (seat.type === 'hit') {
        if (seat.found.type === 'error') throw seat.found.error
        return seat.found.value
      }
      let result: Result
      try {
        result = await resultOf(seat, order, patience)
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

  /** A stale value in the place of an error. @throws the error, where there is none or it does not hide it */
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
    for (;;) {
      const open = solos.get(order.id)
      const flight =
        open?.join() ??
        solos.open(order.id, (opened) =>
          overStale(order, opened, stale, runAlone(instance, opened, order, load, reason, stale)),
        )
      const seat: Seat = { type: 'seat', flight, opener: open === undefined, stale }
      let result: Result
      try {
        result = await resultOf(seat, order, patience, () => {
          flight.detach()
          return { type: 'again' }
        })
      } catch (error) {
        if (!seat.opener && isOthersAbort(error, signal) && ++aborts <= MAX_ABORTS) continue
        return insteadOf(error, order, stale, signal)
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

    held(id) {
      const found = stored.held(id)
      if (found === undefined || getOrSetChannel.hasSubscribers || !enabled(id)) return undefined
      events.emit({ type: 'memoryHit', key: id })
      return found
    },

    async glance(id) {
      if (instance.closed || getOrSetChannel.hasSubscribers || !enabled(id)) return undefined
      const seen = stored.unless(flights.get(id), id)
      if (seen === undefined) return undefined
      const look = seen instanceof Promise ? await seen : seen
      const found = stored.usable(id, look, undefined)
      return { hit: found?.type === 'value' ? found : undefined, look }
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
        const seat = await approach(order, lead, undefined, signal)
        if (seat.type === 'hit') {
          if (seat.found.type === 'error') throw seat.found.error
          return { role: 'hit', value: seat.found.value }
        }
        const result = resultOf(seat, order, { signal, softEnd: Number.POSITIVE_INFINITY })
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
    look: stored.at,
    lookInStore: stored.inStore,
    refresh: refreshes.begin,

    async peek(id, fits) {
      const look = await stored.at(id)
      const value = valueIn(look)
      if (value === undefined || !fits(value.value, value.entry)) return undefined
      if (look.use === 'early') refreshes.want(id)
      return stored.usable(id, look, undefined)?.type === 'value' ? value.value : undefined
    },

    detach(ids) {
      for (const id of ids) {
        stored.detach(id)
        flights.detach(id)
        forced.detach(id)
        solos.detach(id)
        refreshes.detach(id)
      }
      tier.drop(ids)
    },

    seal(tags) {
      for (const table of [stored, flights, forced, solos, refreshes]) table.seal()
      if (tags === 'all') tier.clear()
      else tier.dropTags(tags)
    },

    get flights() {
      return flights.size + forced.size + solos.size + refreshes.size
    },
  }
}

/** An abort that another caller caused. A timeout of the loader's own (`AbortSignal.timeout`) would befall all. */
function isOthersAbort(error: unknown, signal: AbortSignal | undefined): boolean {
  return isAbort(error) && !isTimeout(error) && !signal?.aborted
}
