/**
 * atomcache: one computation over many instances.
 *
 * @module
 */
import type { Cache } from './core/cache.ts'
import { createCacheOn } from './core/createCache.ts'
import type { CacheOptions } from './core/settings.ts'
import { memoryStore } from './stores/memory/store.ts'

export type { Cache, CacheStats } from './core/cache.ts'
export type { Claim, LeaderClaim, PublishOptions } from './core/claims.ts'
export type { Bytes, Codec } from './core/codec.ts'
export { markOf } from './core/entry.ts'
export type { SharedError, StoreErrorCode } from './core/errors.ts'
export { LoaderError, StoreError, UnconfirmedError, WaitTimeoutError } from './core/errors.ts'
export type {
  AloneReason,
  CacheEvent,
  CacheEventOf,
  CacheEventType,
  CacheListener,
  ChannelMessage,
  TraceMessage,
} from './core/events.ts'
export type { FreshnessOptions } from './core/freshnessOptions.ts'
export type { InvalidateOptions } from './core/invalidation.ts'
export type { KeptFresh } from './core/keepFresh.ts'
export type { Key } from './core/key.ts'
export type { Limit } from './core/limit.ts'
export type { LoadMany, LoadManyContext } from './core/many.ts'
export type { MemoryOptions } from './core/memoryOptions.ts'
export type { MaxNewKeys } from './core/newKeys.ts'
export type { CallOptions, RequestOptions, SetOptions } from './core/options.ts'
export type { LoadContext, Loader } from './core/order.ts'
export type { CacheEntry } from './core/reads.ts'
export type { CacheOptions } from './core/settings.ts'
export type * from './core/store.ts'
export type { Warmed, WarmOptions, WarmProgress } from './core/warm.ts'
export type { WrapOptions, Wrapped } from './core/wrap.ts'
export { type MemoryStoreOptions, memoryStore } from './stores/memory/store.ts'

/**
 * Creates a cache. Without `store` it is the embedded `memoryStore()`: one process, no server.
 *
 * @throws TypeError or RangeError that names the option, its bound and what was given
 */
export function createCache(options: CacheOptions = {}): Cache {
  return createCacheOn(memoryStore, options)
}
