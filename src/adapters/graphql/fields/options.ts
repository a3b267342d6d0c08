import type { Cache } from '../../../core/cache.ts'
import { known, show } from '../../../core/checks.ts'
import { FRESHNESS_OPTIONS, type FreshnessOptions } from '../../../core/freshnessOptions.ts'
import { internalsOf } from '../../../core/internals.ts'
import type { CallOptions } from '../../../core/options.ts'
import type { Scope } from '../../../core/scope.ts'
import type { CacheScope } from '../documents/cacheControl.ts'

/**
 * What is said of all cached fields of a schema. `isNegative` is asked for the value that the resolver gave; what the cache has for
 * its default is of other values.
 */
export interface CachedFieldsOptions<C = unknown>
  extends Pick<CallOptions, 'leaseTtl' | 'maxFlightTime' | 'waitTimeout' | 'onWaitTimeout' | 'limit' | 'shareError'>,
    FreshnessOptions {
  readonly cache: Cache
  /**
   * Whose data the value of a field with `scope: PRIVATE` is: a non-empty string (user, tenant, session) is part of its key;
   * for anything else the field is resolved without the cache. Required where there is such a field.
   */
  readonly session?: ((context: C) => Scope) | undefined
  /** The scope of fields that say none. Default: none, and such a field is refused. */
  readonly defaultScope?: CacheScope | undefined
  /** ms that the value of a field is fresh that says no `maxAge`, greater than 0, or `Infinity`. Default: that of the cache, else 60,000. */
  readonly ttl?: number | undefined
  /** Whether fields that do not say it have the entities of their value as tags: `Product` and `Product:42`. Default: `false`. */
  readonly entities?: boolean | undefined
  /** The fields that an entity is identified by: the first that it has. Default: `['id']`. */
  readonly idFields?: readonly string[] | undefined
  /**
   * Whether a field fails whose value can't be kept, such as an instance of a class: for development. Default: `false`, it is
   * resolved without the cache, and said once.
   */
  readonly strict?: boolean | undefined
}

/** A field that is resolved. */
export interface FieldCall<P = unknown, A = Readonly<Record<string, unknown>>, C = unknown> {
  readonly parent: P
  /** With their defaults. */
  readonly args: A
  readonly context: C
}

/** One that was resolved. */
export interface ResolvedField<P = unknown, A = Readonly<Record<string, unknown>>, C = unknown, R = unknown>
  extends FieldCall<P, A, C> {
  readonly result: R
}

/** What code-first schemas say in the `extensions` of a field: `{ cached: { maxAge: 60, scope: 'PUBLIC' } }`. */
export interface CachedField<P = unknown, A = Readonly<Record<string, unknown>>, C = unknown, R = unknown> {
  /** s that the value is fresh, greater than 0, or `Infinity`. Default: `ttl` of the options. */
  readonly maxAge?: number | undefined
  /** s, at least 0, that it is answered at once after that, while one instance resolves it anew. Default: that of the options (ms). */
  readonly staleWhileRevalidate?: number | undefined
  /** s, at least 0, that it is answered after that where the resolver fails, or is too slow. Default: that of the options (ms). */
  readonly staleIfError?: number | undefined
  /** s, at least 0, that a value is fresh that `isNegative` calls one: nothing was found. Default: `negativeTtl` of the options (ms). */
  readonly negativeMaxAge?: number | undefined
  /** Which values count as negative. Default: that of the options, else `null` and `undefined`. */
  readonly isNegative?: ((value: R) => boolean) | undefined
  /** Whether an error of the resolver is hidden behind a stale value. Default: that of the options. */
  readonly isOutage?: ((error: unknown) => boolean) | undefined
  /** `'PUBLIC'`: the same for everybody, also in whether they may see it; `'PRIVATE'`: of a session. Default: `defaultScope`. */
  readonly scope?: CacheScope | undefined
  /** The field that identifies the parent, or a function of the parent that does. Not at fields of `Query`. Default: `id`. */
  readonly parentKey?: string | ((parent: P) => string | number | bigint) | undefined
  /** What of the context the value depends on, such as the language: paths like `user.tenant`, or a function. Default: nothing. */
  readonly vary?: readonly string[] | ((context: C) => unknown) | undefined
  /**
   * For `cache.invalidate({ tags })`, besides `field:Type.name`, which every value has: texts with `{args.id}`, `{parent.id}`,
   * `{result.id}` or `{result[].id}`, or a function. Default: none.
   */
  readonly tags?: readonly string[] | ((field: ResolvedField<P, A, C, R>) => readonly string[]) | undefined
  /** Whether the entities of the value are tags too. Default: `entities` of the options. */
  readonly entities?: boolean | undefined
  /** Makes of a value what can be kept; with `revive`. Default: the value is kept as it is. */
  readonly serialize?: ((value: R) => unknown) | undefined
  /** Makes of that a value again. */
  readonly revive?: ((kept: never) => R) | undefined
}

/** `CachedFieldsOptions`, complete and checked. */
export interface FieldsSettings {
  readonly cache: Cache
  readonly session: ((context: unknown) => Scope) | undefined
  readonly defaultScope: CacheScope | undefined
  /** ms */
  readonly ttl: number
  readonly entities: boolean
  readonly idFields: readonly string[]
  readonly strict: boolean
  readonly isNegative: (value: unknown) => boolean
  readonly policy: CallOptions<never>
}

const OF_POLICY = [
  'leaseTtl',
  'maxFlightTime',
  'waitTimeout',
  'onWaitTimeout',
  'limit',
  'shareError',
  ...(FRESHNESS_OPTIONS as readonly (keyof FreshnessOptions)[]),
] as const

const OPTIONS: ReadonlySet<string> = new Set<keyof CachedFieldsOptions>([
  'cache',
  'session',
  'defaultScope',
  'ttl',
  'entities',
  'idFields',
  'strict',
  ...OF_POLICY,
])

/**
 * @param who has these options, for messages
 * @param own names of options of its own
 * @throws TypeError or RangeError for bad options
 */
export function fieldsSettings(
  who: string,
  options: CachedFieldsOptions<never>,
  own: readonly string[] = [],
): FieldsSettings {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${who} takes options, got ${show(options)}`)
  known(who, options, OPTIONS, new Set(own))
  const { cache, session, defaultScope, ttl, entities = false, idFields = ['id'], strict = false } = options
  if (ttl !== undefined && typeof ttl !== 'number') throw new TypeError(`ttl must be a number of ms, got ${show(ttl)}`)
  if (session !== undefined && typeof session !== 'function') {
    throw new TypeError(`session must be a function of the context that says whose data it is, got ${show(session)}`)
  }
  if (defaultScope !== undefined) checkFieldScope('defaultScope', defaultScope)
  for (const [name, given] of Object.entries({ entities, strict })) checkFlag(name, given)
  if (!Array.isArray(idFields) || !idFields.every((name) => typeof name === 'string' && name !== '')) {
    throw new TypeError(`idFields must be a list of names of fields, got ${show(idFields)}`)
  }
  const internals = internalsOf(cache)
  const policy = Object.fromEntries(OF_POLICY.map((name) => [name, options[name]])) as CallOptions<never>
  // A function that the cache has as its default is of other values.
  const { ttl: usual } = internals.policy({ ...policy, ...(ttl === undefined ? {} : { ttl }) } as CallOptions<never>)
  return {
    cache,
    session: session as FieldsSettings['session'],
    defaultScope,
    ttl: typeof usual === 'number' ? usual : 60_000,
    entities,
    idFields: [...idFields],
    strict,
    isNegative: options.isNegative ?? isNothing,
    policy,
  }
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined
}

/** @throws TypeError */
export function checkFieldScope(name: string, scope: unknown): asserts scope is CacheScope {
  if (scope === 'PUBLIC' || scope === 'PRIVATE') return
  throw new TypeError(`${name} must be 'PUBLIC' or 'PRIVATE', got ${show(scope)}`)
}

/** @throws TypeError */
export function checkFlag(name: string, given: unknown): asserts given is boolean {
  if (typeof given !== 'boolean') throw new TypeError(`${name} must be true or false, got ${show(given)}`)
}
