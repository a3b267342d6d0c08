// The same for Apollo Server 4 and 5: a gateway of one schema, whose executor asks the cache.
//   curl localhost:4000 -H 'content-type: application/json' -d '{"query":"{ product(id: 42) { name } }"}'
import type { IncomingMessage } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled'
import { startStandaloneServer } from '@apollo/server/standalone'
import { createCache } from 'atomcache'
import { cachedExecute } from 'atomcache/graphql'
import { redisStore } from 'atomcache/redis'
import { buildSchema, execute } from 'graphql'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({ namespace: 'apollo', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })
const schema = buildSchema(`
  type Query { product(id: ID!): Product, me: String } type Product { id: ID!, name: String! }
  type Mutation { rename(id: ID!, name: String!): Product }
`)
const rootValue = {
  product: ({ id }: { id: string }) => ({ id, name: `Product ${id}, ${Math.random()}` }),
  rename: (product: { id: string; name: string }) => product,
  me: (_args: object, { user }: { user: string | null }) => user,
}
const run = cachedExecute<{ user: string | null }>({ cache, ttl: 60_000, session: ({ user }) => user })
const server = new ApolloServer<{ user: string | null }>({
  plugins: [ApolloServerPluginCacheControlDisabled()], // it knows only of what ran for this request
  gateway: {
    onSchemaLoadOrUpdate: (update) => {
      update({ apiSchema: schema, coreSupergraphSdl: '' })
      return () => {}
    },
    load: async () => ({
      executor: ({ document, operationName, request: { variables: variableValues }, context: contextValue }) =>
        run({ schema, rootValue, document, operationName, variableValues, contextValue }, execute),
    }),
    stop: async () => {},
  },
})
// Whatever says who asks: here a header, as a stand-in for real authentication.
const context = async ({ req }: { req: IncomingMessage }) => ({ user: req.headers['x-user']?.toString() ?? null })
console.log('listening on', await startStandaloneServer(server, { context, listen: { port: Number(PORT) } }))
