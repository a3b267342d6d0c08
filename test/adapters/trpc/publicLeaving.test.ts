import type { ServerResponse } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { expect, test } from 'vitest'
import { cached, publicQueries } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startRedis } from '../../redis/server.ts'
import { serveHttp } from '../http.ts'

const t = initTRPC.create()

test('a client that leaves while the store is asked leaves nobody waiting, whatever the listener does', async () => {
  await using redis = await startRedis()
  await using cache = createCache({ store: redisStore(redis.url), commandTimeout: 5000 })
  await cache.ready()
  const router = t.router({ open: t.procedure.use(cached({ cache, scope: null, ttl: 60_000 })).query(() => 'open') })
  const handler = createHTTPHandler({ router })
  const listener = publicQueries({ cache, router, paths: ['open'] }).node((request, response) => {
    if (!response.destroyed) handler(request, response) // as those do that look whether anybody is there
  })
  const responses: ServerResponse[] = []
  await using server = await serveHttp((request, response) => {
    responses.push(response)
    listener(request, response)
  })
  redis.pause()
  const away = new AbortController()
  const asked = fetch(`${server.url}/open`, { signal: away.signal })
  await expect.poll(() => responses.length).toBe(1)
  away.abort()
  await expect(asked).rejects.toThrow(/abort/i)
  await expect.poll(() => responses[0]?.destroyed).toBe(true)
  redis.resume()
  expect(await (await fetch(`${server.url}/open`)).json()).toEqual({ result: { data: 'open' } })
})
