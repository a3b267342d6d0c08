import type { IncomingMessage } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { ApolloServer as ApolloServer4 } from 'apollo-server4'
import { startStandaloneServer as startStandaloneServer4 } from 'apollo-server4/standalone'
import { execute } from 'graphql'
import { cachedExecute } from '../../../src/adapters/graphql/cachedExecute.ts'
import type { HttpServer } from '../http.ts'
import type { ShopContext } from './schema.ts'
import type { Site } from './shop.ts'

/** Of Apollo Server, what a gateway is given to run. */
interface Operation {
  readonly document: Parameters<typeof execute>[0]['document']
  readonly operationName: string | null
  readonly request: { readonly variables?: Record<string, unknown> }
  readonly context: unknown
}

/** A gateway of one schema, whose executor asks the cache. */
function gatewayOf({ cache, schema, session, options }: Site) {
  const run = cachedExecute<ShopContext>({ cache, ttl: 60_000, session, ...options })
  const executor = ({ document, operationName, request, context }: Operation) =>
    run({ schema, document, operationName, variableValues: request.variables, contextValue: context }, execute)
  return {
    load: async () => ({ executor }),
    onSchemaLoadOrUpdate(update: (loaded: { apiSchema: typeof schema; coreSupergraphSdl: string }) => void) {
      update({ apiSchema: schema, coreSupergraphSdl: '' })
      return () => {}
    },
    stop: async () => {},
  }
}

const context = async ({ req }: { req: IncomingMessage }): Promise<ShopContext> => ({
  user: req.headers.authorization,
})
const listen = { port: 0, host: '127.0.0.1' }

export async function serveApollo5(site: Site): Promise<HttpServer> {
  const server = new ApolloServer<ShopContext>({ gateway: gatewayOf(site) })
  const { url } = await startStandaloneServer(server, { context, listen })
  return { url: url.replace(/\/$/, ''), [Symbol.asyncDispose]: () => server.stop() }
}

export async function serveApollo4(site: Site): Promise<HttpServer> {
  const server = new ApolloServer4<ShopContext>({ gateway: gatewayOf(site) })
  const { url } = await startStandaloneServer4(server, { context, listen })
  return { url: url.replace(/\/$/, ''), [Symbol.asyncDispose]: () => server.stop() }
}
