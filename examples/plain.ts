// One computation for everybody: start it in two terminals with REDIS_URL, and ask both at once.
//   curl 'localhost:4000/rates?base=EUR'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'

const { PORT = '4000', REDIS_URL } = process.env

const cache = createCache({
  namespace: 'plain',
  // Without a store it is memoryStore(): one process, no server.
  store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL),
})

const rates = cache.wrap((base: string, { signal }) => fetchRates(base, signal), {
  key: (base) => ['rates', base],
  ttl: 5_000,
})

async function fetchRates(base: string, signal: AbortSignal) {
  console.log(`computing the rates of ${base}`)
  await delay(200, undefined, { signal })
  return { base, USD: Math.random(), at: new Date() }
}

const server = createServer(async ({ url }, response) => {
  try {
    const base = new URL(`http://localhost${url}`).searchParams.get('base') ?? 'EUR'
    response.setHeader('content-type', 'application/json').end(JSON.stringify(await rates(base)))
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
})
server.listen(PORT, () => console.log('listening on', server.address()))
// What this process computes is handed over, so that nobody waits for it. Under load: examples/shutdown.ts.
process.once('SIGTERM', () => server.close(() => cache.close()))
