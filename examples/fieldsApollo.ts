// The same for Apollo Server 4 and 5, and any other server on graphql-js: it is given a schema whose fields ask the cache.
//   curl localhost:4000 -H 'content-type: application/json' -d '{"query":"{ product(id: 42) { name } }"}'
import type { IncomingMessage } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { createCache } from 'atomcache'
import { applyCachedDirective, cachedDirectiveTypeDefs } from 'atomcache/directive'
import { redisStore } from 'atomcache/redis'
import { buildSchema } from 'graphql'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({
  namespace: 'fieldsApollo',
  store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL),
})
const schema = buildSchema(`${cachedDirectiveTypeDefs}
  type Query {
    product(id: ID!): Product @cached(maxAge: 60, scope: PUBLIC, tags: ["Product:{args.id}"])
    me: String @cached(maxAge: 60, scope: PRIVATE)
  }
  type Product { id: ID!, name: String! }
  type Mutation { rename(id: ID!, name: String!): Product }
`)
const rootValue = {
  product: ({ id }: { id: string }) => ({ id, name: `Product ${id}, ${Math.random()}` }),
  me: (_args: object, { user }: Context) => user,
  async rename({ id, name }: { id: string; name: string }) {
    await cache.invalidate({ tags: [`Product:${id}`] })
    return { id, name }
  },
}
const server = new ApolloServer<Context>({
  schema: applyCachedDirective<Context>(schema, { cache, session: ({ user }) => user }),
  rootValue,
})
// Whatever says who asks: here a header, as a stand-in for real authentication.
const context = async ({ req }: { req: IncomingMessage }) => ({ user: req.headers['x-user']?.toString() ?? null })
type Context = Awaited<ReturnType<typeof context>>
console.log('listening on', await startStandaloneServer(server, { context, listen: { port: Number(PORT) } }))
