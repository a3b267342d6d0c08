import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isListType,
  isObjectType,
} from 'graphql'
import { membersOf } from './values.ts'

/** What a resolver's value is looked at with. */
export interface EntityReading {
  readonly schema: GraphQLSchema
  /** Of an object the first that it has is its id. */
  readonly idFields: readonly string[]
}

/** Deeper than values are. */
const MAX_DEPTH = 100

/**
 * The entities in a resolver's value as tags, `Product` and `Product:42`: as far as objects have the fields of their type as
 * properties. Of what is null, or an empty list, the types that could be there. An object of an abstract type without
 * `__typename` may be of each of its types.
 */
export function entityTags(value: unknown, type: GraphQLOutputType, { schema, idFields }: EntityReading): Set<string> {
  const tags = new Set<string>()
  /** As which types an object was read: it may be in many places, and in itself. */
  const seen = new Map<object, Set<GraphQLObjectType>>()

  function read(value: unknown, type: GraphQLOutputType, depth: number): void {
    const given = getNullableType(type)
    const members = membersOf(value) ?? []
    if (isListType(given) && members.length > 0) {
      for (const member of members) read(member, given.ofType, depth)
      return
    }
    const named = getNamedType(given)
    if (!isCompositeType(named)) return
    const types = isObjectType(named) ? [named] : schema.getPossibleTypes(named)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      for (const { name } of types) tags.add(name)
      return
    }
    const { __typename: said } = value as { __typename?: unknown }
    const own = isAbstractType(named) ? types.filter(({ name }) => name === said) : types
    for (const type of own.length > 0 ? own : types) readObject(value as Record<string, unknown>, type, depth)
  }

  function readObject(object: Record<string, unknown>, type: GraphQLObjectType, depth: number): void {
    tags.add(type.name)
    const id = idFields.map((name) => object[name]).find((id) => ['string', 'number', 'bigint'].includes(typeof id))
    // Half of a surrogate pair can't be in a tag.
    if (id !== undefined) tags.add(`${type.name}:${id}`.toWellFormed())
    const as = seen.get(object) ?? new Set()
    if (as.has(type) || depth > MAX_DEPTH) return
    seen.set(object, as.add(type))
    for (const field of Object.values(type.getFields())) {
      const value = object[field.name]
      if (typeof value === 'object' && value !== null) read(value, field.type, depth + 1)
    }
  }

  read(value, type, 0)
  return tags
}
