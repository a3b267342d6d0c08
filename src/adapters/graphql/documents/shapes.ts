import {
  type DocumentNode,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'
import { TYPE_KEY } from './additions.ts'
import { fieldCollector } from './collectFields.ts'
import type { FieldRule, Rules, TypeRule } from './rules.ts'

/** What an object of one type looks like at one place of a response. */
export interface Shape {
  readonly typeName: string
  readonly type: TypeRule
  /** One of the query itself: no entity. */
  readonly root: boolean
  readonly parts: readonly Part[]
  /** The response keys under which its id may stand. */
  readonly idKeys: readonly string[]
  /** The response keys of what the client did not ask for. */
  readonly added: readonly string[]
}

/** What may stand under a response key. */
export interface Part {
  readonly key: string
  readonly rule: FieldRule
  /** Of a field that returns objects. */
  readonly selection: Selection | undefined
}

/** What is selected of the objects that a field returns. */
export interface Selection {
  /** The type of all of them, unless it is an abstract one. */
  readonly typeName: string | undefined
  /** The response key under which it stands where it is an abstract one. */
  readonly typeKey: string
  /** `undefined` for a type that can't be here. */
  shapeOf(typeName: string): Shape | undefined
}

/**
 * The shape of a whole response to the operation. Those of its parts are made when they are first met.
 *
 * @param prefix of the response keys of additions
 */
export function shapeOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  rules: Rules,
  prefix: string,
): Shape | undefined {
  const root = schema.getRootType?.(operation.operation) ?? undefined
  if (!isObjectType(root)) return undefined
  const fieldsOf = fieldCollector(schema, document)

  function shape(type: GraphQLObjectType, sets: readonly SelectionSetNode[], isRoot: boolean): Shape {
    const rule = rules.type(type.name)
    const parts: Part[] = []
    const idKeys: string[] = []
    const added: string[] = []
    for (const [key, nodes] of fieldsOf(type, sets)) {
      const name = nodes[0].name.value
      // An alias of the client's may have arguments, which give another id: ours counts.
      if (name === rule.idField && nodes.every(isPlain)) idKeys.push(key)
      if (key.startsWith(prefix)) {
        added.push(key)
        continue
      }
      const fieldRule = rules.field(type.name, name)
      if (fieldRule === undefined) continue
      const returned = name.startsWith('__') ? undefined : type.getFields()[name]?.type
      const named = returned === undefined ? undefined : getNamedType(returned)
      const below = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
      parts.push({ key, rule: fieldRule, selection: isCompositeType(named) ? selection(named, below) : undefined })
    }
    idKeys.sort((a, b) => Number(b.startsWith(prefix)) - Number(a.startsWith(prefix)))
    return { typeName: type.name, type: rule, root: isRoot, parts, idKeys, added }
  }

  function selection(type: GraphQLCompositeType, sets: readonly SelectionSetNode[]): Selection {
    const shapes = new Map<string, Shape>()
    return {
      typeName: isAbstractType(type) ? undefined : type.name,
      typeKey: prefix + TYPE_KEY,
      shapeOf(typeName) {
        const known = shapes.get(typeName)
        if (known !== undefined) return known
        const own = schema.getType(typeName)
        if (!isObjectType(own)) return undefined
        const made = shape(own, sets, false)
        shapes.set(typeName, made)
        return made
      },
    }
  }

  return shape(root, [operation.selectionSet], true)
}

function isPlain({ arguments: given = [] }: FieldNode): boolean {
  return given.length === 0
}
