import type { Cache } from '../../core/cache.ts'
import { known, notAsync, show } from '../../core/checks.ts'
import { isShareable } from '../../core/errors.ts'
import { FRESHNESS_OPTIONS, type FreshnessOptions } from '../../core/freshnessOptions.ts'
import type { Internals } from '../../core/internals.ts'
import type { CallOptions, Policy, TagsOption } from '../../core/options.ts'
import { checkScope, type Scope } from '../../core/scope.ts'
import { checkTags } from '../../core/tag.ts'
import { isOfParser, UNKEYED } from './errors.ts'

/** A call as the procedure's builder has it where the middleware stands. */
export interface Call<C = unknown, I = unknown> {
  readonly ctx: C
  /** The parsed input; `undefined` where no `.input()` stands before. */
  readonly input: I
  /** Such as `product.byId`. */
  readonly path: string
}

/** A call that was answered. */
export interface AnsweredCall<C = unknown, I = unknown> extends Call<C, I> {
  /** What the procedure returned. */
  readonly data: unknown
}

/** What is said of the answers of a procedure. */
export interface ProcedureCacheOptions<C = unknown, I = unknown>
  extends Pick<
      CallOptions,
      'leaseTtl' | 'maxFlightTime' | 'waitTimeout' | 'onWaitTimeout' | 'limit' | 'shareError' | 'codec'
    >,
    Omit<FreshnessOptions, 'isNegative'> {
  /**
   * Whose data the answer is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached.
   */
  readonly scope: string | null | ((call: Call<C, I>) => Scope)
  /** How long an answer is fresh: ms, greater than 0, or `Infinity`; of a function also 0. Default: that of the cache, else 60,000. */
  readonly ttl?: number | ((call: AnsweredCall<C, I>) => number) | undefined
  /** For `cache.invalidate({ tags })`, besides `trpc:` and the path, which every answer has. Default: none. */
  readonly tags?: readonly string[] | ((call: AnsweredCall<C, I>) => readonly string[]) | undefined
  /** What stands in the key for the input, as the parts of any key. Default: the input. */
  readonly key?: ((call: Call<C, I>) => unknown) | undefined
  /** What the answer depends on besides input and scope, such as the language. Default: nothing. */
  readonly vary?: ((call: Call<C, I>) => unknown) | undefined
  /** Whether the answer may be kept and told to others. Default: `true`. */
  readonly shouldCache?: boolean | ((call: AnsweredCall<C, I>) => boolean) | undefined
  /** Which answers count as negative, and are fresh for `negativeTtl`. Default: the cache's, else `null` and `undefined`. */
  readonly isNegative?: ((call: AnsweredCall<C, I>) => boolean) | undefined
  /** Whether the cache is asked at all. Default: yes. */
  readonly enabled?: boolean | ((call: Call<C, I>) => boolean) | undefined
}

export interface CachedOptions<C = unknown, I = unknown> extends ProcedureCacheOptions<C, I> {
  readonly cache: Cache
}

/** The options of one procedure, checked. */
export interface Settings {
  readonly scope: Scope | ((call: Call) => Scope)
  readonly key: ((call: Call) => unknown) | undefined
  readonly vary: ((call: Call) => unknown) | undefined
  /** The answer is the same for everybody who asks with the same input. */
  readonly public: boolean
  enabled(call: Call): boolean
  policy(call: Call): Policy
  tags(call: Call): TagsOption
  /** Of an error that is stored: of those that a function makes of an answer there are none. */
  errorTags(call: Call): readonly string[]
}

const WAITING = ['leaseTtl', 'maxFlightTime', 'waitTimeout', 'onWaitTimeout', 'limit', 'shareError', 'codec'] as const
const OF_POLICY: ReadonlySet<string> = new Set([
  ...WAITING,
  ...FRESHNESS_OPTIONS.filter((name) => name !== 'isNegative'),
])

export const PROCEDURE_OPTIONS: ReadonlySet<string> = new Set<keyof ProcedureCacheOptions>([
  'scope',
  'ttl',
  'tags',
  'key',
  'vary',
  'shouldCache',
  'enabled',
  ...WAITING,
  ...(FRESHNESS_OPTIONS as readonly (keyof FreshnessOptions)[]),
])

const CACHE: ReadonlySet<string> = new Set(['cache'])

/**
 * @param who has these options, for messages
 * @throws TypeError or RangeError that names the option, its bound and what was given
 */
export function settingsOf(who: string, options: ProcedureCacheOptions<never, never>, internals: Internals): Settings {
  known(who, options, PROCEDURE_OPTIONS, CACHE)
  if (!('scope' in options)) {
    throw new TypeError(
      `${who} needs scope: a string or a function that says whose data it is, or null for the same for everybody`,
    )
  }
  const {
    scope,
    ttl,
    tags = [],
    key,
    vary,
    shouldCache = true,
    isNegative,
    enabled = true,
  } = options as ProcedureCacheOptions
  if (scope === undefined || scope === '') {
    throw new TypeError(`scope must be a non-empty string, null, or a function that returns one, got ${show(scope)}`)
  }
  checkScope(scope)
  for (const [name, given] of Object.entries({ key, vary })) {
    if (given !== undefined && typeof given !== 'function') {
      throw new TypeError(`${name} must be a function of the call, got ${show(given)}`)
    }
  }
  if (typeof enabled !== 'boolean' && typeof enabled !== 'function') {
    throw new TypeError(`enabled must be true, false or a function of the call, got ${show(enabled)}`)
  }
  if (isNegative !== undefined && typeof isNegative !== 'function') {
    throw new TypeError(`isNegative must be a function of the call, got ${show(isNegative)}`)
  }
  const said = Object.fromEntries(Object.entries(options).filter(([name]) => OF_POLICY.has(name)))
  const checked = internals.policy({
    ...said,
    ...(typeof ttl === 'function' ? {} : { ttl: ttl === undefined ? (internals.policy({}).ttl ?? 60_000) : ttl }),
    ...(typeof tags === 'function' ? {} : { tags }),
    ...(typeof shouldCache === 'function' ? {} : { shouldCache }),
  } as CallOptions<never>)
  const shareError = (error: unknown) =>
    error !== UNKEYED && !isOfParser(error) && isShareable(error) && checked.shareError(error)
  // A stale answer depends on as little of the input as a new one.
  const isOutage = (error: unknown) => error !== UNKEYED && checked.isOutage(error)
  const base = { ...checked, shareError, isOutage }
  const isOfCall = [ttl, shouldCache, isNegative].some((option) => typeof option === 'function')
  const listed = typeof tags === 'function' ? [] : [...tags] // the list is its owner's, who may go on with it
  return {
    scope,
    key,
    vary,
    public: scope === null && key === undefined && vary === undefined && enabled === true,
    enabled(call) {
      const on: unknown = typeof enabled === 'function' ? notAsync('enabled', enabled(call)) : enabled
      if (typeof on === 'boolean') return on
      throw new TypeError(`enabled returned ${show(on)}, not a boolean`)
    },
    policy(call) {
      if (!isOfCall) return base
      return {
        ...base,
        ...(typeof ttl === 'function' ? { ttl: (data: unknown) => ttl({ ...call, data }) } : {}),
        ...(typeof shouldCache === 'function'
          ? { shouldCache: (data: unknown) => shouldCache({ ...call, data }) }
          : {}),
        ...(isNegative === undefined ? {} : { isNegative: (data: unknown) => isNegative({ ...call, data }) }),
      }
    },
    tags(call) {
      const own = procedureTag(call.path)
      if (typeof tags !== 'function') return [own, ...listed]
      return (data) => {
        const said: unknown = notAsync('tags', tags({ ...call, data }))
        checkTags(said) // a text would come apart into its letters
        return [own, ...said]
      }
    },
    errorTags: ({ path }) => [procedureTag(path), ...listed],
  }
}

/** Of all answers of a procedure. */
export function procedureTag(path: string): string {
  return `trpc:${path}`
}
