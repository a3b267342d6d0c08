import {
  type DocumentNode,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type SelectionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import type { Rules } from './rules.ts'

/**
 * What is selected beside what the client asks for, to know which entities are in a response: under aliases that begin with
 * this, and removed before anybody sees the result.
 */
const PREFIX = '__atomcache'

/** The type of an object whose type the document does not tell. */
export const TYPE_KEY = `${PREFIX}Type`

/** Whether the response key is one of an addition. */
export function isAdded(key: string): boolean {
  return key.startsWith(PREFIX)
}

/** Whether the document has aliases like those of the additions, so that none can be told from them. */
export function usesOurNames(document: DocumentNode): boolean {
  let found = false
  visit(document, {
    Field(node) {
      if (node.alias !== undefined && isAdded(node.alias.value)) found = true
    },
  })
  return found
}

/**
 * The document with the type of each object whose type it does not tell, and the id of each that has one. They stand in the
 * selections of fields, not of fragments: what is deferred, or for some types only, may be missing.
 */
export function withAdditions(document: DocumentNode, schema: GraphQLSchema, rules: Rules): DocumentNode {
  const types = new TypeInfo(schema)
  const visitor = {
    Field: {
      leave(node: FieldNode): FieldNode | undefined {
        const named = getNamedType(types.getType())
        if (!isCompositeType(named) || node.selectionSet === undefined || named.name.startsWith('__')) return undefined
        const added = additionsFor(named, schema, rules, node.selectionSet.selections)
        if (added.length === 0) return undefined
        const selections = [...node.selectionSet.selections, ...added]
        return { ...node, selectionSet: { ...node.selectionSet, selections } }
      },
    },
  }
  return visit(document, visitWithTypeInfo(types, visitor))
}

/** The response key of an added id. */
export function idKeyOf(idField: string): string {
  return `${PREFIX}Id_${idField}`
}

function additionsFor(
  type: GraphQLCompositeType,
  schema: GraphQLSchema,
  rules: Rules,
  selections: readonly SelectionNode[],
): SelectionNode[] {
  if (isObjectType(type)) {
    const { idField } = rules.type(type.name)
    return idField === undefined || isSelected(idField, selections) ? [] : [field(idKeyOf(idField), idField)]
  }
  const added: SelectionNode[] = [field(TYPE_KEY, '__typename')]
  const common = new Set<string>()
  for (const possible of schema.getPossibleTypes(type)) {
    const { idField } = rules.type(possible.name)
    if (idField === undefined || common.has(idField)) continue
    if (isInterfaceType(type) && rules.type(type.name).idField === idField) {
      common.add(idField)
      if (!isSelected(idField, selections)) added.push(field(idKeyOf(idField), idField))
    } else {
      added.push({
        kind: Kind.INLINE_FRAGMENT,
        typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: possible.name } },
        selectionSet: { kind: Kind.SELECTION_SET, selections: [field(idKeyOf(idField), idField)] },
      })
    }
  }
  return added
}

/** Whether the client asks for it as it is, whatever else it asks for. */
function isSelected(fieldName: string, selections: readonly SelectionNode[]): boolean {
  return selections.some(
    (selection) =>
      selection.kind === Kind.FIELD &&
      selection.name.value === fieldName &&
      selection.alias === undefined &&
      (selection.directives ?? []).length === 0,
  )
}

function field(alias: string, name: string): FieldNode {
  return { kind: Kind.FIELD, alias: { kind: Kind.NAME, value: alias }, name: { kind: Kind.NAME, value: name } }
}
