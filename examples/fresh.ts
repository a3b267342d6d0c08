// Nobody waits: stale values while one instance refreshes them, what is kept fresh without a request, and a first tier in memory.
//   curl 'localhost:4000/rates/USD'; curl 'localhost:4000/rates/EUR'; curl -X DELETE 'localhost:4000/rates/EUR'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({
  namespace: 'fresh',
  store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL),
  memory: {},
})

const rates = cache.wrap((base: string, { signal }) => fetchRates(base, signal), {
  key: (base) => ['rates', base],
  ttl: 1_000,
  staleWhileRevalidate: 60_000,
  staleIfError: 3_600_000,
  softTimeout: 500,
})
rates.keepFresh('EUR') // in every instance: one of them computes it, whichever is alive; it ends with the cache

async function fetchRates(base: string, signal: AbortSignal) {
  console.log(`computing the rates of ${base}`)
  await delay(200, undefined, { signal })
  return { base, USD: Math.random(), at: Date.now() }
}

const server = createServer(async ({ method, url }, response) => {
  try {
    const base = url?.split('/').at(-1) ?? ''
    if (method === 'DELETE') await rates.delete(base)
    response.setHeader('content-type', 'application/json').end(JSON.stringify(await rates(base)))
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
})
server.listen(PORT, () => console.log('listening on', server.address()))
process.once('SIGTERM', () => server.close(() => cache.close()))
