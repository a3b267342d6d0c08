import type { ExecutionResult, GraphQLSchema } from 'graphql'
import { messageOf } from '../../core/errors.ts'
import { internalsOf } from '../../core/internals.ts'
import { type CachedFieldsOptions, checkFlag, fieldsSettings } from './fields/options.ts'
import { countOutcomes, outcomesOf } from './fields/outcomes.ts'
import { withCachedFields } from './fields/schema.ts'
import { whileMaking } from './responses/schemaCheck.ts'
import { isWholeResult } from './results/wholeResult.ts'

export { cachedDirectiveTypeDefs } from './fields/annotations.ts'
export type { CachedField, CachedFieldsOptions, FieldCall, ResolvedField } from './fields/options.ts'
export type { CachedFieldsMetadata, FieldOutcomes } from './fields/outcomes.ts'
export { setCacheHint } from './responses/resolverHints.ts'

export interface CachedFieldsPluginOptions<C = Record<string, unknown>> extends CachedFieldsOptions<C> {
  /** Whether results say in `extensions.cachedFields` where the values of cached fields came from. Default: `false`. */
  readonly includeExtensionMetadata?: boolean | undefined
}

/** A plugin of envelop, and so of GraphQL Yoga, whatever context the others add. */
export interface CachedFieldsPlugin {
  onPluginInit(): void
  onSchemaChange(payload: { readonly schema: unknown; replaceSchema(schema: GraphQLSchema): void }): void
  onExecute?(payload: Executing): ExecutingHooks
}

interface Executing {
  readonly args: { readonly contextValue?: unknown }
}

interface ExecutingHooks {
  onExecuteDone(payload: { readonly result: unknown; setResult(result: ExecutionResult): void }): void
}

/**
 * Caches the values of the fields that say `@cached`, for plain envelop and GraphQL Yoga: their resolvers are run once over all
 * instances. Fields that say nothing are left as they are.
 *
 * It stands in front of what resolvers do: of a field that only some may see, its resolver must not be what refuses the others.
 *
 * @throws TypeError or RangeError for bad options; while the server is made also for a field that can't be cached
 */
export function useCachedFields<C extends object = Record<string, unknown>>(
  options: CachedFieldsPluginOptions<C>,
): CachedFieldsPlugin {
  const settings = fieldsSettings('useCachedFields', options, ['includeExtensionMetadata'])
  const { includeExtensionMetadata = false } = options
  checkFlag('includeExtensionMetadata', includeExtensionMetadata)
  const { events } = internalsOf(options.cache)
  const making = whileMaking()
  /** By the schema that is given. */
  const made = new WeakMap<GraphQLSchema, GraphQLSchema>()

  function schemaFor(schema: GraphQLSchema): GraphQLSchema {
    const known = made.get(schema)
    if (known !== undefined) return known
    let cached = schema
    try {
      cached = withCachedFields(schema, settings)
    } catch (error) {
      if (making.now) throw error
      // Of a schema that comes later, with requests already there.
      events.emit({ type: 'bypass', what: 'every field of a schema', reason: messageOf(error) })
    }
    made.set(schema, cached).set(cached, cached)
    return cached
  }

  return {
    onPluginInit: making.begin,
    onSchemaChange({ schema, replaceSchema }) {
      const cached = schemaFor(schema as GraphQLSchema)
      if (cached !== schema) replaceSchema(cached)
    },
    ...(includeExtensionMetadata ? { onExecute: tellingOutcomes } : {}),
  }
}

function tellingOutcomes({ args }: Executing): ExecutingHooks {
  countOutcomes(args.contextValue)
  return {
    onExecuteDone({ result, setResult }) {
      const cachedFields = outcomesOf(args.contextValue)
      // What comes in parts says nothing: nobody knows yet.
      if (isWholeResult(result)) setResult({ ...result, extensions: { ...result.extensions, cachedFields } })
    },
  }
}

/**
 * A new schema, for any server on graphql-js, in which the values of the fields that say `@cached` are cached: their resolvers are
 * run once over all instances. The given one is left as it is.
 *
 * @throws TypeError or RangeError for bad options, and for fields that can't be cached: it names each
 */
export function applyCachedDirective<C = Record<string, unknown>>(
  schema: GraphQLSchema,
  options: CachedFieldsOptions<C>,
): GraphQLSchema {
  return withCachedFields(schema, fieldsSettings('applyCachedDirective', options))
}
