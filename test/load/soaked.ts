/** A process with caches and HTTP servers that is used in every way, and then tells what is left of it. */
import { getEventListeners, once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cache, type CacheStats, createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { Redis } from 'ioredis'
import { serve } from '../redis/child.ts'
import { type ApiKind, listenerOf } from './listeners.ts'
import { keepSome, lasting, type Mixed, mix, uncollected } from './mixture.ts'
import { type Remains, remainsOf } from './remains.ts'
import { LEASE, MEMORY, TTL } from './soakOptions.ts'

export interface Left extends Remains {
  /** Of each cache. */
  readonly stats: readonly CacheStats[]
  /** Listeners of a signal that lasts longer than any call. */
  readonly waiting: number
  /** Loaders and signals of calls that something keeps. */
  readonly uncollected: number
}

let caches: Cache[] = []
let servers: Server[] = []
let client: Redis

const calls = {
  /** The URL of a server of each kind. */
  async start(redis: string, namespace: string): Promise<Record<ApiKind, string>> {
    client = new Redis(redis)
    client.on('error', () => undefined) // its connection is cut on purpose
    // A timer that nobody clears must not be over before it is looked for.
    const waitTimeout = 3_600_000
    const options = { namespace, ttl: TTL, leaseTtl: LEASE, waitTimeout, maxNewKeys: { perScope: 1000, window: 500 } }
    caches = [{ memory: MEMORY }, {}].map((more) => createCache({ ...options, ...more, store: redisStore(client) }))
    for (const cache of caches) cache.on('*', () => undefined) // told to nobody, it would be process warnings
    await Promise.all(caches.map((cache) => cache.ready()))
    const kinds = ['yoga', 'trpc'] as const
    servers = kinds.map((kind, i) => {
      const listener = listenerOf(kind, caches[i] as Cache, async (key) => {
        await delay(5)
        return `item ${key}`
      })
      return createServer((request, response) => {
        if (request.url === '/ready') response.end()
        else listener(request, response)
      })
    })
    const [yoga = '', trpc = ''] = await Promise.all(servers.map(urlOf))
    return { yoga, trpc }
  },

  async soak(ms: number): Promise<Mixed> {
    using _ = keepSome(caches[0] as Cache)
    return await mix(caches, ms)
  },

  async left(): Promise<Left> {
    for (const server of servers) server.closeIdleConnections()
    // A breaker that is open closes by what is asked.
    await Promise.all(caches.map((cache) => cache.get('something')))
    const stats = caches.map((cache) => cache.stats())
    const remains = await remainsOf([client])
    return { ...remains, waiting: getEventListeners(lasting, 'abort').length, uncollected: uncollected.count, stats }
  },
}

export type SoakedCalls = typeof calls

async function urlOf(server: Server): Promise<string> {
  server.keepAliveTimeout = 65_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

process.once('SIGTERM', async () => {
  await Promise.all(caches.map((cache) => cache.close()))
  for (const server of servers) server.close()
  for (const server of servers) server.closeAllConnections()
  await client.quit()
  process.channel?.unref() // what else is open keeps this process alive, and is a fault
})

serve(calls)
