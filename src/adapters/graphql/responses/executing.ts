import type { ExecutionArgs, ExecutionResult, OperationDefinitionNode } from 'graphql'
import { notAsync } from '../../../core/checks.ts'
import type { Scope } from '../../../core/scope.ts'
import { answering } from './execution.ts'
import type { ResponseCacheOptions } from './options.ts'

export interface ExecuteCacheOptions<C = Record<string, unknown>> extends ResponseCacheOptions<C> {
  /**
   * Whose data the response is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached. Asked when the context is complete.
   */
  readonly session: (context: C, operation: OperationDefinitionNode) => Scope
  /** Whether the cache is asked at all; asked once per operation. Default: yes. */
  readonly enabled?: ((context: C) => boolean) | undefined
}

/** What comes from the cache: a result without errors, or what another request's run failed with. */
export interface CachedResult extends ExecutionResult {
  /** Its JSON text, for which nothing is serialised: `result.stringify?.(result) ?? JSON.stringify(result)`. */
  readonly stringify?: (result: ExecutionResult) => string
}

/**
 * Runs an operation, or answers it from the cache: as `execute` of graphql-js, for servers that let theirs be replaced.
 */
export type CachedExecute = <A extends ExecutionArgs, R>(
  args: A,
  execute: (args: A) => R | Promise<R>,
) => Promise<R | CachedResult>

/**
 * @param who has these options, for messages
 * @throws TypeError or RangeError for bad options
 */
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
    return result as R | CachedResult
  }
}
