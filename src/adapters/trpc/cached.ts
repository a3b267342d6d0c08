import type { TRPCMiddlewareFunction } from '@trpc/server'
import type { Cache } from '../../core/cache.ts'
import { known, show } from '../../core/checks.ts'
import { messageOf } from '../../core/errors.ts'
import { internalsOf } from '../../core/internals.ts'
import { answering } from './answering.ts'
import { marked } from './marks.ts'
import type { MiddlewareCall } from './middleware.ts'
import {
  type CachedOptions,
  PROCEDURE_OPTIONS,
  type ProcedureCacheOptions,
  type Settings,
  settingsOf,
} from './options.ts'

type Overwritten<C, O> = Omit<C, keyof O> & O

/**
 * Caches what a query procedure answers, computed once over all instances: the raw value, with its Dates, Maps and
 * BigInts. Mutations, subscriptions and errors pass. The key is the procedure's path, its input (as the client sent it
 * where no `.input()` stands before), the scope, and what `vary` says. It belongs behind every middleware that may refuse or
 * changes the context: `assertCacheOrder` sees to it.
 *
 * @throws TypeError or RangeError for bad options
 */
export function cached<C, M, O, I>(
  options: CachedOptions<Overwritten<C, O>, I>,
): TRPCMiddlewareFunction<C, M, O, object, I> {
  const internals = internalsOf(options?.cache)
  const settings = settingsOf('cached', options as CachedOptions<never, never>, internals)
  const answer = answering(internals)
  const middleware = (call: MiddlewareCall) => (call.type === 'query' ? answer(call, settings) : call.next())
  // The marker is a brand at compile time, and what it wants is kept: each answer is one that `next()` gave.
  return marked(middleware, { type: 'cached', internals, public: settings.public }) as never
}

/** The type of a procedure's meta in which `cachedByMeta` looks: `initTRPC.meta<CacheMeta<Context>>()`. */
export interface CacheMeta<C = unknown> {
  /** How the answers of the procedure are cached; what it does not say the middleware's options do. */
  readonly cache?: Partial<ProcedureCacheOptions<C>> | undefined
}

export interface CachedByMetaOptions<C = unknown> extends Partial<ProcedureCacheOptions<C>> {
  readonly cache: Cache
}

/**
 * As `cached`, one for many procedures: it caches those whose meta has `cache`. A bad option in a meta is told as a `bypass`
 * event when the procedure is first called, and by `assertCacheOrder` before that.
 *
 * @throws TypeError or RangeError for bad options
 */
export function cachedByMeta<C, M, O, I>(
  options: CachedByMetaOptions<Overwritten<C, O>>,
): TRPCMiddlewareFunction<C, M, O, object, I> {
  const internals = internalsOf(options?.cache)
  const { cache: _cache, ...defaults } = options as CachedByMetaOptions<never>
  settingsOf('cachedByMeta', { scope: null, ...defaults }, internals)
  const answer = answering(internals)
  /** By the meta, which a procedure has for good; of a bad one, why it is. */
  const resolved = new WeakMap<object, Settings | string>()

  function resolve(said: unknown): Settings {
    if (typeof said !== 'object' || said === null || Array.isArray(said)) {
      throw new TypeError(`meta.cache must be an object of options, got ${show(said)}`)
    }
    known('meta.cache', said, PROCEDURE_OPTIONS)
    // `{ ttl: undefined }` says nothing, but a scope that is undefined must not become the middleware's, which may be null.
    const own = Object.entries(said).filter(([name, value]) => value !== undefined || name === 'scope')
    const options = { ...defaults, ...Object.fromEntries(own) } as ProcedureCacheOptions<never, never>
    return settingsOf('meta.cache', options, internals)
  }

  function settingsFor(meta: object, said: unknown, path: string): Settings | undefined {
    let settings = resolved.get(meta)
    if (settings === undefined) {
      try {
        settings = resolve(said)
      } catch (error) {
        settings = messageOf(error)
        internals.events.emit({ type: 'bypass', what: `tRPC query ${path}`, reason: settings })
      }
      resolved.set(meta, settings)
    }
    return typeof settings === 'string' ? undefined : settings
  }

  const middleware = (call: MiddlewareCall) => {
    const meta = Object(call.meta) as CacheMeta
    if (call.type !== 'query' || meta.cache === undefined) return call.next()
    const settings = settingsFor(meta, meta.cache, call.path)
    return settings === undefined ? call.next() : answer(call, settings)
  }
  return marked(middleware, {
    type: 'byMeta',
    internals,
    publicOf(meta) {
      const { cache: said } = Object(meta) as CacheMeta
      return said === undefined ? undefined : resolve(said).public
    },
  }) as never
}
