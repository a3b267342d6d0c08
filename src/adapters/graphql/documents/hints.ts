import {
  type ConstDirectiveNode,
  type GraphQLFieldConfig,
  type GraphQLNamedType,
  type GraphQLSchema,
  isCompositeType,
  isUnionType,
} from 'graphql'
import { show } from '../../../core/checks.ts'
import { type CacheHint, checkHint } from './cacheControl.ts'

/** In place of one that can't be understood. */
const REFUSED: CacheHint = Object.freeze({ maxAge: 0, scope: 'PRIVATE' })

/** What the schema itself says, by coordinate; `errors` are of what can't be understood. */
export function hintsOf(schema: GraphQLSchema): { hints: ReadonlyMap<string, CacheHint>; errors: readonly Error[] } {
  const hints = new Map<string, CacheHint>()
  const errors: Error[] = []
  function add(coordinate: string, ...said: [Parameters<typeof hintOf>[0], Parameters<typeof hintOf>[1]]): void {
    try {
      hints.set(coordinate, hintOf(...said, coordinate))
    } catch (error) {
      errors.push(error as Error)
      hints.set(coordinate, REFUSED)
    }
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isCompositeType(type)) continue
    add(type.name, type, type.extensionASTNodes)
    if (isUnionType(type)) continue
    for (const field of Object.values(type.getFields())) add(`${type.name}.${field.name}`, field, [])
  }
  return { hints, errors }
}

/** What the schema says of a field or type; `coordinate` is for messages. @throws TypeError or RangeError for bad arguments */
function hintOf(
  { astNode, extensions }: Pick<GraphQLNamedType | GraphQLFieldConfig<unknown, unknown>, 'astNode' | 'extensions'>,
  extensionNodes: readonly { readonly directives?: readonly ConstDirectiveNode[] | undefined }[],
  coordinate: string,
): CacheHint {
  const what = `@cacheControl of ${coordinate}`
  const said: unknown = (extensions as { cacheControl?: unknown } | undefined)?.cacheControl
  if (said !== undefined && said !== null && typeof said !== 'object') {
    throw new TypeError(`${what}: extensions.cacheControl must be an object, got ${show(said)}`)
  }
  const hint: Record<string, unknown> = { ...said }
  for (const node of [astNode, ...extensionNodes]) {
    const directive = node?.directives?.find(({ name }) => name.value === 'cacheControl')
    for (const { name, value } of directive?.arguments ?? []) {
      if ('value' in value) hint[name.value] = value.kind === 'IntValue' ? Number(value.value) : value.value
    }
  }
  // As arguments of a directive may be: what is null is not said.
  for (const [name, value] of Object.entries(hint)) if (value === null) delete hint[name]
  checkHint(hint, what, ['maxAge', 'scope', 'inheritMaxAge'])
  return hint
}
