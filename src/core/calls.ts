import { createAnswers } from './answers.ts'
import { hitIn, joinFlight, lookFor, openFlight } from './approach.ts'
import { type Claim, claiming, type LeaderClaim } from './claims.ts'
import type { Times } from './entry.ts'
import { getOrSetChannel, type TraceMessage } from './events.ts'
import { createFlights, type Result } from './flight.ts'
import type { Instance } from './instance.ts'
import { type FoundValue, type Look, valueIn } from './lookup.ts'
import type { Loader, Order } from './order.ts'
import { createRefreshes, type Refreshed } from './refreshes.ts'
import { createStored } from './stored.ts'

/** The callers of one cache, and the flights they share. */
export interface Calls {
  /** The value for this caller: from the flight of the key, or a new one, or, where neither may be had, its own loader. */
  ask(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined, seen?: Look): Promise<unknown>
  /** What memory has: no promise, and no order, for the most frequent of all cases. `undefined` where `ask` must decide. */
  held(id: string): FoundValue | undefined
  /**
   * What is stored, for a caller who needs no order for a hit: where it is not `usable` the caller asks at once, with what was seen.
   * `undefined` where `ask` begins otherwise.
   */
  glance(id: string): Look | Promise<Look> | undefined
  /** The value of a glance, where it may be answered at once and no refresh has to begin; told as a hit, to be asked once. */
  usable(id: string, look: Look): FoundValue | undefined
  /** As `ask`, and hands out the lease where `ask` runs the loader. */
  claim(order: Order, signal: AbortSignal | undefined): Promise<Claim>
  /** Whether the kill switch is on; what it throws is told, and means that it is not. */
  enabled(id: string): boolean
  /** What is stored, for this caller alone or with all who look in the same moment. Never rejects. */
  look(id: string): Look | Promise<Look>
  /** As `look`, whatever memory has. */
  lookInStore(id: string): Promise<Look>
  /** Computes it behind all answers, over what was seen; as `Refreshes.begin`. */
  refresh(order: Order, load: Loader<unknown>, look: Look): Promise<Refreshed>
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

export function createCalls(instance: Instance): Calls {
  const { events, settings, tier } = instance
  const [flights, forced, solos] = [createFlights(), createFlights(), createFlights()]
  const refreshes = createRefreshes(instance)
  const stored = createStored(instance, flights, solos, refreshes)
  const all = [stored, flights, forced, solos, refreshes]
  const tables = { stored, flights, forced, solos, refreshes }
  const { answer, own, insteadOf, waitFor, afterLimit } = createAnswers(instance, tables)

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

  return {
    ask(order, load, signal, seen) {
      if (signal?.aborted) return Promise.reject(signal.reason)
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
      events.count('memoryHit', id)
      return found
    },

    glance(id) {
      if (instance.closed || getOrSetChannel.hasSubscribers || !enabled(id)) return undefined
      return stored.unless(flights.get(id), id)
    },

    usable(id, look) {
      if (valueIn(look) === undefined) return undefined // an error is thrown, and told, by `ask`
      const found = stored.usable(id, look, undefined)
      return found?.type === 'value' ? found : undefined
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
        const look = await lookFor(instance, tables, order)
        signal?.throwIfAborted()
        const found = hitIn(tables, order, undefined, look)
        if (found?.type === 'error') throw found.error
        if (found !== undefined) return { role: 'hit', value: found.value }
        const seat = joinFlight(instance, tables, order, look) ?? openFlight(instance, tables, { order, lead, look })
        const result = waitFor(seat, order, { signal, softEnd: Number.POSITIVE_INFINITY }).then((came) =>
          came.type === 'overdue' ? afterLimit(seat, order) : came,
        )
        // What comes of the flight after the lease was handed out is the claimer's own doing.
        result.catch(() => undefined)
        let claimed: LeaderClaim | Result
        try {
          claimed = await Promise.race([handed, result])
        } catch (error) {
          return { role: 'hit', value: insteadOf(error, order, seat.stale, signal) }
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
      for (const id of ids) for (const table of all) table.detach(id)
      tier.drop(ids)
    },

    seal(tags) {
      for (const table of all) table.seal()
      if (tags === 'all') tier.clear()
      else tier.dropTags(tags)
    },

    get flights() {
      return flights.size + forced.size + solos.size + refreshes.size
    },
  }
}
