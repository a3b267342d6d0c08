import type { ExecutionArgs, ExecutionResult, OperationDefinitionNode } from 'graphql'
import { notAsync } from '../../core/checks.ts'
import type { Scope } from '../../core/scope.ts'
import { answering } from './responses/execution.ts'
import type { ResponseCacheOptions } from './responses/options.ts'

export { type CacheHint, type CacheScope, cacheControlTypeDefs, setCacheHint } from './documents/cacheControl.ts'
export type { ResponseCacheMetadata } from './responses/metadata.ts'
export type { BuildResponseCacheKey, Execution, ResponseCacheOptions } from './responses/options.ts'

export interface ExecuteCacheOptions<C = Record<string, unknown>> extends ResponseCacheOptions<C> {
  /**
   * Whose data the response is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached. Asked when the context is complete.
   */
  readonly session: (context: C, operation: OperationDefinitionNode) => Scope
  /** Whether the cache is asked at all; asked once per operation. Default: yes. */
  readonly enabled?: ((context: C) => boolean) | undefined
}

/**
 * Runs an operation, or answers it from the cache: as `execute` of graphql-js, for servers that let theirs be replaced. What
 * comes from the cache is a result without errors, or what another request's run failed with; it has a `stringify`, which
 * gives its JSON text without serialising anything.
 */
export type CachedExecute = <A extends ExecutionArgs, R>(
  args: A,
  execute: (args: A) => R | Promise<R>,
) => Promise<R | ExecutionResult>

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

/** @param who has these options, for messages */
export function executing<C extends object>(who: string, options: ExecuteCacheOptions<C>): CachedExecute {
  const answer = answering(who, options, ['session', 'enabled'])
  const { session, enabled } = options
  return async <A extends ExecutionArgs, R>(args: A, execute: (args: A) => R | Promise<R>) => {
    const context = args.contextValue as C
    const { result } = await answer({
      args,
      execute,
      enabled: () => notAsync('enabled', enabled?.(context) ?? true),
      scope: (operation) => session(context, operation),
    })
    return result as R | ExecutionResult
  }
}
