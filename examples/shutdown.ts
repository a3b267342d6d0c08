// A Yoga server that ends in order when it is told to, as in a rolling deployment: no request is lost, no lease waited for.
//   curl localhost:4000/graphql -H 'content-type: application/json' -d '{"query":"{ product(id: 42) }"}'; curl localhost:4000/ready
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { useAtomCache } from 'atomcache/yoga'
import { createSchema, createYoga } from 'graphql-yoga'
import { closeInOrder } from './closeInOrder.js'

const { PORT = '4000', REDIS_URL, DRAIN = '5000' } = process.env

const cache = createCache({ namespace: 'shutdown', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })
const yoga = createYoga({
  schema: createSchema({
    typeDefs: 'type Query { product(id: ID!): String }',
    resolvers: {
      Query: {
        async product(_parent, { id }) {
          console.log(`computing product ${id}`)
          await delay(500)
          return `Product ${id}, ${Math.random()}`
        },
      },
    },
  }),
  plugins: [useAtomCache({ cache, session: () => null })],
})

let ending = false
const server = createServer((request, response) => {
  // What a load balancer asks: whoever ends is sent nothing new.
  if (request.url === '/ready') return response.writeHead(ending ? 503 : 200).end()
  return yoga(request, response)
})
server.listen(PORT, () => console.log('listening on', server.address()))
process.once('SIGTERM', () => {
  ending = true
  return closeInOrder(server, cache, delay(Number(DRAIN))) // then nothing is left that keeps the process
})
