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
 * this, and removed before anybody sees the result. No alias of the document does: a client must not be able to keep a
 * mutation from being understood.
 */
export function prefixFor(document: DocumentNode): string {
  const taken = new Set<string>()
  visit(document, {
    Field({ alias }) {
      // Each of them can be in the way of one number only: two prefixes are never the beginning of one alias.
      const number = alias === undefined ? null : OURS.exec(alias.value)
      if (number !== null) taken.add(number[1] ?? '')
    },
  })
  if (taken.size === 0) return PREFIX
  let number = 1
  while (taken.has(String(number))) number++
  return `${PREFIX}${number}_`
}

const OURS = /^__atomcache(?:(\d{1,9})_)?/

const PREFIX = '__atomcache'

/** Behind the prefix: the type of an object whose type the document does not tell. */
export const TYPE_KEY = 'Type'

/**
 * The document with the type of each object whose type it does not tell, and the id of each that has one. They stand in the
 * selections of fields, not of fragments: what is deferred, or for some types only, may be missing.
 *
 * @param prefix of their response keys
 */
export function withAdditions(
  document: DocumentNode,
  schema: GraphQLSchema,
  rules: Rules,
  prefix: string,
): DocumentNode {
  const types = new TypeInfo(schema)
  const visitor = {
    Field: {
      leave(node: FieldNode): FieldNode | undefined {
        const named = getNamedType(types.getType())
        if (!isCompositeType(named) || node.selectionSet === undefined || named.name.startsWith('__')) return undefined
        const added = additionsFor(named, schema, rules, node.selectionSet.selections, prefix)
        if (added.length === 0) return undefined
        const selections = [...node.selectionSet.selections, ...added]
        return { ...node, selectionSet: { ...node.selectionSet, selections } }
      },
    },
  }
  return visit(document, visitWithTypeInfo(types, visitor))
}

function additionsFor(
  type: GraphQLCompositeType,
  schema: GraphQLSchema,
  rules: Rules,
  selections: readonly SelectionNode[],
  prefix: string,
): SelectionNode[] {
  const idOf = (idField: string) => field(`${prefix}Id_${idField}`, idField)
  if (isObjectType(type)) {
    const { idField } = rules.type(type.name)
    return idField === undefined || isSelected(idField, selections) ? [] : [idOf(idField)]
  }
  const added: SelectionNode[] = [field(prefix + TYPE_KEY, '__typename')]
  const common = new Set<string>()
  for (const possible of schema.getPossibleTypes(type)) {
    const { idField } = rules.type(possible.name)
    if (idField === undefined || common.has(idField)) continue
    if (isInterfaceType(type) && rules.type(type.name).idField === idField) {
      common.add(idField)
      if (!isSelected(idField, selections)) added.push(idOf(idField))
    } else {
      added.push({
        kind: Kind.INLINE_FRAGMENT,
        typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: possible.name } },
        selectionSet: { kind: Kind.SELECTION_SET, selections: [idOf(idField)] },
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
      (selection.arguments ?? []).length === 0 &&
      (selection.directives ?? []).length === 0,
  )
}

function field(alias: string, name: string): FieldNode {
  return { kind: Kind.FIELD, alias: { kind: Kind.NAME, value: alias }, name: { kind: Kind.NAME, value: name } }
}
