import type { Claim } from './claims.ts'
import type { CacheEventType, CacheListener } from './events.ts'
import type { InvalidateOptions } from './invalidation.ts'
import type { KeptFresh } from './keepFresh.ts'
import type { Key } from './key.ts'
import type { LoadMany } from './many.ts'
import type { CallOptions, RequestOptions, SetOptions } from './options.ts'
import type { LoadContext, Loader } from './order.ts'
import type { CacheEntry } from './reads.ts'
import type { Warmed, WarmOptions } from './warm.ts'
import type { BeforeContext, WrapOptions, Wrapped } from './wrap.ts'

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
  /** By group of a `limit`: how many loaders run in this instance, and how many wait for a place. */
  readonly places: Readonly<Record<string, { readonly running: number; readonly waiting: number }>>
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
