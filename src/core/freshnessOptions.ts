import { show } from './checks.ts'
import { isOutage } from './errors.ts'

/** How long a value is of use, and what is done about its end; as defaults at `createCache`, or per call. All durations in ms. */
export interface FreshnessOptions<V = unknown> {
  /**
   * After its ttl a value is answered at once for so long, while one instance refreshes it (RFC 5861 §3). ms, at least 0, or
   * `Infinity`. Default: 0.
   */
  staleWhileRevalidate?: number | undefined
  /**
   * After its ttl a value is answered for so long where its loader fails as `isOutage` says (RFC 5861 §4), or takes longer than
   * `softTimeout`. After a failure it is answered at once for a second, and longer with each one that follows, up to a minute.
   * ms, at least 0, or `Infinity`. Default: 0.
   */
  staleIfError?: number | undefined
  /** ms, greater than 0, or `Infinity`: a caller who could have a stale value waits so long for a new one. Default: `Infinity`. */
  softTimeout?: number | undefined
  /**
   * Whether an error of the loader is hidden behind a stale value, where there is one. Default: what is neither an abort nor the
   * caller's own fault: not 4xx but for 408 and 429, nor what says UNAUTHENTICATED, UNAUTHORIZED, FORBIDDEN, NOT_FOUND and the like.
   */
  isOutage?: ((error: unknown) => boolean) | undefined
  /**
   * By up to which part of its ttl an entry ends earlier, by chance: what was made together does not end together. 0 to 1.
   * Default: 0.
   */
  jitter?: number | undefined
  /**
   * Whether values are refreshed before they end, with a chance that grows with the time that their loader takes and with the
   * nearness of the end (XFetch, VLDB 2015). `beta` greater than 1 is earlier; default: 1. Default: `false`.
   */
  earlyRefresh?: boolean | { readonly beta?: number | undefined } | undefined
  /**
   * ms, at least 0, that a result is fresh that `isNegative` calls one: nothing was found. It has no stale windows; 0 is shared, not
   * stored. Default: the `ttl` of all other results.
   */
  negativeTtl?: number | undefined
  /** Which values count as negative. Default: `null` and `undefined`. */
  isNegative?: ((value: V) => boolean) | undefined
  /**
   * ms, at least 0, that an error which may be shared is stored, and told to who asks; or a function of the error. Not where there
   * is a stale value. Default: 0.
   */
  errorTtl?: number | ((error: unknown) => number) | undefined
}

/** `FreshnessOptions`, complete and checked. */
export interface FreshnessPolicy {
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly softTimeout: number
  readonly isOutage: (error: unknown) => boolean
  readonly jitter: number
  /** 0: no early refresh. */
  readonly beta: number
  readonly negativeTtl: number | undefined
  readonly isNegative: (value: unknown) => boolean
  readonly errorTtl: number | ((error: unknown) => number)
  /** Of an adapter: which values are of no use when they are not fresh, nor worth a refresh before. Default: none. */
  readonly neverStale?: (value: unknown) => boolean
  /** Of an adapter, in the place of the rule: whether an error says that what is stale is not to be kept any more. */
  readonly outdates?: (error: unknown) => boolean
}

export const FRESHNESS_OPTIONS: readonly string[] = [
  'staleWhileRevalidate',
  'staleIfError',
  'softTimeout',
  'isOutage',
  'jitter',
  'earlyRefresh',
  'negativeTtl',
  'isNegative',
  'errorTtl',
] satisfies (keyof FreshnessOptions)[]

/** @throws TypeError or RangeError that names the option, its bound and what was given */
export function freshnessPolicy(said: FreshnessOptions<never>): FreshnessPolicy {
  const {
    staleWhileRevalidate = 0,
    staleIfError = 0,
    softTimeout = Number.POSITIVE_INFINITY,
    isOutage: hides = isOutage,
    jitter = 0,
    earlyRefresh = false,
    negativeTtl,
    isNegative = isNothing,
    errorTtl = 0,
  } = said
  for (const [name, given] of Object.entries({ staleWhileRevalidate, staleIfError, negativeTtl })) {
    if (given !== undefined && !isDuration(given))
      throw new RangeError(`${name} must be at least 0 (ms) or Infinity, got ${show(given)}`)
  }
  if (!(typeof softTimeout === 'number' && softTimeout > 0)) {
    throw new RangeError(`softTimeout must be greater than 0 (ms) or Infinity, got ${show(softTimeout)}`)
  }
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter <= 1)) {
    throw new RangeError(`jitter must be a part of the ttl, from 0 to 1, got ${show(jitter)}`)
  }
  if (typeof errorTtl !== 'function' && !isDuration(errorTtl)) {
    throw new RangeError(`errorTtl must be at least 0 (ms), or a function of the error, got ${show(errorTtl)}`)
  }
  for (const [name, given] of Object.entries({ isOutage: hides, isNegative })) {
    if (typeof given !== 'function') throw new TypeError(`${name} must be a function, got ${show(given)}`)
  }
  return {
    staleWhileRevalidate,
    staleIfError,
    softTimeout,
    isOutage: hides,
    jitter,
    beta: betaOf(earlyRefresh),
    negativeTtl,
    // It takes the value of one call; which type that has, only the caller's signature knows.
    isNegative: isNegative as (value: unknown) => boolean,
    errorTtl,
  }
}

function betaOf(given: NonNullable<FreshnessOptions['earlyRefresh']>): number {
  if (typeof given === 'boolean') return given ? 1 : 0
  if (typeof given !== 'object' || given === null || Object.keys(given).some((name) => name !== 'beta')) {
    throw new TypeError(`earlyRefresh must be true, false or { beta }, got ${show(given)}`)
  }
  const { beta = 1 } = given
  if (typeof beta === 'number' && beta > 0 && beta <= MAX_BETA) return beta
  throw new RangeError(`earlyRefresh.beta must be greater than 0, and at most ${MAX_BETA}, got ${show(beta)}`)
}

/** With more every value would be refreshed all the time. */
const MAX_BETA = 1000

function isDuration(given: unknown): boolean {
  return typeof given === 'number' && given >= 0
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined
}
