import type { AnyRouter } from '@trpc/server'
import { known, show } from '../../core/checks.ts'
import { messageOf } from '../../core/errors.ts'
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
  readonly middlewares: readonly (((...args: never) => unknown) & { readonly _type?: string })[]
  readonly meta: unknown
}

/**
 * Sees to it that in no procedure of the router a middleware stands behind the cache that may refuse or change the context, nor
 * another cache: a hit is answered without it. To be called at start.
 *
 * @throws Error that names each such procedure, each bad `meta.cache`, and each lazy router, whose procedures are not there yet
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
  const { procedures, lazy: unseen } = router._def as unknown as {
    procedures: Record<string, { _def: Chain & { type: string } }>
    lazy: Record<string, unknown>
  }
  const problems: string[] = []
  for (const [path, { _def }] of Object.entries(procedures)) {
    const problem = _def.type === 'query' ? problemOf(_def, ignored) : undefined // all others pass every cache
    if (problem !== undefined) problems.push(`${path}: ${problem}`)
  }
  for (const path of Object.keys(unseen)) {
    if (!lazy.includes(path)) problems.push(`${path}: a lazy router, whose procedures are not there yet`)
  }
  if (problems.length > 0) throw new Error(`assertCacheOrder:\n${problems.map((problem) => `- ${problem}`).join('\n')}`)
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

function problemOf({ middlewares, meta }: Chain, ignored: ReadonlySet<object>): string | undefined {
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
  const names = behind.map((middleware) => (markOf(middleware) ? 'another cache' : nameOf(middleware))).join(', ')
  return `behind its cache stands ${names}: a hit is answered without it, so put the cache behind it`
}

function nameOf({ name, _type }: Chain['middlewares'][number]): string {
  // It forms the errors of who runs the procedure, and of nobody who waits for it.
  if (_type === 'errors') return '.errors()'
  return name === '' ? 'a middleware without a name' : name
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
  const { procedures } = router._def as unknown as { procedures: Record<string, { _def: Chain & { type: string } }> }
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
    .map(nameOf)
  return { internals: mark.internals, refusers }
}

/** Whether what it keeps is public; `undefined` for what keeps nothing. */
function isPublic(middleware: object, meta: unknown): boolean | undefined {
  const mark = markOf(middleware)
  if (mark?.type === 'cached') return mark.public
  return mark?.type === 'byMeta' ? mark.publicOf(meta) : undefined
}
