// Whole GraphQL responses, computed once over all instances, per signed-in user.
//   curl localhost:4000/graphql -H 'content-type: application/json' -d '{"query":"{ product(id: 42) { name } }"}'
import { createServer } from 'node:http'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { useAtomCache } from 'atomcache/yoga'
import { createSchema, createYoga } from 'graphql-yoga'

const { PORT = '4000', REDIS_URL } = process.env

const cache = createCache({ namespace: 'yoga', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })

const yoga = createYoga({
  schema: createSchema({
    typeDefs: 'type Query { product(id: ID!): Product, me: String } type Product { id: ID!, name: String! }',
    resolvers: {
      Query: {
        async product(_parent, { id }) {
          console.log(`computing product ${id}`)
          return { id, name: `Product ${id}, ${Math.random()}` }
        },
        me: (_parent, _args, { user }) => user,
      },
    },
  }),
  // Whatever says who asks: here a header, as a stand-in for real authentication.
  context: ({ request }) => ({ user: request.headers.get('x-user') }),
  plugins: [
    useAtomCache<{ user: string | null }>({
      cache,
      ttl: 60_000,
      session: (_request, { user }) => user,
      http: { vary: ['x-user'] }, // what tells sessions apart, for HTTP caches
    }),
  ],
})

const server = createServer(yoga)
server.listen(PORT, () => console.log('listening on', server.address()))
