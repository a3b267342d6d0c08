import type { ExecutionArgs, ExecutionResult, OperationDefinitionNode } from 'graphql'
import type { Cache } from '../../core/cache.ts'
import { isShareable } from '../../core/errors.ts'
import { type Internals, internalsOf } from '../../core/internals.ts'
import { known } from '../../core/options.ts'
import { type Scope, scopeOf } from '../../core/scope.ts'
import { cacheableOperation, copyOf, isCacheableResult, isWholeResult, operationKey, sharedPart } from './operation.ts'

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

const OPTIONS: ReadonlySet<string> = new Set(['cache', 'session', 'ttl'])

/** @throws TypeError or RangeError for bad options */
export function cachedExecution(options: ResponseCacheOptions & { readonly session: unknown }): CachedExecution {
  if (typeof options?.session !== 'function') {
    throw new TypeError(
      'useAtomCache needs session: a function that returns whose data a response is, or null for the same for everybody',
    )
  }
  known('useAtomCache', options, OPTIONS)
  const internals = internalsOf(options.cache)
  const { ttl = internals.policy({}).ttl ?? 60_000 } = options
  const policy = internals.policy({ ttl, shouldCache: isCacheableResult })

  return async (args, execute, scope) => {
    const key = keyOf(internals, args, scope)
    if (key === undefined) return execute(args)
    let own: unknown
    let ran = false
    let result: unknown
    try {
      result = await internals.ask(
        { ...key, policy, forced: false },
        async () => {
          ran = true
          own = await execute(args)
          return isWholeResult(own) ? sharedPart(own) : own
        },
        undefined,
      )
    } catch (error) {
      if (ran || isShareable(error)) throw error
      return execute(args) // another caller's error: it may speak of the rights of that one
    }
    // Who ran it gets its own, with what is for its own request only.
    if (own !== undefined) return own
    // An error may speak of the rights of who ran it.
    return mayShare(result) ? copyOf(result) : execute(args)
  }
}

function mayShare(result: unknown): result is ExecutionResult {
  return isWholeResult(result) && (result.errors ?? []).every(isShareable)
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
