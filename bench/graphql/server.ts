/** One GraphQL server of those that are compared, in a process of its own: it says what CPU time it used. */
import type { RequestListener } from 'node:http'
import { createRedisCache } from '@envelop/response-cache-redis'
import { useResponseCache } from '@graphql-yoga/plugin-response-cache'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { Redis } from 'ioredis'
import { type ContestantCalls, serveContestant } from '../contestant.ts'
import { productOf } from '../products.ts'

// As it is published: run from source it would carry what the loader adds to it.
const { createCache }: typeof import('../../src/index.ts') = await built('index')
const { redisStore }: typeof import('../../src/stores/redis/index.ts') = await built('redis')
const { useAtomCache }: typeof import('../../src/adapters/graphql/yoga.ts') = await built('yoga')

export type Contestant = 'http' | 'hand' | 'hand (buffers)' | 'response-cache' | 'atomcache' | 'atomcache early'

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    type Query { products(first: Int!): [Product!]! }
    type Product { id: ID! name: String! price: Float! inStock: Boolean! rating: Float category: Category! }
    type Category { id: ID! name: String! }
  `,
  resolvers: {
    Query: {
      products: (_: unknown, { first }: { first: number }) => Array.from({ length: first }, (_, i) => productOf(i)),
    },
  },
})

async function listenerOf(contestant: Contestant, redis: Redis, redisUrl: string): Promise<RequestListener> {
  if (contestant === 'http') return rawListener(redis)
  const yoga = createYoga({ schema, logging: false, plugins: [await pluginOf(contestant, redis, redisUrl)] })
  return yoga
}

async function pluginOf(contestant: Contestant, redis: Redis, redisUrl: string): Promise<Plugin> {
  switch (contestant) {
    case 'response-cache':
      return useResponseCache({ session: () => null, ttl: 600_000, cache: createRedisCache({ redis }) }) as Plugin
    case 'atomcache':
    case 'atomcache early': {
      const cache = createCache({ namespace: contestant.replace(' ', '-'), store: redisStore(redisUrl) })
      await cache.ready()
      const early = contestant === 'atomcache early' ? { session: () => null } : undefined
      return useAtomCache({ cache, ttl: 600_000, session: () => null, early })
    }
    default:
      return byHand(contestant, redis)
  }
}

/** The least that a cache in front of Yoga can do. */
function byHand(contestant: Contestant, redis: Redis): Plugin {
  const headers = { 'Content-Type': 'application/json; charset=utf-8' }
  return {
    async onRequest({ request, fetchAPI, endResponse }) {
      JSON.parse(await request.text())
      const body = contestant === 'hand' ? await redis.get('by hand') : await redis.getBuffer('by hand')
      endResponse(new fetchAPI.Response(body as string, { headers }))
    },
  }
}

function built(door: string) {
  return import(new URL(`../../dist/${door}.js`, import.meta.url).href)
}

function rawListener(redis: Redis): RequestListener {
  return (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', async () => {
      JSON.parse(Buffer.concat(parts).toString())
      const body = await redis.getBuffer('by hand')
      response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(body)
    })
  }
}

/** `answer` is what those that have no GraphQL answer with. */
type Given = [contestant: Contestant, redisUrl: string, answer: string]
export type ServerCalls = ContestantCalls<Given>

serveContestant('/graphql', async (...[contestant, redisUrl, answer]: Given) => {
  const redis = new Redis(redisUrl)
  await redis.set('by hand', answer)
  return listenerOf(contestant, redis, redisUrl)
})
