import { fastify } from 'fastify'
import { parse } from 'graphql'
import mercurius from 'mercurius'
import { cachedExecute } from '../../../src/adapters/graphql/cachedExecute.ts'
import type { HttpServer } from '../http.ts'
import type { ShopContext } from './schema.ts'
import type { Site } from './shop.ts'

interface Body {
  readonly query: string
  readonly variables?: Record<string, unknown>
  readonly operationName?: string
}

/** Mercurius behind a route of one's own, as its users have it for what its route does not do. */
export async function serveMercurius({ cache, schema, session, options }: Site): Promise<HttpServer> {
  const run = cachedExecute<ShopContext>({ cache, ttl: 60_000, session, ...options })
  const app = fastify()
  app.register(mercurius, { schema, routes: false })
  app.post<{ Body: Body }>('/graphql', async ({ body, headers }, reply) => {
    const { query, variables, operationName } = body
    const context = { user: headers.authorization }
    const document = parse(query, { noLocation: true })
    return run(
      { schema: app.graphql.schema, document, operationName, variableValues: variables, contextValue: context },
      ({ document }) => reply.graphql(document, context, variables, operationName),
    )
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, [Symbol.asyncDispose]: () => app.close() }
}
