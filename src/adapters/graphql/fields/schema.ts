import {
  defaultFieldResolver,
  extendSchema,
  type GraphQLField,
  type GraphQLObjectType,
  GraphQLSchema,
  parse,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { internalsOf } from '../../../core/internals.ts'
import { APPLIED, annotationsOf } from './annotations.ts'
import type { FieldsSettings } from './options.ts'
import { type FieldPlan, fieldPlan } from './plan.ts'
import { cachedResolver } from './resolving.ts'

/**
 * A schema like the given one, which is left as it is, in which cached fields ask the cache; the given one where nothing is
 * cached.
 *
 * @throws TypeError that names each field that can't be cached, and why
 */
export function withCachedFields(schema: GraphQLSchema, settings: FieldsSettings): GraphQLSchema {
  const internals = internalsOf(settings.cache)
  const { annotations, problems } = annotationsOf(schema)
  const plans: { readonly type: string; readonly name: string; readonly plan: FieldPlan }[] = []
  const all = [...problems]
  for (const annotation of annotations) {
    const { coordinate, type, field } = annotation
    try {
      plans.push({ type: type.name, name: field.name, plan: fieldPlan(schema, annotation, settings, internals) })
    } catch (error) {
      all.push(`@cached of ${coordinate}: ${(error as Error).message}`)
    }
  }
  if (all.length > 0) throw new TypeError(all.join('\n'))
  if (plans.length === 0) return schema
  const copy = copyOf(schema)
  const refused = new LRUCache<string, true>({ max: MAX_REFUSED, ttl: REFUSED_FOR })
  for (const { type, name, plan } of plans) {
    const field = (copy.getType(type) as GraphQLObjectType).getFields()[name] as GraphQLField<unknown, unknown>
    field.resolve = cachedResolver(field.resolve ?? defaultFieldResolver, plan, settings, internals, refused)
    field.extensions = { ...field.extensions, [APPLIED]: 'atomcache' }
  }
  return copy
}

/** ms that a field is resolved without the cache after a value that was for nobody else. */
const REFUSED_FOR = 10_000
/** So many of them are remembered. */
const MAX_REFUSED = 1000

/** A name that no schema has. */
const ADDED = 'atomcacheCopy'

/** With types of its own: graphql-js copies a schema where it adds something to it; the 16 loses what is said of all of it. */
function copyOf(schema: GraphQLSchema): GraphQLSchema {
  const added = extendSchema(schema, parse(`directive @${ADDED} on FIELD`), { assumeValid: true, assumeValidSDL: true })
  return new GraphQLSchema({
    ...added.toConfig(),
    directives: added.getDirectives().filter(({ name }) => name !== ADDED),
    description: schema.description,
    extensions: schema.extensions,
    extensionASTNodes: schema.extensionASTNodes,
    assumeValid: schema.toConfig().assumeValid,
  })
}
