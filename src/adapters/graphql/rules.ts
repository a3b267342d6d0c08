import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
} from 'graphql'
import { type CacheHint, type CacheScope, hintOf } from './cacheControl.ts'

/** What the options of a plugin say of types and fields, by schema coordinate: `Product` or `Product.price`. */
export interface RuleOptions {
  readonly ttlPerSchemaCoordinate: Readonly<Record<string, number | undefined>>
  readonly scopePerSchemaCoordinate: Readonly<Record<string, CacheScope | undefined>>
  readonly ignoredTypes: ReadonlySet<string>
  readonly idFields: readonly string[]
  /** A field that returns objects, or is one of the query itself, and of which nothing is said, is never cached. */
  readonly requirePolicy: boolean
}

/** What is said of a field: by the options, by `@cacheControl` at it, or, where that is silent, at the type it returns. */
export interface FieldRule {
  /** ms, 0 for never; `undefined` where nothing is said. */
  readonly ttl: number | undefined
  readonly private: boolean
  /** By the options alone, which no hint of a resolver replaces. */
  readonly fixed: { readonly ttl: number | undefined; readonly private: boolean }
  /** `@cacheControl` at the field. What the type of an object says counts only where this is silent. */
  readonly hint: CacheHint
  /** Types that the field may return: its own, and those of a union. */
  readonly returns: readonly string[]
}

/** What is said of the objects of a type. */
export interface TypeRule {
  readonly ttl: number | undefined
  readonly private: boolean
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
}

const SILENT: FieldRule = Object.freeze({
  ttl: undefined,
  private: false,
  fixed: Object.freeze({ ttl: undefined, private: false }),
  hint: Object.freeze({}),
  returns: Object.freeze([]),
})

/** @throws TypeError or RangeError for a `@cacheControl` with bad arguments */
export function rulesOf(schema: GraphQLSchema, options: RuleOptions): Rules {
  const { ttlPerSchemaCoordinate: ttls, scopePerSchemaCoordinate: scopes, requirePolicy } = options
  const types = new Map<string, TypeRule>()
  const fields = new Map<string, FieldRule>()
  const root = schema.getQueryType()

  for (const type of Object.values(schema.getTypeMap())) {
    if (!isCompositeType(type)) continue
    types.set(type.name, {
      ttl: ttls[type.name],
      private: scopes[type.name] === 'PRIVATE',
      ignored: options.ignoredTypes.has(type.name),
      hint: hintOf(type, type.extensionASTNodes, type.name),
      idField: isUnionType(type) ? undefined : idFieldOf(type as GraphQLObjectType, options.idFields),
    })
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`
      const returned = getNamedType(field.type)
      const composite = isCompositeType(returned)
      const hint = hintOf(field, [], coordinate)
      const ofType = (composite && types.get(returned.name)?.hint) || {}
      const fixed = { ttl: ttls[coordinate], private: scopes[coordinate] === 'PRIVATE' }
      const inherits = hint.inheritMaxAge === true || (hint.maxAge === undefined && ofType.inheritMaxAge === true)
      const unsaid = requirePolicy && ((composite && !inherits) || type === root) ? 0 : undefined
      fields.set(coordinate, {
        ttl: least(fixed.ttl, msOf(hint.maxAge ?? ofType.maxAge) ?? (fixed.ttl === undefined ? unsaid : undefined)),
        private: fixed.private || (hint.scope ?? ofType.scope) === 'PRIVATE',
        fixed,
        hint,
        returns: composite ? membersOf(returned) : [],
      })
    }
  }
  if (root) {
    for (const name of ['__schema', '__type']) {
      const ttl = ttls[`${root.name}.${name}`]
      fields.set(`${root.name}.${name}`, { ...SILENT, ttl, fixed: { ttl, private: false } })
    }
  }

  return {
    field: (typeName, fieldName) =>
      fields.get(`${typeName}.${fieldName}`) ?? (fieldName.startsWith('__') ? SILENT : undefined),
    type: (typeName) => types.get(typeName) as TypeRule,
  }
}

/** The lesser of two ttl; `undefined` says nothing. */
export function least(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined) return other
  return other === undefined || one < other ? one : other
}

/** ms of a `maxAge`, which is in seconds. */
export function msOf(maxAge: number | null | undefined): number | undefined {
  return maxAge === undefined || maxAge === null ? undefined : maxAge * 1000
}

function membersOf(type: GraphQLNamedType): readonly string[] {
  return isUnionType(type) ? type.getTypes().map(({ name }) => name) : [type.name]
}

/** The first of the names that is a field of the type which can be asked for without arguments. */
function idFieldOf(type: GraphQLObjectType, idFields: readonly string[]): string | undefined {
  const fields = type.getFields()
  return idFields.find((name) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    return field !== undefined && !field.args.some(isRequiredArgument) && !isCompositeType(getNamedType(field.type))
  })
}
