import { createHash } from 'node:crypto'
import type { Execution, ResponseCacheSettings } from './options.ts'
import type { Plan } from './plans.ts'

/**
 * The key of a response: of which schema, to which operation with which variables, for whom. With functions of the user's
 * in it where the options have them; a promise only where those make one.
 */
export function keyOf(
  {
    buildResponseCacheKey,
    getDocumentString,
  }: Pick<ResponseCacheSettings, 'buildResponseCacheKey' | 'getDocumentString'>,
  { digests: [schema, document], operation }: Pick<Plan, 'digests' | 'operation'>,
  args: Execution,
  scope: string | null,
): readonly unknown[] | Promise<readonly unknown[]> {
  const operationName = operation.name?.value ?? null
  const { variableValues } = args
  if (buildResponseCacheKey === undefined) {
    const digest = getDocumentString === undefined ? document : digestOf(getDocumentString(args))
    return ['graphql', schema, digest, operationName, variableValues ?? {}, scope]
  }
  const built = buildResponseCacheKey({
    documentString: getDocumentString === undefined ? document : getDocumentString(args),
    variableValues,
    operationName: args.operationName,
    sessionId: scope,
    context: args.contextValue as Record<string, unknown>,
  })
  const keyed = (own: string) => ['graphql', schema, 'own', own, scope]
  return typeof built === 'string' ? keyed(built) : built.then(keyed)
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
