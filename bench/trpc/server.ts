/** One tRPC server of those that are compared, in a process of its own: it says what CPU time it used. */
import type { RequestListener } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { type ContestantCalls, serveContestant } from '../contestant.ts'
import { productOf } from '../products.ts'

// As it is published: run from source it would carry what the loader adds to it.
const { createCache }: typeof import('../../src/index.ts') = await built('index')
const { redisStore }: typeof import('../../src/stores/redis/index.ts') = await built('redis')
const { cached, publicQueries }: typeof import('../../src/adapters/trpc/index.ts') = await built('trpc')

export type Contestant = 'hand' | 'atomcache' | 'atomcache bytes'

const t = initTRPC.create()
const input = z.object({ first: z.number() })
const products = ({ input: { first } }: { input: { first: number } }) =>
  Array.from({ length: first }, (_, i) => productOf(i))

async function listenerOf(contestant: Contestant, redisUrl: string): Promise<RequestListener> {
  if (contestant === 'hand') {
    return createHTTPHandler({
      router: t.router({ products: t.procedure.input(input).use(byHand(redisUrl)).query(products) }),
    })
  }
  const cache = createCache({ namespace: contestant.replace(' ', '-'), store: redisStore(redisUrl) })
  await cache.ready()
  const cache600 = cached({ cache, ttl: 600_000, scope: null })
  const router = t.router({ products: t.procedure.input(input).use(cache600).query(products) })
  const handler = createHTTPHandler({ router })
  return contestant === 'atomcache' ? handler : publicQueries({ cache, router, paths: ['products'] }).node(handler)
}

/** The least that a cache in a middleware can do. */
function byHand(redisUrl: string) {
  const redis = new Redis(redisUrl)
  return t.middleware(async ({ input: asked, next, path }) => {
    const key = `by hand:${path}:${JSON.stringify(asked)}`
    const text = await redis.get(key)
    if (text !== null) return { ok: true, data: JSON.parse(text) } as never
    const result = await next()
    if (result.ok) await redis.set(key, JSON.stringify(result.data), 'PX', 600_000)
    return result
  })
}

function built(door: string) {
  return import(new URL(`../../dist/${door}.js`, import.meta.url).href)
}

export type ServerCalls = ContestantCalls<Parameters<typeof listenerOf>>

serveContestant('/products', listenerOf)
