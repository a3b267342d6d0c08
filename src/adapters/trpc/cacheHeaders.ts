import { known, show } from '../../core/checks.ts'
import { appendCacheStatus, type CacheOutcome } from '../http/cacheStatus.ts'
import { cacheControlOf, type ResponsePolicy, strictest } from '../http/responsePolicy.ts'
import { type CallOutcome, outcomesOf } from './outcomes.ts'

export interface CacheHeadersOptions {
  /**
   * Seconds that HTTP caches may serve an answer without asking again, at most, and never longer than it is stored. They can't
   * be told to forget: an invalidation does not reach them. Default: 0, they ask each time.
   */
  readonly maxAge?: number | undefined
  /** Seconds after those, in which they may serve it while they ask again (RFC 5861 §3). Default: none. */
  readonly staleWhileRevalidate?: number | undefined
  /** Seconds after those, in which they may serve it where the server fails (RFC 5861 §4). Default: none. */
  readonly staleIfError?: number | undefined
  /**
   * Names of request headers that `scope`, `key` and `vary` are made of, in the place of the default: `['Authorization', 'Cookie']`
   * for what has a `max-age`. Without any, answers of procedures with `key` or `vary` have none: HTTP caches can't tell them apart.
   */
  readonly vary?: readonly string[] | undefined
}

/** The part of what `responseMeta` is called with that counts. */
export interface MetaRequest {
  readonly ctx?: unknown
  readonly info?: { readonly calls: readonly { getRawInput(): Promise<unknown> }[] } | undefined
  readonly type: string
  readonly errors: readonly unknown[]
  /** The headers leave before the answers are there: nothing is known of them. */
  readonly eagerGeneration: boolean
}

/** By name: what is written in the place of what is there, and lists, which are added to it. */
export interface MetaHeaders {
  readonly headers?: Record<string, string | string[]>
}

const OPTIONS: ReadonlySet<string> = new Set<keyof CacheHeadersOptions>([
  'maxAge',
  'staleWhileRevalidate',
  'staleIfError',
  'vary',
])

/**
 * A `responseMeta` that says how the calls were answered (`Cache-Status`), for how long HTTP caches may keep that
 * (`Cache-Control`), and how old it is (`Age`): for a batch the strictest of all. Where a call failed, or was answered without
 * the cache, nobody may keep anything. It needs `cacheContext()` in the context; of streams, mutations and what the cache has
 * nothing to do with it says nothing.
 *
 * @throws TypeError or RangeError for bad options
 */
export function cacheHeaders(options: CacheHeadersOptions = {}): (request: MetaRequest) => MetaHeaders {
  known('cacheHeaders', options, OPTIONS)
  const { maxAge = 0, staleWhileRevalidate, staleIfError, vary = ['Authorization', 'Cookie'] } = options
  for (const [name, given] of Object.entries({ maxAge, staleWhileRevalidate, staleIfError })) {
    if (given === undefined || (typeof given === 'number' && given >= 0)) continue
    throw new RangeError(`${name} must be at least 0 (s), got ${show(given)}`)
  }
  if (!Array.isArray(vary) || !vary.every((name) => typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name))) {
    throw new TypeError(`vary must be a list of header names, got ${show(vary)}`)
  }

  const isNamed = options.vary !== undefined && vary.length > 0

  function policyOf({ outcome, public: isPublic, varies, left = 0 }: CallOutcome): ResponsePolicy {
    const isBypass = outcome.type === 'forwarded' && outcome.why === 'bypass'
    if (isBypass || (varies && !isNamed)) return { shared: false, maxAge: undefined, store: !isBypass }
    const allowed = Math.max(0, Math.min(left / 1000, maxAge)) // of what is stale nothing is left
    // Where each use is asked for it harms nobody to keep it; where its time is not known it is better not to.
    return {
      shared: isPublic && (allowed >= 1 || maxAge < 1),
      maxAge: allowed,
      staleWhileRevalidate,
      staleIfError,
      store: true,
    }
  }

  return ({ ctx, info, type, errors, eagerGeneration }) => {
    const { calls = [] } = info ?? {}
    const noted = outcomesOf(ctx) ?? []
    // Not what their procedures have asked for themselves; of several caches in a chain the outer one, which notes last.
    const outcomes = calls.flatMap((one) => noted.findLast(({ call }) => call === one.getRawInput) ?? [])
    if (eagerGeneration || type !== 'query' || outcomes.length === 0) return {}
    const isWhole = outcomes.length === calls.length
    const complete = errors.length === 0 && isWhole
    const policy = strictest(complete ? outcomes.map(policyOf) : [])
    const age = Math.floor(Math.max(...outcomes.map((one) => one.age)) / 1000)
    const isOld = outcomes.some(({ outcome, age }) => outcome.type === 'hit' || age > 0)
    const isFresh = policy.maxAge !== undefined && policy.maxAge >= 1
    // tRPC asks again where it can't write what was answered: `Headers` would be added to those of the first time.
    const headers = {
      'cache-control': cacheControlOf({ ...policy, maxAge: isFresh ? (policy.maxAge ?? 0) + age : 0 }),
      'cache-status': appendCacheStatus(null, isWhole ? worst(outcomes) : NOT_CACHED),
      ...(isOld ? { age: String(age) } : {}),
      ...(isFresh && vary.length > 0 ? { vary: [...vary] } : {}),
    }
    return { headers }
  }
}

/** Of what no cache stands before. */
const NOT_CACHED: CacheOutcome = { type: 'forwarded', why: 'bypass', detail: 'not cached' }

/** What is said of several calls: that of the one for which most was done, or was to be done. */
function worst(outcomes: readonly CallOutcome[]): CacheOutcome {
  const all = outcomes.map(({ outcome }) => outcome)
  const bypass = all.find((one) => one.type === 'forwarded' && one.why === 'bypass')
  const stale = all.find((one) => one.type === 'forwarded' && one.ttl !== undefined && one.ttl < 0)
  return (
    bypass ?? stale ?? all.find(({ type }) => type !== 'hit') ?? all.reduce((a, b) => (ttlOf(a) <= ttlOf(b) ? a : b))
  )
}

function ttlOf(outcome: CacheOutcome): number {
  return outcome.type === 'hit' ? outcome.ttl : Number.POSITIVE_INFINITY
}
