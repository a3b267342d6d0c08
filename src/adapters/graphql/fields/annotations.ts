import {
  type DirectiveNode,
  type GraphQLDirective,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getDirectiveValues,
  isInterfaceType,
  isObjectType,
  valueFromASTUntyped,
} from 'graphql'
import { show } from '../../../core/checks.ts'
import { type CachedField, checkFieldScope, checkFlag } from './options.ts'

/** A field of a schema of which is said that its value is cached. */
export interface Annotation {
  /** Such as `Product.reviews`. */
  readonly coordinate: string
  readonly type: GraphQLObjectType
  readonly field: GraphQLField<unknown, unknown>
  /** By directive and extensions together; what is null is not said. */
  readonly said: CachedField
}

/** The type definitions of `@cached`. Code-first schemas say the same in the `extensions` of a field: `{ cached: { maxAge: 60 } }`. */
export const cachedDirectiveTypeDefs = /* GraphQL */ `
  enum CachedScope {
    PUBLIC
    PRIVATE
  }

  directive @cached(
    maxAge: Int
    staleWhileRevalidate: Int
    staleIfError: Int
    negativeMaxAge: Int
    scope: CachedScope
    parentKey: String
    vary: [String!]
    tags: [String!]
    entities: Boolean
  ) on FIELD_DEFINITION
`

const NAMES: ReadonlySet<string> = new Set<keyof CachedField>([
  'maxAge',
  'staleWhileRevalidate',
  'staleIfError',
  'negativeMaxAge',
  'isNegative',
  'isOutage',
  'scope',
  'parentKey',
  'vary',
  'tags',
  'entities',
  'serialize',
  'revive',
])

/** In the `extensions` of a field whose resolver asks the cache already: other transformations of the schema keep it. */
export const APPLIED = 'cachedBy'

/** Each field with an annotation, and why the annotations of others are refused. */
export function annotationsOf(schema: GraphQLSchema): {
  readonly annotations: readonly Annotation[]
  readonly problems: readonly string[]
} {
  const annotations: Annotation[] = []
  const problems: string[] = []
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`
      try {
        const said = saidOf(schema, field)
        if (said === undefined || field.extensions?.[APPLIED] !== undefined) continue
        checkPlace(schema, type)
        checkSaid(said)
        annotations.push({ coordinate, type: type as GraphQLObjectType, field, said })
      } catch (error) {
        problems.push(`@cached of ${coordinate}: ${(error as Error).message}`)
      }
    }
  }
  return { annotations, problems }
}

/** What directive and extensions say together; `undefined` where neither says anything. */
function saidOf(
  schema: GraphQLSchema,
  { astNode, extensions }: GraphQLField<unknown, unknown>,
): CachedField | undefined {
  const directives = (astNode?.directives ?? []).filter(({ name }) => name.value === 'cached')
  const said = (extensions as { cached?: unknown } | undefined)?.cached
  if (directives.length === 0 && said === undefined) return undefined
  if (said !== undefined && (typeof said !== 'object' || said === null || Array.isArray(said))) {
    throw new TypeError(`extensions.cached must be an object such as { maxAge: 60 }, got ${show(said)}`)
  }
  const all: Record<string, unknown> = { ...said }
  for (const { name, value } of directives.flatMap((one) => one.arguments ?? [])) {
    if (name.value in all)
      throw new TypeError(`${name.value} is said by the directive and in the extensions: say it once`)
    all[name.value] = valueFromASTUntyped(value)
  }
  for (const directive of directives) {
    for (const [name, value] of Object.entries(defaultsOf(schema, directive, Object.keys(all)))) all[name] = value
  }
  for (const [name, value] of Object.entries(all)) if (value === null || value === undefined) delete all[name]
  return all
}

/** Of the arguments besides those that are said: a schema may have a definition of its own. */
function defaultsOf(schema: GraphQLSchema, directive: DirectiveNode, said: readonly string[]): Record<string, unknown> {
  const definition = schema.getDirective(directive.name.value)
  if (!definition) return {}
  const args = definition.args.filter(({ name }) => !said.includes(name))
  const unsaid = { directives: [{ ...directive, arguments: [] }] }
  return getDirectiveValues({ ...definition, args } as unknown as GraphQLDirective, unsaid) ?? {}
}

function checkPlace(schema: GraphQLSchema, type: GraphQLNamedType): void {
  if (type === schema.getMutationType()) {
    throw new TypeError(
      'what a mutation does must be done each time: leave it out, and give the fields of queries tags',
    )
  }
  if (type === schema.getSubscriptionType()) {
    throw new TypeError('a subscription has events, not a value: leave it out')
  }
  if (isInterfaceType(type)) {
    throw new TypeError(`resolvers are of objects: say it at the types that implement ${type.name}`)
  }
}

function checkSaid(said: CachedField): void {
  for (const name of Object.keys(said)) {
    if (!NAMES.has(name)) throw new TypeError(`there is no ${name}, only ${[...NAMES].join(', ')}`)
  }
  const { maxAge, staleWhileRevalidate, staleIfError, negativeMaxAge } = said
  const { scope, parentKey, vary, tags, entities, isNegative, isOutage, serialize, revive } = said
  if (maxAge !== undefined && !(typeof maxAge === 'number' && maxAge > 0)) {
    throw new RangeError(`maxAge must be greater than 0 (s), got ${show(maxAge)}`)
  }
  for (const [name, given] of Object.entries({ staleWhileRevalidate, staleIfError, negativeMaxAge })) {
    if (given !== undefined && !(typeof given === 'number' && given >= 0)) {
      throw new RangeError(`${name} must be at least 0 (s), got ${show(given)}`)
    }
  }
  if (scope !== undefined) checkFieldScope('scope', scope)
  if (entities !== undefined) checkFlag('entities', entities)
  if (
    parentKey !== undefined &&
    typeof parentKey !== 'function' &&
    (typeof parentKey !== 'string' || parentKey === '')
  ) {
    throw new TypeError(`parentKey must be the name of a field, or a function of the parent, got ${show(parentKey)}`)
  }
  for (const [name, given] of Object.entries({ vary, tags })) {
    const isList = Array.isArray(given) && given.every((one) => typeof one === 'string' && one !== '')
    if (given !== undefined && typeof given !== 'function' && !isList) {
      throw new TypeError(`${name} must be a list of texts that are not empty, or a function, got ${show(given)}`)
    }
  }
  const odd = Array.isArray(vary) ? vary.find((path) => path.split('.').includes('')) : undefined
  if (odd !== undefined) throw new TypeError(`vary must have paths such as user.tenant, got ${show(odd)}`)
  for (const [name, given] of Object.entries({ isNegative, isOutage, serialize, revive })) {
    if (given !== undefined && typeof given !== 'function') {
      throw new TypeError(`${name} must be a function, got ${show(given)}`)
    }
  }
  if ((serialize === undefined) !== (revive === undefined)) {
    throw new TypeError('serialize and revive go together: what one makes of a value the other makes a value again')
  }
}
