import { createHash } from 'node:crypto'
import {
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
} from 'graphql'
import type { CacheHint, CacheScope } from './cacheControl.ts'
import { hintsOf } from './hints.ts'

/** What the options of a plugin say of types and fields, by schema coordinate: `Product` or `Product.price`. */
export interface RuleOptions {
  readonly ttlPerSchemaCoordinate: Readonly<Record<string, number | undefined>>
  readonly scopePerSchemaCoordinate: Readonly<Record<string, CacheScope | undefined>>
  readonly ignoredTypes: ReadonlySet<string>
  readonly idFields: readonly string[]
  /** All that is named in them, and where. */
  readonly named: readonly { readonly option: string; readonly coordinate: string }[]
  /** A field that returns objects, or is one of the query itself, and of which nothing is said, is never cached. */
  readonly requirePolicy: boolean
}

/** What the options say, which no hint of a resolver replaces. */
export interface Fixed {
  /** ms, 0 for never; `undefined` where nothing is said. */
  readonly ttl: number | undefined
  readonly private: boolean
}

/** What is said of a field: by the options, by `@cacheControl` at it, or, where that is silent, at the type it returns. */
export interface FieldRule {
  /** ms, 0 for never; `undefined` where nothing is said. */
  readonly ttl: number | undefined
  readonly private: boolean
  /** Of the field, by the options alone. */
  readonly fixed: Fixed
  /** `@cacheControl` at the field. What the type of an object says counts only where this is silent. */
  readonly hint: CacheHint
  /** Types that the field may return, with that of an interface. */
  readonly returns: readonly string[]
  /** Of these types, by the options: it counts also where no object of them is there. */
  readonly absent: Fixed
}

/** What is said of the objects of a type: of it, or of what it belongs to. */
export interface TypeRule extends Fixed {
  readonly ignored: boolean
  readonly hint: CacheHint
  /** The field that identifies an object of the type, if it has one. */
  readonly idField: string | undefined
}

/** All that is said of one schema. */
export interface Rules {
  /** `undefined` for a field that the type does not have. */
  field(typeName: string, fieldName: string): FieldRule | undefined
  type(typeName: string): TypeRule
  /** Of all that is said: what another deployment kept under other rules is not read. */
  readonly digest: string
  readonly problems: readonly Problem[]
}

/** What is wrong with the rules. */
export type Problem =
  /** Of a `@cacheControl` of the schema: responses with such a field or type are not cached. */
  | { readonly type: 'hint'; readonly error: Error }
  /** The schema does not have what an option is about. */
  | { readonly type: 'option'; readonly option: string; readonly coordinate: string; readonly error: Error }

const SAYS_NOTHING: Fixed = Object.freeze({ ttl: undefined, private: false })
const SILENT: FieldRule = Object.freeze({
  ...SAYS_NOTHING,
  fixed: SAYS_NOTHING,
  hint: Object.freeze({}),
  returns: Object.freeze([]),
  absent: SAYS_NOTHING,
})
/** All that is said of the types and fields of a schema: by it, and by the options. */
export function rulesOf(schema: GraphQLSchema, options: RuleOptions): Rules {
  const { hints, errors } = hintsOf(schema)
  const types = typeRules(schema, options, hints)
  const fields = fieldRules(schema, options, hints)
  return {
    field: (typeName, fieldName) =>
      fields.get(`${typeName}.${fieldName}`) ?? (fieldName.startsWith('__') ? SILENT : undefined),
    type: (typeName) => types.get(typeName) as TypeRule,
    digest: digestOf(hints, options),
    problems: [...errors.map((error) => ({ type: 'hint', error }) as const), ...unknownOf(schema, options)],
  }
}

type Hints = ReadonlyMap<string, CacheHint>

function typeRules(schema: GraphQLSchema, options: RuleOptions, hints: Hints): ReadonlyMap<string, TypeRule> {
  const rules = new Map<string, TypeRule>()
  const abstract = abstractTypesOf(schema)
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isCompositeType(type)) continue
    const names = [type.name, ...(abstract.get(type.name) ?? [])]
    rules.set(type.name, {
      ...fixedOf(names, options),
      ignored: names.some((name) => options.ignoredTypes.has(name)),
      hint: hints.get(type.name) ?? {},
      idField: isUnionType(type) ? undefined : idFieldOf(type, options.idFields),
    })
  }
  return rules
}

/** By coordinate. */
function fieldRules(schema: GraphQLSchema, options: RuleOptions, hints: Hints): ReadonlyMap<string, FieldRule> {
  const rules = new Map<string, FieldRule>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      rules.set(`${type.name}.${field.name}`, fieldRule(type, field, schema, options, hints))
    }
  }
  const { name: root } = schema.getQueryType() ?? {}
  for (const name of root === undefined ? [] : ['__schema', '__type']) {
    const coordinate = `${root}.${name}`
    // Said to be undefined they are as others.
    const { ttlPerSchemaCoordinate: ttls } = options
    const ttl = coordinate in ttls ? ttls[coordinate] : 0
    rules.set(coordinate, { ...SILENT, ttl, fixed: { ttl, private: false } })
  }
  return rules
}

function fieldRule(type: Fielded, field: Field, schema: GraphQLSchema, options: RuleOptions, hints: Hints): FieldRule {
  const { ttlPerSchemaCoordinate: ttls } = options
  const returned = getNamedType(field.type)
  const composite = isCompositeType(returned)
  const coordinate = `${type.name}.${field.name}`
  const coordinates = [coordinate, ...type.getInterfaces().map(({ name }) => `${name}.${field.name}`)]
  const hint = hints.get(coordinate) ?? {}
  const ofType = (composite && hints.get(returned.name)) || {}
  const returns = composite ? membersOf(returned, schema) : []
  // Where an interface keeps a field for itself, the objects that have it do not give it away.
  const fixed = { ...fixedOf(coordinates, options), ttl: ttls[coordinate] }
  const kept = coordinates.some((one) => hints.get(one)?.scope === 'PRIVATE')
  const scope = hint.scope ?? (kept ? 'PRIVATE' : ofType.scope)
  const inherits = hint.inheritMaxAge === true || (hint.maxAge === undefined && ofType.inheritMaxAge === true)
  const said = fixed.ttl ?? (composite ? ttls[returned.name] : undefined)
  const needsPolicy = (composite && !inherits) || type === schema.getQueryType()
  const unsaid = options.requirePolicy && said === undefined && needsPolicy ? 0 : undefined
  return {
    ttl: least(fixed.ttl, msOf(hint.maxAge ?? ofType.maxAge) ?? unsaid),
    private: fixed.private || scope === 'PRIVATE',
    fixed,
    hint,
    returns,
    absent: fixedOf(returns, options),
  }
}

function fixedOf(
  coordinates: readonly string[],
  { ttlPerSchemaCoordinate, scopePerSchemaCoordinate }: RuleOptions,
): Fixed {
  return {
    ttl: coordinates.map((coordinate) => ttlPerSchemaCoordinate[coordinate]).reduce(least, undefined),
    private: coordinates.some((coordinate) => scopePerSchemaCoordinate[coordinate] === 'PRIVATE'),
  }
}

function unknownOf(schema: GraphQLSchema, { named, idFields }: RuleOptions): readonly Problem[] {
  return named
    .filter(({ option, coordinate }) =>
      option === 'idFields' ? !identify(idFields, schema) : !isThere(coordinate, schema, TYPES_ONLY.has(option)),
    )
    .map(({ option, coordinate }) => {
      const error = new TypeError(`the schema has no ${kindOf(option, coordinate)} ${coordinate}`)
      return { type: 'option', option, coordinate, error }
    })
}

function kindOf(option: string, coordinate: string): string {
  if (option === 'idFields') return 'type with a scalar field'
  return coordinate.includes('.') && !TYPES_ONLY.has(option) ? 'field' : 'object, interface or union'
}

/** Whether there is a type whose objects one of these fields may identify. */
function identify(idFields: readonly string[], schema: GraphQLSchema): boolean {
  return Object.values(schema.getTypeMap()).some(
    (type) => isCompositeType(type) && !isUnionType(type) && idFieldOf(type, idFields) !== undefined,
  )
}

const TYPES_ONLY: ReadonlySet<string> = new Set(['ttlPerType', 'ignoredTypes'])

function isThere(coordinate: string, schema: GraphQLSchema, isType: boolean): boolean {
  const [typeName = '', fieldName] = isType ? [coordinate] : coordinate.split(/\.(.*)/s)
  const type = schema.getType(typeName)
  if (!isCompositeType(type)) return false
  if (fieldName === undefined || fieldName === '__typename') return true
  if (fieldName === '__schema' || fieldName === '__type') return type === schema.getQueryType()
  return !isUnionType(type) && Object.hasOwn(type.getFields(), fieldName)
}

function digestOf(hints: ReadonlyMap<string, CacheHint>, options: RuleOptions): string {
  const { ttlPerSchemaCoordinate, scopePerSchemaCoordinate, ignoredTypes, idFields, requirePolicy } = options
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
  const said = [
    [...hints].filter(([, hint]) => Object.keys(hint).length > 0).map(([name, hint]) => [name, sorted(hint)]),
    sorted(ttlPerSchemaCoordinate),
    sorted(scopePerSchemaCoordinate),
    [...ignoredTypes].sort(),
    idFields,
    requirePolicy,
  ]
  return createHash('sha256').update(JSON.stringify(said)).digest('base64url')
}

/** The lesser of two ttl; `undefined` says nothing. */
export function least(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined) return other
  return other === undefined || one < other ? one : other
}

/** ms of a `maxAge`, which is in seconds. */
export function msOf(maxAge: number | undefined): number | undefined {
  return maxAge === undefined ? undefined : maxAge * 1000
}

type Fielded = GraphQLObjectType | GraphQLInterfaceType
type Field = GraphQLField<unknown, unknown>

/** The names of the types that a field of this type may return, with that of an interface. */
export function membersOf(type: GraphQLNamedType, schema: GraphQLSchema): readonly string[] {
  if (!isAbstractType(type)) return [type.name]
  const possible = schema.getPossibleTypes(type).map(({ name }) => name)
  return isInterfaceType(type) ? [type.name, ...possible] : possible
}

/** By object type: the interfaces and unions that it belongs to. */
function abstractTypesOf(schema: GraphQLSchema): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isAbstractType(type)) continue
    for (const { name } of schema.getPossibleTypes(type)) {
      const names = found.get(name)
      if (names === undefined) found.set(name, [type.name])
      else names.push(type.name)
    }
  }
  return found
}

/** The first of the names that is a field of the type which can be asked for without arguments. */
function idFieldOf(type: Fielded, idFields: readonly string[]): string | undefined {
  const fields = type.getFields()
  return idFields.find((name) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    return field !== undefined && !field.args.some(isRequiredArgument) && !isCompositeType(getNamedType(field.type))
  })
}
