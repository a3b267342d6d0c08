import type { AnyRouter } from '@trpc/server'
import { known, show } from '../../core/checks.ts'
import { messageOf } from '../../core/errors.ts'
import type { CacheMeta } from './cached.ts'
import { markOf } from './marks.ts'

export interface CacheOrderOptions {
  /**
   * Middlewares that neither refuse nor change the context, such as one that measures: they may stand behind a cache. Also a
   * cache behind another one that has the same scope and goes with the same tags. Default: none.
   */
  readonly harmless?: readonly object[] | undefined
  /** Paths of lazy routers that are checked elsewhere, when they are loaded. Default: none. */
  readonly lazy?: readonly string[] | undefined
}

const OPTIONS: ReadonlySet<string> = new Set<keyof CacheOrderOptions>(['harmless', 'lazy'])

/** What of a procedure says in which order it is run. */
export interface Chain {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly middlewares: readonly (((...args: never) => unknown) & { readonly _type?: string })[]
  readonly meta: unknown
}

/**
 * Sees to it that in no procedure of the router a middleware stands behind the cache that may refuse or change the context, nor
 * another cache: a hit is answered without it. And that no cache and no `invalidates` stands where it does nothing. To be called at
 * start.
 *
 * @throws Error that names each such procedure, each bad `meta.cache`, and each lazy router, whose procedures are not there yet
 * @throws TypeError for what is no router, and bad options
 */
export function assertCacheOrder(router: AnyRouter, options: CacheOrderOptions = {}): void {
  known('assertCacheOrder', options, OPTIONS)
  const { harmless = [], lazy = [] } = options
  listOf(
    'harmless',
    'middlewares',
    harmless,
    (one) => typeof one === 'function' || Array.isArray(Object(one)._middlewares),
  )
  listOf('lazy', 'paths', lazy, (one) => typeof one === 'string')
  const ignored = new Set(harmless.flatMap(middlewaresOf))
  const { procedures, lazy: unseen } = partsOf(router)
  for (const name of lazy) {
    // A lazy router that was loaded is in the record like an eager one.
    if (Object.hasOwn(unseen, name) || Object.keys(procedures).some((path) => path.startsWith(`${name}.`))) continue
    const names = Object.keys(unseen).join(', ')
    throw new TypeError(`lazy names ${show(name)}, which is no lazy router; there is ${names === '' ? 'none' : names}`)
  }
  const problems: string[] = []
  for (const [path, { _def }] of Object.entries(procedures)) {
    for (const problem of problemsOf(_def, ignored)) problems.push(`${path}: ${problem}`)
  }
  for (const path of Object.keys(unseen)) {
    if (lazy.includes(path)) continue
    const mend = 'check it where it is loaded, and name it in `lazy`'
    problems.push(`${path}: a lazy router, whose procedures are not there yet: ${mend}`)
  }
  if (problems.length > 0) throw new Error(`assertCacheOrder:\n${problems.map((problem) => `- ${problem}`).join('\n')}`)
}

interface Parts {
  /** By their paths, as those of lazy routers. */
  readonly procedures: Record<string, { readonly _def: Chain }>
  readonly lazy: Record<string, unknown>
}

/** @throws TypeError for what is no router */
export function partsOf(router: AnyRouter): Parts {
  const { procedures, lazy = {} } = Object((router as Partial<AnyRouter> | undefined)?._def) as Partial<Parts>
  if (procedures !== undefined) return { procedures, lazy }
  throw new TypeError(`router must be what t.router() returned, got ${show(router)}`)
}

/** @throws TypeError for what is no list, or has something else in it */
function listOf(name: string, what: string, given: readonly unknown[], isOne: (one: unknown) => boolean): void {
  if (!Array.isArray(given)) throw new TypeError(`${name} must be a list of ${what}, got ${show(given)}`)
  for (const [i, one] of given.entries()) {
    if (!isOne(one)) throw new TypeError(`${name} must be a list of ${what}, got ${show(one)} at ${i}`)
  }
}

/** `t.middleware()` gives what has a list of them. */
function middlewaresOf(given: object): readonly object[] {
  const { _middlewares: list } = given as { _middlewares?: readonly object[] }
  return list ?? [given]
}

/** What is wrong with a procedure, and its mend. */
function problemsOf(procedure: Chain, ignored: ReadonlySet<object>): readonly string[] {
  const { type, middlewares, meta } = procedure
  const has = (mark: string) => middlewares.some((middleware) => markOf(middleware)?.type === mark)
  const saysCache = (Object(meta) as CacheMeta).cache !== undefined
  const problems: (string | undefined)[] = []
  if (type === 'query') {
    if (has('invalidates'))
      problems.push('`invalidates` does nothing for a query: make it a mutation, or take that out')
    if (saysCache && !has('byMeta')) problems.push('its meta.cache does nothing: `.use()` what cachedByMeta returned')
    problems.push(orderProblemOf(procedure, ignored))
  } else {
    const mend = `a ${type} is never cached: make it a query, or take that out`
    if (has('cached')) problems.push(`its \`cached\` does nothing: ${mend}`)
    if (saysCache) problems.push(`its meta.cache does nothing: ${mend}`)
  }
  return problems.filter((problem) => problem !== undefined)
}

function orderProblemOf({ middlewares, meta }: Chain, ignored: ReadonlySet<object>): string | undefined {
  const chain = middlewares.slice(0, -1) // the last one is the resolver
  let at: number
  try {
    at = chain.findIndex((middleware) => isPublic(middleware, meta) !== undefined)
  } catch (error) {
    return messageOf(error)
  }
  if (at < 0) return undefined
  const behind = chain.slice(at + 1).filter((middleware) => !isHarmless(middleware, meta) && !ignored.has(middleware))
  if (behind.length === 0) return undefined
  const names = behind.map((one) => (markOf(one) ? 'another cache' : nameOf(one, middlewares))).join(', ')
  const mend = 'put the cache behind it, or name it in `harmless` if that makes no difference'
  return `behind its cache stands ${names}: a hit is answered without it, so ${mend}`
}

function nameOf(middleware: Chain['middlewares'][number], all: Chain['middlewares']): string {
  const { name, _type } = middleware
  // It forms the errors of who runs the procedure, and of nobody who waits for it.
  if (_type === 'errors') return '.errors()'
  return name === '' ? `a middleware without a name (number ${all.indexOf(middleware) + 1} of its chain)` : name
}

/** Of another cache neither scope nor tags would count on a hit of the one before it. */
function isHarmless(middleware: Chain['middlewares'][number], meta: unknown): boolean {
  return isParser(middleware) || (markOf(middleware) !== undefined && isPublic(middleware, meta) === undefined)
}

/** tRPC's own: parsers of inputs refuse by the input alone, which is in the key, and those of outputs see what is kept. */
function isParser({ _type = '' }: Chain['middlewares'][number]): boolean {
  return _type === 'input' || _type === 'output'
}

/** The chain of a query; `undefined` for what is none, or not there. */
export function chainOf(router: AnyRouter, path: string): Chain | undefined {
  const { procedures } = partsOf(router)
  const { _def } = (Object.hasOwn(procedures, path) ? procedures[path] : undefined) ?? {}
  return _def?.type === 'query' ? _def : undefined
}

/** A cache whose answers are public. */
export interface PublicCache {
  /** Of the cache itself. */
  readonly internals: object
  /** The names of what may refuse before it. */
  readonly refusers: readonly string[]
}

/** That of the chain; `undefined` where there is none. */
export function publicCacheOf({ middlewares, meta }: Chain): PublicCache | undefined {
  const at = middlewares.findIndex((middleware) => isPublic(middleware, meta) === true)
  const mark = markOf(middlewares[at] ?? {})
  if (mark === undefined || mark.type === 'invalidates') return undefined
  const before = middlewares.slice(0, at).filter((one) => !isParser(one) && one._type !== 'errors')
  const refusers = before
    .filter((middleware) => isPublic(middleware, meta) !== undefined || markOf(middleware) === undefined)
    .map((middleware) => nameOf(middleware, middlewares))
  return { internals: mark.internals, refusers }
}

/** Whether what it keeps is public; `undefined` for what keeps nothing. */
function isPublic(middleware: object, meta: unknown): boolean | undefined {
  const mark = markOf(middleware)
  if (mark?.type === 'cached') return mark.public
  return mark?.type === 'byMeta' ? mark.publicOf(meta) : undefined
}
