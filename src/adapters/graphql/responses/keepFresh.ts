import { type DocumentNode, type ExecutionArgs, type GraphQLSchema, getOperationAST, parse, validate } from 'graphql'
import type { Cache } from '../../../core/cache.ts'
import { known, show } from '../../../core/checks.ts'
import { internalsOf } from '../../../core/internals.ts'
import type { KeptFresh } from '../../../core/keepFresh.ts'
import { renewing } from './renewal.ts'

/** An operation whose response is kept fresh. */
export interface KeptOperation {
  /** That of the plugin. */
  readonly cache: Cache
  /** The text of a query, as clients send it. */
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>> | undefined
  /** Which of the document's operations, where it has several. */
  readonly operationName?: string | undefined
  /**
   * The context that there is before plugins complete it: in Yoga the server context, and a `request` where something looks at one.
   * Nobody asks, so `session` must say `null` of it. Called for each attempt.
   */
  readonly createContext: () => object | Promise<object>
}

/** An operation of a server that is made of envelop's plugins. */
export interface KeepFreshOptions extends KeptOperation {
  /** What `envelop(…)` returned; of a Yoga server its `getEnveloped`. */
  readonly getEnveloped: (context: never) => Enveloped
}

/** An operation of a server whose executor is replaced. */
export interface KeepFreshExecuteOptions extends KeptOperation {
  readonly schema: GraphQLSchema
  /** Runs what `cachedExecute` returned, with these arguments, as for a request. */
  readonly execute: (args: ExecutionArgs) => unknown
}

/** What runs one operation. */
export interface Enveloped {
  readonly schema: GraphQLSchema
  readonly parse: (text: string) => unknown
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly unknown[] | Promise<readonly unknown[]>
  readonly contextFactory: () => unknown
  readonly execute: (args: ExecutionArgs) => unknown
}

const OPTIONS: ReadonlySet<string> = new Set<keyof KeptOperation>([
  'cache',
  'query',
  'variables',
  'operationName',
  'createContext',
])

/**
 * Keeps the response to an operation fresh, until it is stopped, without any request: it is asked for as a request would, through all
 * plugins of the server, and refreshed before it ends, by one instance at a time of all that keep it. What fails, a result with errors
 * too, is told by a `keepFresh` event, and tried again.
 *
 * @throws TypeError for bad options, and GraphQLError for a query that can't be parsed
 */
export function keepFresh(options: KeepFreshOptions): KeptFresh {
  const { getEnveloped } = options
  return keep(options, 'getEnveloped', (context) => getEnveloped(context as never))
}

/** As `keepFresh`. @throws as that */
export function keepFreshExecuted(options: KeepFreshExecuteOptions): KeptFresh {
  const { schema, execute } = options
  return keep(options, 'execute', (context) => ({ schema, parse, validate, contextFactory: () => context, execute }), [
    'schema',
  ])
}

/** @param needed the name of the function that runs it */
function keep<O extends KeptOperation>(
  options: O,
  needed: keyof O & string,
  enveloped: (context: object) => Enveloped,
  others: readonly string[] = [],
): KeptFresh {
  known('keepFresh', options, OPTIONS, new Set([needed, ...others]))
  const { cache, query, variables = {}, operationName, createContext } = options
  const internals = internalsOf(cache)
  for (const [name, given] of Object.entries({ [needed]: options[needed], createContext })) {
    if (typeof given !== 'function') throw new TypeError(`keepFresh needs ${name}, a function, got ${show(given)}`)
  }
  if (typeof query !== 'string') throw new TypeError(`keepFresh needs query, the text of one, got ${show(query)}`)
  const operation = getOperationAST(parse(query), operationName)
  if (operation?.operation !== 'query') {
    throw new TypeError(`keepFresh is for queries, got ${operation?.operation ?? 'no operation, or several'}`)
  }
  async function run(): Promise<unknown> {
    const { schema, parse, validate, contextFactory, execute } = enveloped(await createContext())
    const document = parse(query) as DocumentNode
    const [error] = await validate(schema, document)
    if (error !== undefined) throw error
    const contextValue = await contextFactory()
    // Of each attempt its own: plugins write into arguments.
    return execute({ schema, document, contextValue, variableValues: { ...variables }, operationName })
  }

  return internals.keep(`query ${operation.name?.value ?? '(anonymous)'}`, (renew) => renewing(cache, renew, run))
}
