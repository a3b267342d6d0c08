import { type Claim, claiming, type LeaderClaim, needsTtl } from './claims.ts'
import { isAbort, WaitTimeoutError } from './errors.ts'
import { type CacheEventType, type CacheListener, getOrSetChannel, type TraceMessage } from './events.ts'
import { createFlights, type Flight, type Result } from './flight.ts'
import { type Instance, openInstance } from './instance.ts'
import { type Key, keyId } from './key.ts'
import {
  type CacheOptions,
  type CallOptions,
  type Policy,
  type RequestOptions,
  resolveCall,
  resolveSettings,
} from './options.ts'
import { type CacheEntry, entryOf, readMany, readOne } from './reads.ts'
import type { Store } from './store.ts'
import { type LoadContext, type Loader, loading, type Order, type Plan, runAlone, travel } from './trip.ts'
import { type WrapOptions, type Wrapped, wrapLoader } from './wrap.ts'
import { invalidateKeys, type Writer, write } from './writes.ts'

/** What `stats` tells: counters since the cache was made, and how things are now. */
export interface CacheStats {
  /** How often each event happened, also those that nobody listened to. */
  readonly events: Readonly<Record<CacheEventType, number>>
  /** Computations and reads under way in this instance. */
  readonly flights: number
  readonly breaker: 'open' | 'half-open' | 'closed'
  /** Whether messages from other instances arrive. */
  readonly inbox: boolean
}

export interface Cache {
  readonly namespace: string
  /**
   * The value of the key: from the store; or from whoever computes it now, in any instance; or from `load`, which this
   * caller then runs for all. The options, loader and async context of the first caller count for all that join it in
   * this instance. They share one object: don't write into it.
   *
   * @throws what `load` throws; a `LoaderError` where it threw in another instance; a `WaitTimeoutError` by policy; the
   * signal's reason; TypeError or RangeError for a key or option that can't be. Never for a fault of the store.
   */
  getOrSet<V>(key: Key, load: Loader<V>, options?: CallOptions<V> & RequestOptions): Promise<V>
  /** `getOrSet` for a function: same arguments, same result, and methods that take the same arguments. */
  wrap<A extends unknown[], V>(
    load: (...args: [...A, LoadContext]) => V | Promise<V>,
    options: WrapOptions<A, V>,
  ): Wrapped<A, V>
  /** The stored value; `undefined` for none, and where the store does not answer. Waits for nobody's computation. */
  get<V = unknown>(key: Key): Promise<V | undefined>
  /** Whether a value is stored: the way to tell a stored `undefined` from none. */
  has(key: Key): Promise<boolean>
  /** The stored value with its times. */
  entry<V = unknown>(key: Key): Promise<CacheEntry<V> | undefined>
  /** As `get` for each, in order, in one round trip. */
  getMany<V = unknown>(keys: readonly Key[]): Promise<(V | undefined)[]>
  /**
   * Stores the value, gives it to those who wait for the key, and tells all instances. `false`: a later invalidation
   * won (only values with tags can lose so).
   *
   * @throws UnconfirmedError where the store did not confirm it; TypeError or RangeError for what can't be stored
   */
  set<V>(key: Key, value: V, options?: SetOptions<V>): Promise<boolean>
  /** As `set` for each; all are tried before it rejects. */
  setMany(entries: Iterable<readonly [key: Key, value: unknown]>, options?: SetOptions): Promise<boolean[]>
  /** `invalidate` for one key. */
  delete(key: Key): Promise<void>
  /**
   * Removes the keys' values; what is being computed for them now, anywhere, will not be stored. Once it has resolved
   * no caller of this instance gets what was computed before, and the store has it no more.
   *
   * @throws UnconfirmedError where the store did not confirm it: repeat it
   */
  invalidate(what: { readonly keys: readonly Key[] }): Promise<void>
  /**
   * For integrations of one's own: waits while another leads; then there is a value, or the flight is this caller's,
   * or it is on its own.
   *
   * @throws as `getOrSet`
   */
  claim<V = unknown>(key: Key, options?: CallOptions<V> & RequestOptions): Promise<Claim<V>>
  /** Resolves when the store is connected and messages arrive. Nothing needs to wait for it; rejects after `close`. */
  ready(): Promise<void>
  /** Calls `listener` for each event of the type, or with `'*'` for all; returns what ends that. */
  on<T extends CacheEventType | '*'>(type: T, listener: CacheListener<T>): () => void
  stats(): CacheStats
  /**
   * Gives back what this instance leads, so that others go on at once, and closes its connections; ends within the
   * command budget and a second, also in the middle of anything. Loaders that run go on, for their callers here;
   * later calls run their loader, and writes and invalidations reject.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export type SetOptions<V = unknown> = Pick<CallOptions<V>, 'ttl' | 'codec'>

/** Creates a cache over a store. The public `createCache` adds the default store. */
export function createCacheOn(store: Store, options: Omit<CacheOptions, 'store'>): Cache {
  const settings = resolveSettings(options)
  const { version, policy: defaults } = settings
  /** Ordinary flights; those of forced refreshes, which must not join them; and loaders past their wait limit. */
  const flights = createFlights()
  const forced = createFlights()
  const solos = createFlights()
  const instance: Instance = openInstance(store, settings, (notice) => {
    // Ours came back: what was detached at the call and at the reply is new by now.
    if (notice.from === instance.instanceId) return
    detach(notice.ids)
    instance.events.emit({ type: 'invalidate', keys: notice.ids, remote: true })
  })
  const { events } = instance
  const writer: Writer = { instance, detach }

  function detach(ids: readonly string[]): void {
    for (const id of ids) {
      flights.detach(id)
      forced.detach(id)
      solos.detach(id)
    }
  }

  function enabled(id: string): boolean {
    try {
      return settings.enabled()
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'enabled', error })
      return false
    }
  }

  function policyOf(options: (CallOptions<never> & RequestOptions) | undefined): Policy {
    if (options === undefined) return defaults
    const policy = resolveCall(defaults, options)
    if (policy.codec !== undefined) instance.codecs.set(policy.codec.id, policy.codec)
    return policy
  }

  /** Opens a flight for the order, or joins the one that is there. */
  function board(order: Order, plan: Plan): { flight: Flight; opener: boolean } {
    const table = order.forced ? forced : flights
    const open = table.get(order.id)
    if (open !== undefined) {
      events.emit({ type: 'join', key: order.id })
      return { flight: open.join(), opener: false }
    }
    return { flight: table.open(order.id, (flight) => travel(instance, flight, order, plan)), opener: true }
  }

  /** Waits for the flight's result, as far as this caller's signal and wait limit go. */
  async function resultOf(
    flight: Flight,
    opener: boolean,
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

  async function ask(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    const plan = loading(instance, order, load)
    for (;;) {
      const { flight, opener } = board(order, plan)
      let result: Result
      try {
        result = await resultOf(flight, opener, order, signal, () => solo(order, load, signal))
      } catch (error) {
        // Somebody else's abort: it says nothing about the value, nor about this caller.
        if (opener || !isAbort(error) || signal?.aborted) throw error
        continue
      }
      if (result.type === 'value' && (opener || !result.once)) return result.value
      // Whoever ran it may not share it: this caller runs its own.
      if (result.type !== 'again') return load({ signal: signal ?? new AbortController().signal, key: order.key })
    }
  }

  /** After the wait limit: the loaders of those who gave up waiting run once for all of them, without a flight. */
  async function solo(order: Order, load: Loader<unknown>, signal: AbortSignal | undefined): Promise<Result> {
    const open = solos.get(order.id)
    const flight = open?.join() ?? solos.open(order.id, (own) => runAlone(instance, own, order, load, 'waitTimeout'))
    const { waitTimeout: limit } = order.policy
    // Waited for twice: from here on everybody is on its own.
    const onLimit = async (): Promise<Result> => ({ type: 'alone' })
    return flight.wait({ signal, limit, onLimit, opener: open === undefined })
  }

  const cache: Cache = {
    namespace: settings.namespace,

    async getOrSet<V>(key: Key, load: Loader<V>, options?: CallOptions<V> & RequestOptions): Promise<V> {
      if (typeof load !== 'function') throw new TypeError('getOrSet takes a key and a function that computes its value')
      const id = keyId(key, version)
      const policy = policyOf(options)
      if (policy.ttl === undefined) throw new TypeError(needsTtl('getOrSet'))
      const signal = options?.signal
      signal?.throwIfAborted()
      if (!enabled(id)) return load({ signal: signal ?? new AbortController().signal, key })
      const order: Order = { id, key, policy, forced: options?.forceRefresh === true }
      if (!getOrSetChannel.hasSubscribers) return ask(order, load, signal) as Promise<V>
      const trace: TraceMessage = { namespace: settings.namespace, instanceId: instance.instanceId, key: id }
      return getOrSetChannel.tracePromise(() => ask(order, load, signal), trace) as Promise<V>
    },

    wrap: (load, options) => wrapLoader(cache, load, options),

    async get<V>(key: Key) {
      const found = await readOne(instance, keyId(key, version))
      return found?.value as V | undefined
    },

    async has(key) {
      return (await readOne(instance, keyId(key, version))) !== undefined
    },

    async entry<V>(key: Key) {
      const found = await readOne(instance, keyId(key, version))
      return found && entryOf<V>(instance, found)
    },

    async getMany<V>(keys: readonly Key[]) {
      const ids = keys.map((key) => keyId(key, version))
      return (await readMany(instance, ids)) as (V | undefined)[]
    },

    async set(key, value, options) {
      await write(writer, [[key, value]], policyOf(options))
      return true
    },

    async setMany(entries, options) {
      const pairs = [...entries]
      await write(writer, pairs, policyOf(options))
      return pairs.map(() => true)
    },

    delete: (key) => cache.invalidate({ keys: [key] }),

    async invalidate(what) {
      if (!Array.isArray(what?.keys)) {
        throw new TypeError('invalidate takes { keys: [key, …] }: each key exact, as it was given to getOrSet')
      }
      const ids = what.keys.map((key) => keyId(key, version))
      await invalidateKeys(writer, [...new Set(ids)])
    },

    async claim<V>(key: Key, options?: CallOptions<V> & RequestOptions): Promise<Claim<V>> {
      const id = keyId(key, version)
      const policy = policyOf(options)
      const signal = options?.signal
      signal?.throwIfAborted()
      if (!enabled(id)) return { role: 'alone' }
      const order: Order = { id, key, policy, forced: options?.forceRefresh === true }
      for (;;) {
        let hand!: (claim: LeaderClaim) => void
        const handed = new Promise<LeaderClaim>((resolve) => {
          hand = resolve
        })
        const { flight, opener } = board(order, claiming(instance, order, hand))
        const result = resultOf(flight, opener, order, signal, async () => ({ type: 'alone' }))
        const claimed = await Promise.race([handed, result])
        if ('role' in claimed) {
          // The flight's end is the claimer's own doing from here on.
          result.catch(() => undefined)
          return claimed as LeaderClaim<V>
        }
        if (claimed.type === 'value' && !claimed.once) return { role: 'hit', value: claimed.value as V }
        if (claimed.type !== 'again') return { role: 'alone' }
      }
    },

    ready: () => instance.session.ready(),
    on: (type, listener) => events.on(type, listener),
    stats: () => ({
      events: events.counts(),
      flights: flights.size + forced.size + solos.size,
      breaker: instance.breaker.state,
      inbox: instance.inbox.confirmed,
    }),
    close: () => instance.close(),
    [Symbol.asyncDispose]: () => instance.close(),
  }
  return cache
}
