import { TRPCError, type TRPCMiddlewareFunction } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import type { Cache } from '../../core/cache.ts'
import { known } from '../../core/checks.ts'
import { isShareable, LoaderError } from '../../core/errors.ts'
import { internalsOf } from '../../core/internals.ts'
import { checkScope, type Scope, scopeOf } from '../../core/scope.ts'

/** What `scope` is asked with: the context and input as the procedure's builder has them where the middleware stands. */
export interface ScopeRequest<C, I> {
  readonly ctx: C
  readonly input: I
  /** Such as `product.byId`. */
  readonly path: string
}

export interface CachedOptions<C = unknown, I = unknown> {
  readonly cache: Cache
  /** How long an answer is fresh: ms, greater than 0, or `Infinity`. Default: that of the cache, else 60,000. */
  readonly ttl?: number | undefined
  /**
   * Whose data the answer is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached.
   */
  readonly scope: Scope | ((request: ScopeRequest<C, I>) => Scope)
}

const OPTIONS: ReadonlySet<string> = new Set(['cache', 'scope', 'ttl'])

type Overwritten<C, O> = Omit<C, keyof O> & O

/**
 * Caches what a query procedure answers, computed once over all instances: the raw value, with its Dates, Maps and
 * BigInts. Mutations, subscriptions and errors pass. The key is the procedure's path, its input (as the client sent it
 * where no `.input()` stands before), and the scope. It belongs behind every middleware that may refuse.
 *
 * @throws TypeError or RangeError for bad options
 */
export function cached<C, M, O, I>(
  options: CachedOptions<Overwritten<C, O>, I>,
): TRPCMiddlewareFunction<C, M, O, object, I> {
  const internals = internalsOf(options?.cache)
  known('cached', options, OPTIONS)
  checkScope(options.scope)
  if (!('scope' in options)) {
    throw new TypeError(
      'cached needs scope: a string or a function that says whose data it is, or null for the same for everybody',
    )
  }
  const { scope, ttl = internals.policy({}).ttl ?? 60_000 } = options
  const policy = internals.policy({ ttl })

  return async ({ ctx, input, getRawInput, next, path, signal, type }) => {
    if (type !== 'query') return next()
    const what = `tRPC query ${path}`
    const whose = scopeOf(internals, what, 'scope', () =>
      typeof scope === 'function' ? scope({ ctx: ctx as Overwritten<C, O>, input, path }) : scope,
    )
    if (whose === undefined) return next()
    const key = ['trpc', path]
    const id = internals.idOf(what, key, [input === undefined ? await getRawInput() : input, whose])
    if (id === undefined) return next()

    /** What `next()` gave, if this call ran it: its own callers get just that. */
    let own: Awaited<ReturnType<typeof next>> | undefined
    try {
      const data = await internals.ask(
        { id, key, policy, forced: false },
        async () => {
          own = await next()
          if (!own.ok) throw own.error
          return own.data
        },
        signal,
      )
      // The marker is a brand at compile time, and what it wants is kept: the answer is one that `next()` gave.
      return own ?? ({ ok: true, data } as typeof own & object)
    } catch (error) {
      if (own !== undefined && !own.ok) return own
      // Of another caller here: it may speak of that one's rights.
      if (own === undefined && error instanceof TRPCError && !isShareable(error)) return next()
      throw error instanceof LoaderError ? revive(error) : error
    }
  }
}

/** The TRPCError that the leader's procedure failed with, in another instance. */
function revive(error: LoaderError): Error {
  const { name, code, message } = error
  if (name !== 'TRPCError' || typeof code !== 'string' || !(code in TRPC_ERROR_CODES_BY_KEY)) return error
  return new TRPCError({ code: code as keyof typeof TRPC_ERROR_CODES_BY_KEY, message, cause: error })
}
