import type { DocumentNode, ExecutionResult, GraphQLSchema } from 'graphql'
import type { Cache } from '../../../core/cache.ts'
import { known, show } from '../../../core/checks.ts'
import type { CallOptions } from '../../../core/options.ts'
import type { CacheScope } from '../documents/cacheControl.ts'
import { least, type RuleOptions } from '../documents/rules.ts'

/** What an executor is given; the part of graphql-js' arguments that responses depend on. */
export interface Execution {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly contextValue?: unknown
  readonly operationName?: string | null | undefined
  readonly variableValues?: { readonly [variable: string]: unknown } | null | undefined
}

/**
 * How long a response is of use, how long is waited for it, and how many operations run at once: as the cache has it, whose options
 * are the defaults. Durations in ms.
 */
export type ResponseFreshness = {
  readonly [O in (typeof FRESHNESS)[number]]?: CallOptions[O]
}

const FRESHNESS = [
  ...(['staleWhileRevalidate', 'staleIfError', 'softTimeout', 'jitter', 'earlyRefresh'] as const),
  ...(['leaseTtl', 'maxFlightTime', 'waitTimeout', 'onWaitTimeout', 'limit'] as const),
] as const

/** What all plugins for whole responses are told; names and meanings are those of @envelop/response-cache. */
export interface ResponseCacheOptions<C = Record<string, unknown>> extends ResponseFreshness {
  readonly cache: Cache
  /** ms that a response is kept of which nothing else is said; 0 for never. Default: that of the cache, else 60,000. */
  readonly ttl?: number | undefined
  /**
   * ms for responses that have the field (`Query.rates`) in their document, or an object of the type (`Rate`) in their
   * result: the least of all counts, in place of `ttl`. 0 is never. `Query.__schema` and `Query.__type` are 0 unless said.
   */
  readonly ttlPerSchemaCoordinate?: Readonly<Record<string, number | undefined>> | undefined
  /** As `ttlPerSchemaCoordinate`, for types. */
  readonly ttlPerType?: Readonly<Record<string, number | undefined>> | undefined
  /** What is `PRIVATE` is kept only for a session: with `session: null` such a response is neither stored nor shared. */
  readonly scopePerSchemaCoordinate?: Readonly<Record<string, CacheScope | undefined>> | undefined
  /** Responses with an object of one of these types are not cached. */
  readonly ignoredTypes?: readonly string[] | undefined
  /** Names of fields that identify an object; the first that a type has counts. `[]`: types only. Default: `['id']`. */
  readonly idFields?: readonly string[] | undefined
  /** Whether what a mutation returns invalidates the responses that have it. Default: `true`. */
  readonly invalidateViaMutation?: boolean | undefined
  /** When that could not be confirmed in time: answer, and try again until it is (`'retry'`), or an error too (`'throw'`). Default: `'retry'`. */
  readonly onInvalidateError?: 'retry' | 'throw' | undefined
  /** As Apollo Server has it: what `@cacheControl` says nothing of is not cached. Default: `false`. */
  readonly requirePolicy?: boolean | undefined
  /** In place of the document, operation name and variables; schema and session are always part of the key besides. */
  readonly buildResponseCacheKey?: BuildResponseCacheKey<C> | undefined
  /** The text of the document for the key. Default: as graphql-js prints it. */
  readonly getDocumentString?: ((execution: Execution) => string) | undefined
  /** Whether a result may be stored, besides all else. A result with errors is stored only where this is given, and says so. */
  readonly shouldCacheResult?:
    | ((params: { readonly cacheKey: string; readonly result: ExecutionResult }) => boolean)
    | undefined
  /** ms in place of what was computed; 0 is never. */
  readonly onTtl?: ((params: { readonly ttl: number; readonly context: C }) => number) | undefined
  /** `extensions.responseCache` on results. Default: whether `NODE_ENV` is `development`. */
  readonly includeExtensionMetadata?: boolean | undefined
}

export type BuildResponseCacheKey<C> = (params: {
  readonly documentString: string
  readonly variableValues: Execution['variableValues']
  readonly operationName: string | null | undefined
  readonly sessionId: string | null
  readonly context: C
}) => string | Promise<string>

/** The options, checked and complete. */
export type ResponseCacheSettings = Required<
  Pick<ResponseCacheOptions, 'invalidateViaMutation' | 'onInvalidateError' | 'includeExtensionMetadata'>
> &
  Pick<ResponseCacheOptions, 'ttl' | 'buildResponseCacheKey' | 'getDocumentString' | 'shouldCacheResult' | 'onTtl'> & {
    readonly rules: RuleOptions
    /** Those that were said; the cache checks them. */
    readonly freshness: ResponseFreshness
  }

const OPTIONS: ReadonlySet<string> = new Set<keyof ResponseCacheOptions>([
  'cache',
  'ttl',
  'ttlPerSchemaCoordinate',
  'ttlPerType',
  'scopePerSchemaCoordinate',
  'ignoredTypes',
  'idFields',
  'invalidateViaMutation',
  'onInvalidateError',
  'requirePolicy',
  'buildResponseCacheKey',
  'getDocumentString',
  'shouldCacheResult',
  'onTtl',
  'includeExtensionMetadata',
  ...FRESHNESS,
])

/**
 * @param who has these options, for messages
 * @param own names of options of the plugin's own
 * @throws TypeError or RangeError that names the option, its bound and what was given
 */
export function responseCacheSettings(
  who: string,
  options: ResponseCacheOptions<never>,
  own: readonly string[],
): ResponseCacheSettings {
  known(who, options ?? {}, new Set(own), OPTIONS)
  if (typeof (options as { session?: unknown } | undefined)?.session !== 'function') {
    throw new TypeError(
      `${who} needs session: a function that returns whose data a response is, or null for the same for everybody`,
    )
  }
  const {
    ttl,
    invalidateViaMutation = true,
    onInvalidateError = 'retry',
    includeExtensionMetadata = process.env.NODE_ENV === 'development',
    buildResponseCacheKey,
    getDocumentString,
    shouldCacheResult,
    onTtl,
  } = options as ResponseCacheOptions
  if (ttl !== undefined && !isTtl(ttl)) {
    throw new RangeError(`ttl must be at least 0 (ms; 0 is never), or Infinity, got ${show(ttl)}`)
  }
  flag('invalidateViaMutation', invalidateViaMutation)
  flag('includeExtensionMetadata', includeExtensionMetadata)
  if (onInvalidateError !== 'retry' && onInvalidateError !== 'throw') {
    throw new TypeError(`onInvalidateError must be 'retry' or 'throw', got ${show(onInvalidateError)}`)
  }
  const { enabled } = options as { enabled?: unknown }
  const functions = { enabled, buildResponseCacheKey, getDocumentString, shouldCacheResult, onTtl }
  for (const [name, given] of Object.entries(functions)) {
    if (given === undefined || typeof given === 'function') continue
    throw new TypeError(`${name} must be a function, got ${show(given)}`)
  }
  return {
    ttl,
    invalidateViaMutation,
    onInvalidateError,
    includeExtensionMetadata,
    buildResponseCacheKey,
    getDocumentString,
    shouldCacheResult,
    onTtl,
    rules: ruleOptions(options),
    freshness: Object.fromEntries(FRESHNESS.map((name) => [name, (options as ResponseCacheOptions)[name]])),
  }
}

/** What the options say of types and fields. @throws TypeError or RangeError as above */
export function ruleOptions({
  ttlPerSchemaCoordinate = {},
  ttlPerType = {},
  scopePerSchemaCoordinate = {},
  ignoredTypes = [],
  idFields,
  requirePolicy = false,
}: ResponseCacheOptions<never>): RuleOptions {
  list('ignoredTypes', ignoredTypes)
  if (idFields !== undefined) list('idFields', idFields)
  flag('requirePolicy', requirePolicy)
  const named: RuleOptions['named'][number][] = ignoredTypes.map((coordinate) => ({
    option: 'ignoredTypes',
    coordinate,
  }))
  const ttls: Record<string, number | undefined> = Object.create(null)
  for (const [name, given] of Object.entries({ ttlPerSchemaCoordinate, ttlPerType })) {
    for (const [coordinate, ttl] of entriesOf(name, given)) {
      if (ttl !== undefined && !isTtl(ttl)) {
        throw new RangeError(`${name}: ${coordinate} must be at least 0 (ms; 0 is never), got ${show(ttl)}`)
      }
      ttls[coordinate] = least(ttls[coordinate], ttl)
      named.push({ option: name, coordinate })
    }
  }
  const scopes: Record<string, CacheScope | undefined> = Object.create(null)
  for (const [coordinate, scope] of entriesOf('scopePerSchemaCoordinate', scopePerSchemaCoordinate)) {
    if (scope !== undefined && scope !== 'PUBLIC' && scope !== 'PRIVATE') {
      throw new TypeError(`scopePerSchemaCoordinate: ${coordinate} must be 'PUBLIC' or 'PRIVATE', got ${show(scope)}`)
    }
    scopes[coordinate] = scope
    named.push({ option: 'scopePerSchemaCoordinate', coordinate })
  }
  // One list may be for several schemas: it is wrong only where it fits nothing.
  if (idFields !== undefined && idFields.length > 0)
    named.push({ option: 'idFields', coordinate: idFields.join(' or ') })
  return {
    ttlPerSchemaCoordinate: ttls,
    scopePerSchemaCoordinate: scopes,
    ignoredTypes: new Set(ignoredTypes),
    idFields: [...(idFields ?? ['id'])],
    named,
    requirePolicy,
  }
}

function isTtl(given: unknown): given is number {
  return typeof given === 'number' && given >= 0
}

function entriesOf<V>(name: string, given: Readonly<Record<string, V>>): [string, V][] {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return Object.entries(given)
  throw new TypeError(`${name} must be an object, by schema coordinate, got ${show(given)}`)
}

function list(name: string, given: unknown): void {
  if (Array.isArray(given) && given.every((one) => typeof one === 'string' && one !== '')) return
  throw new TypeError(`${name} must be a list of names, got ${show(given)}`)
}

function flag(name: string, given: unknown): void {
  if (typeof given !== 'boolean') throw new TypeError(`${name} must be true or false, got ${show(given)}`)
}
