import { createHash } from 'node:crypto'
import { type OperationDefinitionNode, print } from 'graphql'
import type { Plan } from '../documents/plans.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'

/**
 * The key of a response: of which schema, to which operation with which variables, for whom. With functions of the user's
 * in it where the options have them; a promise only where those make one.
 */
export function keyOf(
  {
    buildResponseCacheKey,
    getDocumentString,
  }: Pick<ResponseCacheSettings, 'buildResponseCacheKey' | 'getDocumentString'>,
  { digests, operation }: Pick<Plan, 'digests' | 'operation'>,
  args: Execution,
  scope: string | null,
): readonly unknown[] | Promise<readonly unknown[]> {
  const operationName = operation.name?.value ?? null
  const variableValues = declared(args.variableValues, operation)
  if (buildResponseCacheKey === undefined) {
    const document = getDocumentString === undefined ? digests[1] : digestOf(getDocumentString(args))
    return operationKey([digests[0], document], operationName, variableValues, scope)
  }
  const built = buildResponseCacheKey({
    documentString: getDocumentString === undefined ? print(args.document) : getDocumentString(args),
    variableValues,
    operationName: args.operationName,
    sessionId: scope,
    context: args.contextValue as Record<string, unknown>,
  })
  const keyed = (own: unknown): readonly unknown[] => {
    if (typeof own === 'string') return ['graphql', digests[0], 'own', own, scope]
    throw new TypeError(`buildResponseCacheKey must give a string, got ${own === null ? 'null' : typeof own}`)
  }
  return typeof built === 'string' ? keyed(built) : Promise.resolve<unknown>(built).then(keyed)
}

/** The variables that the operation has: with others of his own a client could fill the store. */
export function declared(
  given: Execution['variableValues'],
  { variableDefinitions = [] }: Pick<OperationDefinitionNode, 'variableDefinitions'>,
): Execution['variableValues'] {
  if (given === undefined || given === null) return given
  const names = variableDefinitions.map(({ variable }) => variable.name.value)
  if (Object.keys(given).every((name) => names.includes(name))) return given
  return Object.fromEntries(names.filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]]))
}

/** The key where no option says another. */
export function operationKey(
  [schema, document]: Plan['digests'],
  operationName: string | null,
  variables: Execution['variableValues'],
  scope: string | null,
): readonly unknown[] {
  return ['graphql', schema, document, operationName, variables ?? {}, scope]
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
