import { atLeast, known, show } from './checks.ts'
import type { Codec } from './codec.ts'
import { isShareable } from './errors.ts'
import { FRESHNESS_OPTIONS, type FreshnessOptions, type FreshnessPolicy, freshnessPolicy } from './freshnessOptions.ts'
import { checkLimit, type Limit } from './limit.ts'
import { checkTags } from './tag.ts'

/** How a value is computed, kept and waited for; as defaults at `createCache`, or per call. */
export interface CallOptions<V = unknown> extends FreshnessOptions<V> {
  /**
   * How long an entry is fresh: ms, greater than 0, or `Infinity`; or a function of the value, whose result may also
   * be 0: shared with those who wait, not stored. There is no default: say it at `createCache` or at the call.
   */
  ttl?: number | ((value: V) => number) | undefined
  /**
   * What the value is made of, for `invalidate({ tags })`: strings, or a function of the value that returns them.
   * Default: none.
   */
  tags?: readonly string[] | ((value: V) => readonly string[]) | undefined
  /** Whether the value may be stored and shared with other instances. Default: `true`. */
  shouldCache?: boolean | ((value: V) => boolean) | undefined
  /**
   * ms, at least 100. A leader that does not renew for so long (killed, paused, event loop blocked) is fenced and
   * another instance takes over. Default: 5,000.
   */
  leaseTtl?: number | undefined
  /** ms, from `leaseTtl` to below one day. A loader that runs longer loses its lease. Default: 10 × `leaseTtl`. */
  maxFlightTime?: number | undefined
  /** ms, greater than 0, or `Infinity`: how long a caller waits for a value that another computes. Default: 2 × `maxFlightTime`. */
  waitTimeout?: number | undefined
  /**
   * What a caller does after `waitTimeout`: run its own loader (`'load'`), take a value that is within `staleIfError` and load only
   * where there is none (`'stale'`), or throw a `WaitTimeoutError` (`'throw'`). Default: `'load'`.
   */
  onWaitTimeout?: 'load' | 'stale' | 'throw' | undefined
  /**
   * At most `leaders` loaders of the group run at once, over all instances: `{ group, leaders }`. The others wait in order, and are
   * answered from what is stale where there is something within `staleIfError`. The wait is no part of `maxFlightTime`, but of
   * `waitTimeout`; who loads after that does so beside the limit. `false`: none, also where the cache has one. Default: `false`.
   */
  limit?: Limit | false | undefined
  /**
   * Whether an error of the loader may be told to those who wait in other instances; otherwise they run their own.
   * Default: everything but aborts and what says 401, 403, UNAUTHENTICATED, UNAUTHORIZED or FORBIDDEN.
   */
  shareError?: ((error: unknown) => boolean) | undefined
  /** How values become bytes. Default: JSON for plain data, a rich text for Date, Map, Set, BigInt, `undefined`, … */
  codec?: Codec | undefined
}

/** Said at one call only. */
export interface RequestOptions {
  /** Ends the wait of this caller, and of no other. */
  signal?: AbortSignal | undefined
  /**
   * Compute anew: what is stored is not good enough, nor what this instance reads for others. A computation that is
   * under way, here or in another instance, is; who needs one that begins after the call invalidates first.
   */
  forceRefresh?: boolean | undefined
}

/** `CallOptions`, complete and checked. */
export interface Policy extends FreshnessPolicy {
  /** What it was made of: a default that derives from another option is derived anew where a call says that other one. */
  readonly said: CallOptions<never>
  readonly ttl: number | ((value: unknown) => number) | undefined
  readonly tags: TagsOption
  readonly shouldCache: boolean | ((value: unknown) => boolean)
  readonly leaseTtl: number
  readonly maxFlightTime: number
  readonly waitTimeout: number
  readonly onWaitTimeout: 'load' | 'stale' | 'throw'
  readonly limit: Limit | undefined
  readonly shareError: (error: unknown) => boolean
  readonly codec: Codec | undefined
}

/** The tags of a value, or what gives them. */
export type TagsOption = readonly string[] | ((value: unknown) => readonly string[])

const NO_TAGS: readonly string[] = Object.freeze([])

export const DAY = 24 * 60 * 60 * 1000

export const CALL_OPTIONS: ReadonlySet<string> = new Set([
  'ttl',
  'tags',
  'shouldCache',
  'leaseTtl',
  'maxFlightTime',
  'waitTimeout',
  'onWaitTimeout',
  'limit',
  'shareError',
  'codec',
  ...FRESHNESS_OPTIONS,
])

const OF_SET = [
  'ttl',
  'tags',
  'codec',
  'staleWhileRevalidate',
  'staleIfError',
  'jitter',
  'negativeTtl',
  'isNegative',
] as const

/** What of a call counts for a value that is there already. */
export type SetOptions<V = unknown> = Pick<CallOptions<V>, (typeof OF_SET)[number]>

const SET_OPTIONS: ReadonlySet<string> = new Set(OF_SET)

/** Those of the options that `set` takes, but for the tags. */
export function ofSet<V>(options: Omit<CallOptions<V>, 'tags'>): Omit<SetOptions<V>, 'tags'> {
  const { ttl, codec, staleWhileRevalidate, staleIfError, jitter, negativeTtl, isNegative } = options
  return { ttl, codec, staleWhileRevalidate, staleIfError, jitter, negativeTtl, isNegative }
}

const REQUEST_OPTIONS: ReadonlySet<string> = new Set(['signal', 'forceRefresh'])

/** What has call options, if not all of them, or not those of one request. */
const OPTIONS_OF = {
  set: SET_OPTIONS,
  publish: new Set([...SET_OPTIONS, 'shouldCache', 'earlyRefresh']),
  wrap: CALL_OPTIONS,
  keepFresh: CALL_OPTIONS,
}

export type Where = keyof typeof OPTIONS_OF | 'a call'

/**
 * @param where what has the options, if not all are its
 * @throws TypeError or RangeError that names the option, its bound and what was given
 */
export function resolveCall(
  defaults: Policy,
  options: CallOptions<never> & RequestOptions,
  where: Where = 'a call',
): Policy {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, got ${show(options)}`)
  if (where === 'a call') known(where, options, CALL_OPTIONS, REQUEST_OPTIONS)
  else known(where, options, OPTIONS_OF[where])
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, got ${show(options.signal)}`)
  }
  if (options.forceRefresh !== undefined && typeof options.forceRefresh !== 'boolean') {
    throw new TypeError(`forceRefresh must be true or false, got ${show(options.forceRefresh)}`)
  }
  return resolvePolicy({ ...defaults.said, ...defined(options) })
}

/** @throws TypeError or RangeError that names the option, its bound and what was given */
export function resolvePolicy(said: CallOptions<never>): Policy {
  const { ttl, tags = NO_TAGS, shouldCache = true, onWaitTimeout = 'load', shareError = isShareable, codec } = said
  if (ttl !== undefined && typeof ttl !== 'function' && !(typeof ttl === 'number' && ttl > 0)) {
    throw new RangeError(`ttl must be greater than 0 (ms), Infinity, or a function of the value, got ${show(ttl)}`)
  }
  if (typeof tags !== 'function') checkTags(tags)
  if (typeof shouldCache !== 'boolean' && typeof shouldCache !== 'function') {
    throw new TypeError(`shouldCache must be a boolean or a function of the value, got ${show(shouldCache)}`)
  }
  const leaseTtl = atLeast('leaseTtl', 100, said.leaseTtl ?? 5000, 'ms')
  const maxFlightTime = said.maxFlightTime ?? Math.min(10 * leaseTtl, DAY - 1)
  if (!(typeof maxFlightTime === 'number' && maxFlightTime >= leaseTtl && maxFlightTime < DAY)) {
    throw new RangeError(
      `maxFlightTime must be at least leaseTtl (${leaseTtl} ms) and below one day (${DAY} ms), got ${show(maxFlightTime)}`,
    )
  }
  // The longest flight of a leader that hangs, and that of whoever takes over from it.
  const waitTimeout = said.waitTimeout ?? 2 * maxFlightTime
  if (!(typeof waitTimeout === 'number' && waitTimeout > 0)) {
    throw new RangeError(`waitTimeout must be greater than 0 (ms) or Infinity, got ${show(waitTimeout)}`)
  }
  if (onWaitTimeout !== 'load' && onWaitTimeout !== 'stale' && onWaitTimeout !== 'throw') {
    throw new RangeError(`onWaitTimeout must be 'load', 'stale' or 'throw', got ${show(onWaitTimeout)}`)
  }
  if (typeof shareError !== 'function') {
    throw new TypeError(`shareError must be a function of the error, got ${show(shareError)}`)
  }
  if (codec !== undefined) checkCodec(codec)
  const limit = said.limit === undefined || said.limit === false ? undefined : checkLimit(said.limit)
  const waiting = { leaseTtl, maxFlightTime, waitTimeout, onWaitTimeout, limit }
  const policy = { said, ttl, tags, shouldCache, ...waiting, shareError, codec, ...freshnessPolicy(said) }
  // The functions take the value of one call; which type that has, only the caller's signature knows.
  return Object.freeze(policy as Policy)
}

/** The call options that were said: `{ ttl: undefined }` says nothing. */
export function defined(options: CallOptions<never>): CallOptions<never> {
  const said: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    // A list is its owner's, who may go on with it while the loader runs.
    if (value !== undefined && CALL_OPTIONS.has(name)) said[name] = Array.isArray(value) ? [...value] : value
  }
  return said
}

function checkCodec(codec: Codec): void {
  const { id, encode, decode } = (codec ?? {}) as Partial<Codec>
  const named = typeof id === 'string' && /^[a-z0-9._-]{1,32}$/.test(id)
  if (typeof encode !== 'function' || typeof decode !== 'function' || !named) {
    throw new TypeError(
      `codec must be { id, encode, decode } with an id of 1 to 32 characters of a-z, 0-9, '.', '_' and '-', got ${show(codec)}`,
    )
  }
  if (codec.id === 'json' || codec.id === 'rich' || codec.id === 'error') {
    throw new RangeError(`codec.id '${codec.id}' is taken by a built-in codec: choose another`)
  }
}
