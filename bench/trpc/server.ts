/** One tRPC server of those that are compared, in a process of its own: it says what CPU time it used. */
import type { RequestListener } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { Redis } from 'ioredis6'
import { z } from 'zod'
import { built } from '../built.ts'
import { onceAtATime } from '../caches/onceAtATime.ts'
import { serveContestant } from '../http/contestant.ts'
import { productsOf } from '../products.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')
const { cached, publicQueries } = await built<typeof import('../../src/adapters/trpc/index.ts')>('trpc')

export type Contestant =
  | 'node:http and GET'
  | 'GET + parse by hand'
  | 'GET + parse by hand, de-duplicated'
  | 'atomcache bytes'
  | 'atomcache'

const t = initTRPC.create()
const input = z.object({ first: z.number() })
const products = ({ input: { first } }: { input: { first: number } }) => productsOf(first)

async function listenerOf(contestant: Contestant, redisUrl: string): Promise<RequestListener> {
  switch (contestant) {
    case 'node:http and GET':
      return rawListener(redisUrl)
    case 'GET + parse by hand':
    case 'GET + parse by hand, de-duplicated': {
      const cache = byHand(redisUrl, contestant === 'GET + parse by hand, de-duplicated')
      return createHTTPHandler({ router: t.router({ products: t.procedure.input(input).use(cache).query(products) }) })
    }
    case 'atomcache':
    case 'atomcache bytes': {
      const cache = createCache({ namespace: contestant.replace(' ', '-'), store: redisStore(redisUrl) })
      await cache.ready()
      const cache600 = cached({ cache, ttl: 600_000, scope: null })
      const router = t.router({ products: t.procedure.input(input).use(cache600).query(products) })
      const handler = createHTTPHandler({ router })
      return contestant === 'atomcache' ? handler : publicQueries({ cache, router, paths: ['products'] }).node(handler)
    }
    default:
      return contestant satisfies never
  }
}

/** The least that a server can do: the answer of tRPC to this request, as it is. */
async function rawListener(redisUrl: string): Promise<RequestListener> {
  const redis = new Redis(redisUrl)
  const read = onceAtATime((key) => redis.getBuffer(key))
  return async (request, response) => {
    const asked = new URL(request.url ?? '', 'http://server').searchParams.get('input') ?? ''
    const key = `raw:${asked}`
    const found = await read(key)
    const body = found ?? Buffer.from(JSON.stringify({ result: { data: products({ input: JSON.parse(asked) }) } }))
    if (found === null) await redis.set(key, body, 'PX', 600_000)
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(body)
  }
}

/** The least that a cache in a middleware can do. */
function byHand(redisUrl: string, once: boolean) {
  const redis = new Redis(redisUrl)
  const parsed = async (key: string): Promise<unknown> => {
    const text = await redis.get(key)
    return text === null ? undefined : JSON.parse(text)
  }
  const read = once ? onceAtATime(parsed) : parsed
  return t.middleware(async ({ input: asked, next, path }) => {
    const key = `by hand:${path}:${JSON.stringify(asked)}`
    const data = await read(key)
    if (data !== undefined) return { ok: true, data } as never
    const result = await next()
    if (result.ok) await redis.set(key, JSON.stringify(result.data), 'PX', 600_000)
    return result
  })
}

serveContestant('/products', listenerOf)
