import type { ExecutionArgs, ExecutionResult, OperationDefinitionNode } from 'graphql'
import type { Cache } from '../../core/cache.ts'
import { type Internals, internalsOf } from '../../core/internals.ts'
import { type Scope, scopeOf } from '../../core/scope.ts'
import { cacheableOperation, isCacheableResult, operationKey, sharedPart } from './operation.ts'

/** What all GraphQL plugins for whole responses are told. */
export interface ResponseCacheOptions {
  readonly cache: Cache
  /** How long a response is fresh: ms, greater than 0, or `Infinity`. Default: that of the cache, else 60,000. */
  readonly ttl?: number | undefined
}

/** Runs an operation, or answers it from the cache. */
export type CachedExecution = <A extends ExecutionArgs>(
  args: A,
  execute: (args: A) => unknown,
  scope: (operation: OperationDefinitionNode) => Scope,
) => Promise<unknown>

/** @throws TypeError or RangeError for bad options */
export function cachedExecution(options: ResponseCacheOptions & { readonly session: unknown }): CachedExecution {
  if (typeof options?.session !== 'function') {
    throw new TypeError(
      'useAtomCache needs session: a function that returns whose data a response is, or null for the same for everybody',
    )
  }
  const internals = internalsOf(options.cache)
  const { ttl = internals.policy({}).ttl ?? 60_000 } = options
  const policy = internals.policy({ ttl, shouldCache: isCacheableResult })

  return async (args, execute, scope) => {
    const key = keyOf(internals, args, scope)
    if (key === undefined) return execute(args)
    let own: unknown
    const result = await internals.ask(
      { ...key, policy, forced: false },
      async () => {
        own = await execute(args)
        return isCacheableResult(own) ? sharedPart(own) : own
      },
      undefined,
    )
    // Who ran it gets its own, with what is for its own request only. All others share one object, into which later
    // plugins may write: each gets its own outside.
    return own ?? copyOf(result)
  }
}

function keyOf(
  internals: Internals,
  args: ExecutionArgs,
  scope: (operation: OperationDefinitionNode) => Scope,
): { readonly id: string; readonly key: readonly unknown[] } | undefined {
  const operation = cacheableOperation(args)
  if (operation === undefined) return undefined
  const what = `query ${operation.name?.value ?? '(anonymous)'}`
  const whose = scopeOf(internals, what, () => scope(operation))
  if (whose === undefined) return undefined
  const key = operationKey(args, whose)
  const id = internals.idOf(what, key)
  return id === undefined ? undefined : { id, key }
}

function copyOf(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || Symbol.asyncIterator in result) return result
  const { extensions, ...rest } = result as ExecutionResult
  return extensions === undefined ? rest : { ...rest, extensions: { ...extensions } }
}
