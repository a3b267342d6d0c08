// The same for Mercurius, by a route of one's own: reply.graphql runs what the cache does not have.
//   curl localhost:4000/graphql -H 'content-type: application/json' -d '{"query":"{ product(id: 42) { name } }"}'
import { createCache } from 'atomcache'
import { cachedExecute } from 'atomcache/graphql'
import { redisStore } from 'atomcache/redis'
import { fastify } from 'fastify'
import { parse } from 'graphql'
import mercurius from 'mercurius'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({
  namespace: 'mercurius',
  store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL),
})
const run = cachedExecute<{ user: string | null }>({ cache, ttl: 60_000, session: ({ user }) => user })

const app = fastify()
app.register(mercurius, {
  routes: false,
  schema: `type Query { product(id: ID!): Product, me: String } type Product { id: ID!, name: String! }
    type Mutation { rename(id: ID!, name: String!): Product }`,
  resolvers: {
    Query: {
      product: (_parent, { id }) => ({ id, name: `Product ${id}, ${Math.random()}` }),
      me: (_parent, _args, context: object & { user?: string }) => context.user,
    },
    Mutation: { rename: (_parent, product) => product },
  },
})
app.post<{ Body: { query: string; variables?: object; operationName?: string } }>('/graphql', (request, reply) => {
  const { query, variables, operationName } = request.body
  // Whatever says who asks: here a header, as a stand-in for real authentication.
  const contextValue = { user: request.headers['x-user']?.toString() ?? null }
  const document = parse(query, { noLocation: true })
  const args = { schema: app.graphql.schema, document, operationName, variableValues: { ...variables }, contextValue }
  return run(args, (args) => reply.graphql(args.document, contextValue, args.variableValues, operationName))
})
app.setErrorHandler((error, _request, reply) => reply.code(400).send({ errors: Object(error).errors ?? [error] }))

console.log('listening on', await app.listen({ port: Number(PORT) }))
