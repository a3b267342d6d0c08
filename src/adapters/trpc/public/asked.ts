import type { AnyRouter } from '@trpc/server'
import { LRUCache } from 'lru-cache'
import { show } from '../../../core/checks.ts'
import { chainOf, publicCacheOf } from '../order.ts'

/** What a GET asks for, where all of it is public. */
export interface Asked {
  /** Of the procedures, with commas between them. */
  readonly path: string
  readonly calls: number
  readonly input: string | null
  readonly batch: boolean
}

/** So many URLs are remembered, of so many characters. */
const MAX_URLS = 1000
const MAX_URL = 4000

/**
 * Reads URLs.
 *
 * @param internals of the cache that keeps the whole answers: it must be that of the procedures, or it is told of no invalidation
 * @param paths of public procedures
 * @returns a function of path and query of a URL; it gives `undefined` for what is not only of those procedures
 * @throws Error that names the procedures which can't be answered without running their chain
 */
export function askedReader(
  internals: object,
  router: AnyRouter,
  paths: readonly string[],
  basePath: string,
): (url: string) => Asked | undefined {
  if (!Array.isArray(paths) || paths.length === 0) {
    throw new TypeError(
      `publicQueries needs paths: those of the procedures, such as ['product.byId'], got ${show(paths)}`,
    )
  }
  const problems = paths.map((path) => problemOf(internals, router, path)).filter((problem) => problem !== undefined)
  if (problems.length > 0) throw new Error(`publicQueries:\n${problems.map((problem) => `- ${problem}`).join('\n')}`)
  const known = new Set(paths)
  const base = `/${basePath.replace(/^\/+|\/+$/g, '')}/`.replace('//', '/')
  const { pathSeparator = '.' } = router._def._config as { pathSeparator?: string } // not in every version of tRPC 11
  const read = new LRUCache<string, { readonly asked: Asked | undefined }>({ max: MAX_URLS })

  function parse(url: string): Asked | undefined {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    if (!pathname.startsWith(base)) return undefined
    if ([...searchParams.keys()].some((name) => name !== 'batch' && name !== 'input')) return undefined
    const batch = searchParams.get('batch') === '1'
    const path = decodeURIComponent(pathname.slice(base.length)).split(pathSeparator).join('.')
    const calls = batch ? path.split(',') : [path]
    if (!calls.every((call) => known.has(call))) return undefined
    return { path, calls: calls.length, input: searchParams.get('input'), batch }
  }

  return (url) => {
    const remembered = read.get(url)
    if (remembered !== undefined) return remembered.asked
    let asked: Asked | undefined
    try {
      asked = parse(url)
    } catch {
      asked = undefined // tRPC says what is wrong with it
    }
    if (url.length <= MAX_URL) read.set(url, { asked })
    return asked
  }
}

function problemOf(internals: object, router: AnyRouter, path: string): string | undefined {
  const chain = chainOf(router, path)
  if (chain === undefined) return `${path}: there is no such query`
  const own = publicCacheOf(chain)
  if (own === undefined) return `${path}: it has no cache with \`scope: null\`, and neither key, vary nor enabled`
  if (own.refusers.length > 0)
    return `${path}: before its cache stands ${own.refusers.join(', ')}: an answer without it is not safe`
  if (own.internals !== internals)
    return `${path}: it has another cache: give publicQueries that one, or it is told of no invalidation`
  return undefined
}
