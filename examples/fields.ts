// The values of single fields, on GraphQL Yoga: the schema says of which, how long and for whom.
//   curl localhost:4000/graphql -H 'content-type: application/json' -d '{"query":"{ product(id: 42) { reviews } }"}'
import { createServer } from 'node:http'
import { createCache } from 'atomcache'
import { cachedDirectiveTypeDefs, useCachedFields } from 'atomcache/directive'
import { redisStore } from 'atomcache/redis'
import { createSchema, createYoga, type YogaInitialContext } from 'graphql-yoga'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({ namespace: 'fields', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })

// Whatever says who asks: here a header, as a stand-in for real authentication.
const context = ({ request }: YogaInitialContext) => ({ user: request.headers.get('x-user') })
type Context = ReturnType<typeof context>

const typeDefs = /* GraphQL */ `
  type Query { product(id: ID!): Product!, me: User! }
  # Reviews are fresh for a minute, and answered for ten more while they are resolved anew.
  type Product { id: ID!, reviews: [String!]! @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC, tags: ["Product:{parent.id}"]) }
  type User { id: ID, orders: [String!]! @cached(maxAge: 60, scope: PRIVATE) }
  type Mutation { review(product: ID!, text: String!): Product! }
`
const resolvers = {
  Query: {
    product: (_: unknown, { id }: { id: string }) => ({ id }),
    me: (_: unknown, __: unknown, { user }: Context) => ({ id: user }),
  },
  Product: { reviews: ({ id }: { id: string }) => [`A review of ${id}, ${Math.random()}`] },
  User: { orders: ({ id }: { id: string }) => [`An order of ${id}, ${Math.random()}`] },
  Mutation: {
    async review(_: unknown, { product }: { product: string }) {
      await cache.invalidate({ tags: [`Product:${product}`] })
      return { id: product }
    },
  },
}
const schema = createSchema<Context>({ typeDefs: [cachedDirectiveTypeDefs, typeDefs], resolvers })
const plugins = [useCachedFields<Context>({ cache, session: ({ user }) => user })]
const server = createServer(createYoga({ schema, context, plugins }))
server.listen(PORT, () => console.log('listening on', server.address()))
