import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { envelop, type Plugin, useEngine, useSchema } from '@envelop/core'
import type { ExecutionResult } from 'graphql'
import { useAtomCache } from '../../../src/adapters/graphql/envelop.ts'
import { serveHttp } from '../http.ts'
import type { ShopContext } from './schema.ts'
import type { Site } from './shop.ts'

interface Params {
  readonly query: string
  readonly variables?: Record<string, unknown>
  readonly operationName?: string
}

/** Plain envelop with the few lines of HTTP that it needs. */
export function serveEnvelop({ cache, schema, session, before, after, graphql, options }: Site) {
  const { parse, validate, execute, subscribe, specifiedRules } = graphql
  const getEnveloped = envelop({
    plugins: [
      useEngine({ parse, validate, execute, subscribe, specifiedRules }),
      useSchema(schema),
      ...(before as Plugin[]),
      useAtomCache<Record<string, unknown>>({
        cache,
        ttl: 60_000,
        session: (context) => session(context as unknown as ShopContext),
        ...options,
      }),
      ...(after as Plugin[]),
    ],
  })

  async function answer(request: IncomingMessage): Promise<ExecutionResult> {
    const { query, variables, operationName } = (await json(request)) as Params
    const enveloped = getEnveloped({ user: request.headers.authorization })
    const document = enveloped.parse(query)
    const errors = enveloped.validate(enveloped.schema, document)
    if (errors.length > 0) return { errors }
    return enveloped.execute({
      schema: enveloped.schema,
      document,
      contextValue: await enveloped.contextFactory({}),
      variableValues: variables,
      operationName,
    })
  }

  return serveHttp((request, response) => {
    answer(request).then(
      (result) => write(response, result),
      (error) => response.writeHead(500).end(JSON.stringify({ errors: [{ message: String(error) }] })),
    )
  })
}

/** As Yoga does: `extensions.http` is for the response, not for its body. */
function write(response: ServerResponse, { extensions, ...rest }: ExecutionResult): void {
  const { http, ...shown } = (extensions ?? {}) as { http?: { headers?: Record<string, string> } }
  const body = Object.keys(shown).length === 0 ? rest : { ...rest, extensions: shown }
  response.writeHead(200, { 'content-type': 'application/json', ...http?.headers }).end(JSON.stringify(body))
}
