import { createHash } from 'node:crypto'
import { type OperationDefinitionNode, print } from 'graphql'
import { show } from '../../../core/checks.ts'
import type { Plan } from '../documents/plans.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'

/** What a response is known by. */
export interface ResponseKey {
  /** To be seen. */
  readonly key: readonly unknown[]
  /** Only as a digest: variables, and for whom. */
  readonly secret: readonly unknown[]
}

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
): ResponseKey | Promise<ResponseKey> {
  const operationName = operation.name?.value ?? null
  const variableValues = declared(args.variableValues, variablesOf(operation))
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
  const keyed = (own: unknown): ResponseKey => {
    if (typeof own === 'string') return { key: ['graphql', digests[0], 'own'], secret: [own, scope] }
    throw new TypeError(`buildResponseCacheKey must give a string, got ${show(own)}`)
  }
  return typeof built === 'string' ? keyed(built) : Promise.resolve<unknown>(built).then(keyed)
}

/** The names of the variables that the operation has. */
export function variablesOf({
  variableDefinitions = [],
}: Pick<OperationDefinitionNode, 'variableDefinitions'>): readonly string[] {
  return variableDefinitions.map(({ variable }) => variable.name.value)
}

/** The variables of these names: with others of his own a client could fill the store. */
export function declared(given: Execution['variableValues'], names: readonly string[]): Execution['variableValues'] {
  if (given === undefined || given === null) return given
  // A document may declare as many as it likes.
  const known = names.length > 8 ? new Set(names) : undefined
  if (Object.keys(given).every((name) => known?.has(name) ?? names.includes(name))) return given
  return Object.fromEntries(names.filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]]))
}

/** The key where no option says another. */
export function operationKey(
  [schema, document]: Plan['digests'],
  operationName: string | null,
  variables: Execution['variableValues'],
  scope: string | null,
): ResponseKey {
  return { key: ['graphql', schema, document, operationName], secret: [variables ?? {}, scope] }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
