/** One GraphQL server of those that are compared, in a process of its own: it says what CPU time it used. */
import type { RequestListener } from 'node:http'
import { useResponseCache as useEnvelopCache } from '@envelop/response-cache'
import { createRedisCache } from '@envelop/response-cache-redis'
import { useResponseCache as usePluginCache } from '@graphql-yoga/plugin-response-cache'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { Redis as Redis5 } from 'ioredis'
import { Redis } from 'ioredis6'
import { built } from '../built.ts'
import { onceAtATime } from '../caches/onceAtATime.ts'
import { serveContestant } from '../http/contestant.ts'
import { productsOf } from '../products.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')
const { useAtomCache } = await built<typeof import('../../src/adapters/graphql/yoga.ts')>('yoga')

/** The least that can be done, this package, and those that cache responses too. */
export type Contestant =
  | 'node:http and GET'
  | 'Yoga and GET by hand'
  | 'Yoga and GET by hand, de-duplicated'
  | `atomcache${'' | ' early'}${'' | ', memory'}`
  | `${'plugin-response-cache' | 'envelop response-cache'}, ${'Redis' | 'memory'}`

const TTL = 600_000
const session = () => null

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    type Query { products(first: Int!): [Product!]! }
    type Product { id: ID! name: String! price: Float! inStock: Boolean! rating: Float category: Category! }
    type Category { id: ID! name: String! }
  `,
  resolvers: {
    Query: {
      products: (_: unknown, { first }: { first: number }) => productsOf(first),
    },
  },
})

async function listenerOf(contestant: Contestant, redis: Redis, redisUrl: string): Promise<RequestListener> {
  if (contestant === 'node:http and GET') return rawListener(redis)
  const yoga = createYoga({ schema, logging: false, plugins: [await pluginOf(contestant, redis, redisUrl)] })
  return yoga
}

async function pluginOf(
  contestant: Exclude<Contestant, 'node:http and GET'>,
  redis: Redis,
  redisUrl: string,
): Promise<Plugin> {
  switch (contestant) {
    case 'plugin-response-cache, Redis':
      return usePluginCache({ session, ttl: TTL, cache: createRedisCache({ redis: new Redis5(redisUrl) }) }) as Plugin
    case 'plugin-response-cache, memory':
      return usePluginCache({ session, ttl: TTL }) as Plugin
    case 'envelop response-cache, Redis':
      return useEnvelopCache({ session, ttl: TTL, cache: createRedisCache({ redis: new Redis5(redisUrl) }) }) as Plugin
    case 'envelop response-cache, memory':
      return useEnvelopCache({ session, ttl: TTL }) as Plugin
    case 'Yoga and GET by hand':
      return byHand((key) => redis.get(key))
    case 'Yoga and GET by hand, de-duplicated':
      return byHand(onceAtATime((key) => redis.get(key)))
    case 'atomcache':
    case 'atomcache, memory':
      return useAtomCache({ cache: await openCache(contestant, redisUrl), ttl: TTL, session })
    case 'atomcache early':
    case 'atomcache early, memory':
      return useAtomCache({ cache: await openCache(contestant, redisUrl), ttl: TTL, session, early: { session } })
    default:
      return contestant satisfies never
  }
}

async function openCache(contestant: Contestant, redisUrl: string) {
  const memory = contestant.endsWith('memory') ? { memory: { ttl: TTL } } : {}
  const cache = createCache({ namespace: contestant.replaceAll(/\W+/g, '-'), store: redisStore(redisUrl), ...memory })
  await cache.ready()
  return cache
}

/** The least that a cache in front of Yoga can do. */
function byHand(read: (key: string) => Promise<string | null>): Plugin {
  const headers = { 'Content-Type': 'application/json; charset=utf-8' }
  return {
    async onRequest({ request, fetchAPI, endResponse }) {
      JSON.parse(await request.text())
      endResponse(new fetchAPI.Response(await read('by hand'), { headers }))
    },
  }
}

function rawListener(redis: Redis): RequestListener {
  const read = onceAtATime((key) => redis.getBuffer(key))
  return (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', async () => {
      JSON.parse(Buffer.concat(parts).toString())
      const body = await read('by hand')
      response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(body)
    })
  }
}

serveContestant('/graphql', async (contestant: Contestant, redisUrl, answer = '') => {
  const redis = new Redis(redisUrl)
  await redis.set('by hand', answer)
  return listenerOf(contestant, redis, redisUrl)
})
