import type { ExecuteFunction, Plugin } from '@envelop/core'
import type { ExecutionArgs } from 'graphql'
import { type ExecuteCacheOptions, executing } from './responses/executing.ts'
import { ruleOptions } from './responses/options.ts'
import { schemaCheck } from './responses/schemaCheck.ts'

export { type CacheHint, type CacheScope, cacheControlTypeDefs } from './documents/cacheControl.ts'
export { type KeepFreshOptions, keepFresh } from './responses/keepFresh.ts'
export type { ResponseCacheMetadata } from './responses/metadata.ts'
export type { BuildResponseCacheKey, Execution, ResponseCacheOptions } from './responses/options.ts'
export { setCacheHint } from './responses/resolverHints.ts'

export type EnvelopCacheOptions<C = Record<string, unknown>> = ExecuteCacheOptions<C>

/**
 * Caches whole query responses, computed once over all instances, and invalidates what mutations return. Errors and
 * subscriptions are not stored. It belongs behind the plugins that authenticate.
 *
 * Results from the cache have a `stringify`, which gives their JSON text without serialising anything.
 *
 * @throws TypeError or RangeError for bad options
 */
export function useAtomCache<C extends object = Record<string, unknown>>(options: EnvelopCacheOptions<C>): Plugin {
  const run = executing('useAtomCache', options)
  const { onPluginInit, onSchemaChange } = schemaCheck(ruleOptions(options))
  return {
    onPluginInit,
    onSchemaChange,
    onExecute({ executeFn, setExecuteFn }) {
      const execute = executeFn as (args: ExecutionArgs) => unknown
      setExecuteFn(((args: ExecutionArgs) => run(args, execute)) as ExecuteFunction)
    },
  }
}
