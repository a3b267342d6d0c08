import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type InlineFragmentNode,
  isAbstractType,
  Kind,
  type SelectionSetNode,
} from 'graphql'

/** The fields that may be in an object of the type, by response key. */
export type CollectFields = (
  type: GraphQLObjectType,
  sets: readonly SelectionSetNode[],
) => ReadonlyMap<string, readonly [FieldNode, ...FieldNode[]]>

/** As the executor does it (GraphQL §6.3.2), but that it leaves out nothing: what is skipped or deferred is just not there. */
export function fieldCollector(schema: GraphQLSchema, document: DocumentNode): CollectFields {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }

  return (type, sets) => {
    const collected = new Map<string, [FieldNode, ...FieldNode[]]>()
    // One for all of them, as in the executor: fragments in fragments would double at each level.
    const visited = new Set<string>()

    function collect({ selections }: SelectionSetNode): void {
      for (const node of selections) {
        if (node.kind === Kind.INLINE_FRAGMENT) {
          collectFragment(node)
        } else if (node.kind === Kind.FRAGMENT_SPREAD) {
          if (visited.has(node.name.value)) continue
          visited.add(node.name.value)
          collectFragment(fragments.get(node.name.value))
        } else {
          const key = (node.alias ?? node.name).value
          const nodes = collected.get(key)
          if (nodes === undefined) collected.set(key, [node])
          else nodes.push(node)
        }
      }
    }

    function collectFragment(fragment: FragmentDefinitionNode | InlineFragmentNode | undefined): void {
      if (fragment !== undefined && applies(fragment.typeCondition?.name.value)) collect(fragment.selectionSet)
    }

    function applies(condition: string | undefined): boolean {
      if (condition === undefined || condition === type.name) return true
      const other = schema.getType(condition)
      return isAbstractType(other) && schema.isSubType(other, type)
    }

    sets.forEach(collect)
    return collected
  }
}
