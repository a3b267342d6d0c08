import { type CachedExecute, type ExecuteCacheOptions, executing } from './responses/executing.ts'

export { type CacheHint, type CacheScope, cacheControlTypeDefs } from './documents/cacheControl.ts'
export type { CachedExecute, CachedResult, ExecuteCacheOptions } from './responses/executing.ts'
export {
  type KeepFreshExecuteOptions as KeepFreshOptions,
  keepFreshExecuted as keepFresh,
} from './responses/keepFresh.ts'
export type { ResponseCacheMetadata } from './responses/metadata.ts'
export type { BuildResponseCacheKey, Execution, ResponseCacheOptions } from './responses/options.ts'
export { setCacheHint } from './responses/resolverHints.ts'

/**
 * Caches whole query responses, computed once over all instances, and invalidates what mutations return, for any server that
 * lets its executor be replaced. Errors and subscriptions are not stored.
 *
 * @throws TypeError or RangeError for bad options
 */
export function cachedExecute<C extends object = Record<string, unknown>>(
  options: ExecuteCacheOptions<C>,
): CachedExecute {
  return executing('cachedExecute', options)
}
