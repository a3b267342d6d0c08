import { createCalls } from './calls.ts'
import { known } from './checks.ts'
import { type Claim, needsTtl } from './claims.ts'
import { messageOf } from './errors.ts'
import type { CacheEventType, CacheListener } from './events.ts'
import { type Instance, openInstance } from './instance.ts'
import { expose } from './internals.ts'
import { clear, type InvalidateOptions, invalidate } from './invalidation.ts'
import { createKeeper, type KeptFresh, renewed } from './keepFresh.ts'
import { type Key, keyDigest, keyId } from './key.ts'
import { valueIn } from './lookup.ts'
import { askMany, type LoadMany } from './many.ts'
import {
  type CacheOptions,
  type CallOptions,
  type Policy,
  type RequestOptions,
  resolveCall,
  resolveSettings,
  type SetOptions,
  type TagsOption,
} from './options.ts'
import { type CacheEntry, entryOf, hitOf, readMany } from './reads.ts'
import { createRetries } from './retries.ts'
import type { Store } from './store.ts'
import { tagIds } from './tag.ts'
import type { LoadContext, Loader, Order } from './trip.ts'
import { type Warmed, type WarmOptions, warmAll, warmOptions } from './warm.ts'
import { type BeforeContext, checkWrap, type WrapOptions, type Wrapped, wrapLoader } from './wrap.ts'
import { type Writer, write } from './writes.ts'

/** What `stats` tells: counters since the cache was made, and how things are now. */
export interface CacheStats {
  /** How often each event happened, also those that nobody listened to. */
  readonly events: Readonly<Record<CacheEventType, number>>
  /** Computations and reads under way in this instance. */
  readonly flights: number
  /** Keys and tags whose invalidation behind a mutation was not confirmed yet, and is tried again. */
  readonly unconfirmed: number
  readonly breaker: 'open' | 'half-open' | 'closed'
  /** Whether messages from other instances arrive. */
  readonly inbox: boolean
  /** The memory tier: how many entries it has, and their bytes. */
  readonly memory: { readonly entries: number; readonly bytes: number }
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
  /**
   * `getOrSet` for a function: same arguments, same result, and methods that take the same arguments. After those of the
   * call the function gets a `LoadContext`, so it can't have optional ones, and of more than four the types are not known:
   * give it an object.
   */
  wrap<V, P0 = LoadContext, P1 = LoadContext, P2 = LoadContext, P3 = LoadContext, P4 = LoadContext>(
    load: (p0: P0, p1: P1, p2: P2, p3: P3, p4: P4) => V | Promise<V>,
    options: WrapOptions<BeforeContext<[P0, P1, P2, P3, P4]>, V>,
  ): Wrapped<BeforeContext<[P0, P1, P2, P3, P4]>, V>
  /** The stored value, if it is fresh; `undefined` for none, and where the store does not answer. Waits for nobody's computation. */
  get<V = unknown>(key: Key): Promise<V | undefined>
  /** Whether a fresh value is stored: the way to tell a stored `undefined` from none. */
  has(key: Key): Promise<boolean>
  /** The stored value with its times, stale ones too. */
  entry<V = unknown>(key: Key): Promise<CacheEntry<V> | undefined>
  /** As `get` for each, in order, in one round trip. */
  getMany<V = unknown>(keys: readonly Key[]): Promise<(V | undefined)[]>
  /**
   * As `getOrSet` for each, in order: what is stored is read in one round trip, and `load` is called once, with the keys that this
   * caller computes for all; those that somebody else computes, in any instance, are waited for. What leads later, in the place of
   * an instance that died, is another call. It returns the values in the order of its keys; an `Error` in the place of one is that
   * key's alone.
   *
   * @throws as `getOrSet`, for the first key that failed; the others are stored all the same
   */
  getOrSetMany<K extends Key, V>(
    keys: readonly K[],
    load: LoadMany<K, V>,
    options?: CallOptions<V> & RequestOptions,
  ): Promise<V[]>
  /**
   * Computes what is not stored yet, each key once over all instances, so many at a time: for the start of a service, in all its
   * instances at once. What is stale is refreshed.
   *
   * @throws TypeError or RangeError for a key or option that can't be; the signal's reason. What fails is told in the result.
   */
  warm<K extends Key, V>(
    keys: Iterable<K>,
    load: (key: K, context: LoadContext) => V | Promise<V>,
    options?: WarmOptions & CallOptions<V> & RequestOptions,
  ): Promise<Warmed>
  /**
   * Keeps the value fresh without any request, until it is stopped or the cache closed: it is computed where there is none, and
   * refreshed before it ends, by one instance at a time of all that keep it, whichever is alive. Its loader runs one at a time,
   * also where it is slower than the ttl. What fails is told by a `keepFresh` event, and tried again.
   */
  keepFresh<V>(key: Key, load: Loader<V>, options?: CallOptions<V>): KeptFresh
  /**
   * Stores the value, gives it to those who wait for the key, and tells all instances. `false`: a later invalidation or set
   * won (only values with tags can lose so); what was there before is gone all the same.
   *
   * @throws UnconfirmedError where the store did not confirm it; TypeError or RangeError for what can't be stored
   */
  set<V>(key: Key, value: V, options?: SetOptions<V>): Promise<boolean>
  /** As `set` for each. Where one can't be stored none is; of those that can, all are tried before it rejects. */
  setMany<V>(entries: Iterable<readonly [key: Key, value: V]>, options?: SetOptions<V>): Promise<boolean[]>
  /** `invalidate` for one key. */
  delete(key: Key): Promise<void>
  /**
   * Removes the keys' values, and all values that have one of the tags, of every `version`; what is being computed for
   * them now, anywhere, will not be stored. Once it has resolved no caller of this instance gets what was computed before,
   * and the store has it no more.
   *
   * @throws UnconfirmedError where the store did not confirm it: repeat it
   */
  invalidate(what: InvalidateOptions): Promise<void>
  /**
   * As `invalidate` for everything in this namespace. It lists the whole database, so it is for deployments and
   * emergencies, not for requests.
   *
   * @throws UnconfirmedError where the store did not confirm it: repeat it
   */
  clear(): Promise<void>
  /**
   * For integrations of one's own: waits while another leads; then there is a value, or the flight is this caller's,
   * or it is on its own.
   *
   * @throws as `getOrSet`
   */
  claim<V = unknown>(key: Key, options?: CallOptions<V> & RequestOptions): Promise<Claim<V>>
  /**
   * Resolves when the store was connected once and messages have arrived, however long that takes; rejects after `close`.
   * Nothing needs to wait for it: requests are answered without it. Whether messages arrive now is in `stats`.
   */
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

const INVALIDATE: ReadonlySet<string> = new Set(['keys', 'tags'])

const INVALIDATE_TAKES =
  'invalidate takes { keys: [key, …], tags: [tag, …] }: each key exact, as it was given to getOrSet. To remove many at once give them a tag'

/** Characters and values that a key made of a client's input may have: to refuse a larger one must be cheap. */
const MAX_CLIENT_KEY = 65_536

/** Creates a cache over a store. The public `createCache` adds the default store. */
export function createCacheOn(defaultStore: () => Store, options: CacheOptions): Cache {
  const settings = resolveSettings(options)
  const { store = defaultStore() } = options
  const { version, policy: defaults } = settings
  const instance: Instance = openInstance(store, settings, (notice) => {
    // Ours came back: what was detached at the call and at the reply is new by now.
    if (notice.from === instance.instanceId) return
    const { ids, tags, all } = notice
    calls.detach(ids)
    if (all || tags.length > 0) calls.seal(all ? 'all' : tags)
    keeper.wake()
    if (all) instance.events.emit({ type: 'clear', remote: true })
    if (ids.length > 0 || tags.length > 0) instance.events.emit({ type: 'invalidate', keys: ids, tags, remote: true })
  })
  const calls = createCalls(instance)
  const keeper = createKeeper(instance)
  const writer: Writer = {
    instance,
    detach(ids) {
      calls.detach(ids)
      keeper.wake()
    },
    seal(tags) {
      calls.seal(tags)
      keeper.wake()
    },
  }
  const retries = createRetries(writer)

  function policyOf(options: (CallOptions<never> & RequestOptions) | undefined, where?: 'set'): Policy {
    if (options === undefined) return defaults
    const policy = resolveCall(defaults, options, where)
    if (policy.codec !== undefined) instance.codecs.set(policy.codec.id, policy.codec)
    return policy
  }

  function orderOf(id: string, key: Key, options: (CallOptions<never> & RequestOptions) | undefined): Order {
    return { id, key, policy: policyOf(options), forced: options?.forceRefresh === true }
  }

  function keep(order: Order, load: Loader<unknown>): KeptFresh {
    return keeper.keep({ what: order.id, renew: () => renewed(instance, calls, order, load) })
  }

  async function lookFor(key: Key) {
    const id = keyId(key, version)
    return instance.closed || !calls.enabled(id) ? undefined : { id, look: await calls.look(id) }
  }

  async function stored(key: Key) {
    const seen = await lookFor(key)
    return seen && hitOf(instance, seen.id, seen.look)
  }

  const cache: Cache = {
    namespace: settings.namespace,

    async getOrSet<V>(key: Key, load: Loader<V>, options?: CallOptions<V> & RequestOptions): Promise<V> {
      if (typeof load !== 'function') throw new TypeError('getOrSet takes a key and a function that computes its value')
      const id = keyId(key, version)
      // What is fresh in memory needs no policy; of a caller who is gone, or wants it anew, `ask` knows what to do.
      const held = options?.forceRefresh || options?.signal?.aborted ? undefined : calls.held(id)
      if (held !== undefined) return held.value as V
      const order = orderOf(id, key, options)
      if (order.policy.ttl === undefined) throw new TypeError(needsTtl('getOrSet'))
      return calls.ask(order, load, options?.signal) as Promise<V>
    },

    wrap: ((load: (...args: unknown[]) => unknown, options: WrapOptions<unknown[], unknown>) => {
      checkWrap(load, options)
      const { key: _, tags, ...call } = options
      // A function among the tags takes the arguments too: it differs from call to call.
      const policy = policyOf(typeof tags === 'function' ? call : { ...call, tags })
      if (policy.ttl === undefined) throw new TypeError(needsTtl('wrap'))
      const orderFor = (key: Key, tags: TagsOption | undefined, forced: boolean): Order => {
        return { id: keyId(key, version), key, policy, tags, forced }
      }
      return wrapLoader(cache, load, options, {
        held: (key) => calls.held(keyId(key, version)),
        ask: (key, run, forced, tags) => calls.ask(orderFor(key, tags, forced), run, undefined),
        keepFresh: (key, run, tags) => keep(orderFor(key, tags, false), run),
      })
    }) as unknown as Cache['wrap'],

    async get<V>(key: Key) {
      return (await stored(key))?.value as V | undefined
    },

    async has(key) {
      return (await stored(key)) !== undefined
    },

    async entry<V>(key: Key) {
      const seen = await lookFor(key)
      if (seen === undefined) return undefined
      const found = hitOf(instance, seen.id, seen.look) ?? valueIn(seen.look)
      return found && entryOf<V>(instance, found)
    },

    async getMany<V>(keys: readonly Key[]) {
      if (!Array.isArray(keys)) throw new TypeError('getMany takes an array of keys')
      const ids = keys.map((key) => keyId(key, version))
      if (instance.closed || !calls.enabled(ids[0] ?? '')) return ids.map(() => undefined)
      return (await readMany(instance, ids)) as (V | undefined)[]
    },

    async getOrSetMany<K extends Key, V>(
      keys: readonly K[],
      load: LoadMany<K, V>,
      options?: CallOptions<V> & RequestOptions,
    ) {
      if (!Array.isArray(keys)) throw new TypeError('getOrSetMany takes an array of keys')
      if (typeof load !== 'function') {
        throw new TypeError('getOrSetMany takes keys and a function that computes the values of those that are missing')
      }
      const policy = policyOf(options)
      if (policy.ttl === undefined) throw new TypeError(needsTtl('getOrSetMany'))
      const forced = options?.forceRefresh === true
      const orders = keys.map((key) => ({ id: keyId(key, version), key, policy, forced }))
      const each = new Map(orders.map((order) => [order.id, order]))
      const values = await askMany(calls, [...each.values()], load, options?.signal)
      if (each.size === orders.length) return values as V[]
      const byId = new Map([...each.keys()].map((id, i) => [id, values[i]]))
      return orders.map(({ id }) => byId.get(id) as V)
    },

    async warm<K extends Key, V>(
      keys: Iterable<K>,
      load: (key: K, context: LoadContext) => V | Promise<V>,
      options: WarmOptions & CallOptions<V> & RequestOptions = {},
    ) {
      if (typeof keys?.[Symbol.iterator] !== 'function' || typeof keys === 'string')
        throw new TypeError('warm takes a list of keys')
      if (typeof load !== 'function')
        throw new TypeError('warm takes keys and a function that computes the value of one')
      const { concurrency, onProgress, rest } = warmOptions(options)
      const policy = policyOf(rest)
      if (policy.ttl === undefined) throw new TypeError(needsTtl('warm'))
      const all = [...keys]
      const orders = new Map(all.map((key) => [keyId(key, version), { key, policy }]))
      const { signal, forceRefresh: forced = false } = rest
      return warmAll([...orders.keys()], { concurrency, onProgress, signal }, async (id) => {
        const { key } = orders.get(id) as { key: K }
        let ran = false
        const run = (context: LoadContext) => {
          ran = true
          return load(key, context)
        }
        await calls.ask({ id, key, policy, forced }, run, signal)
        return ran
      })
    },

    keepFresh<V>(key: Key, load: Loader<V>, options?: CallOptions<V>) {
      if (typeof load !== 'function')
        throw new TypeError('keepFresh takes a key and a function that computes its value')
      const order = orderOf(keyId(key, version), key, options)
      if (order.policy.ttl === undefined) throw new TypeError(needsTtl('keepFresh'))
      return keep(order, load)
    },

    async set(key, value, options) {
      const [stored] = await write(writer, [[key, value]], policyOf(options, 'set'))
      return stored === true
    },

    async setMany(entries, options) {
      if (typeof entries?.[Symbol.iterator] !== 'function') throw new TypeError('setMany takes [key, value] pairs')
      const pairs = [...entries]
      if (!pairs.every(Array.isArray)) throw new TypeError('setMany takes [key, value] pairs')
      return write(writer, pairs, policyOf(options, 'set'))
    },

    delete: (key) => cache.invalidate({ keys: [key] }),

    async invalidate(what) {
      const { keys = [], tags = [] } = Object(what) as InvalidateOptions
      if (typeof what !== 'object' || what === null || Array.isArray(what) || !Array.isArray(keys))
        throw new TypeError(INVALIDATE_TAKES)
      known('invalidate', what, INVALIDATE)
      if (what.keys === undefined && what.tags === undefined) throw new TypeError(INVALIDATE_TAKES)
      const ids = keys.map((key) => keyId(key, version))
      await invalidate(writer, { ids: [...new Set(ids)], tags: tagIds(tags) })
    },

    clear: () => clear(writer),

    async claim<V>(key: Key, options?: CallOptions<V> & RequestOptions) {
      return calls.claim(orderOf(keyId(key, version), key, options), options?.signal) as Promise<Claim<V>>
    },

    ready: () => instance.session.ready(),
    on: (type, listener) => instance.events.on(type, listener),
    stats: () => ({
      events: instance.events.counts(),
      flights: calls.flights,
      unconfirmed: retries.pending,
      breaker: instance.breaker.state,
      inbox: instance.inbox.confirmed,
      memory: instance.tier.size,
    }),
    close: () => instance.close(),
    [Symbol.asyncDispose]: () => instance.close(),
  }

  return expose(cache, {
    events: instance.events,
    now: instance.session.now,
    async peek(id, fits) {
      return instance.closed || !calls.enabled(id) ? undefined : calls.peek(id, fits)
    },
    policy: policyOf,
    ask: calls.ask,
    glance: calls.glance,
    keep: (what, attempt) =>
      keeper.keep({
        what,
        async renew() {
          let delay: number | undefined
          await attempt(async (order, load) => {
            delay = await renewed(instance, calls, order, load)
          })
          if (delay === undefined) throw new Error('it was answered without the cache')
          return delay
        },
      }),
    invalidate: ({ keys = [], tags = [] }) =>
      retries.invalidate({ ids: keys.map((key) => keyId(key, version)), tags: tagIds(tags) }),
    idOf(what, key, secret) {
      try {
        return keyId([...key, keyDigest(secret, MAX_CLIENT_KEY)], version, MAX_CLIENT_KEY)
      } catch (error) {
        instance.events.emit({ type: 'bypass', what, reason: messageOf(error) })
        return undefined
      }
    },
  })
}
