/** bentocache: locks in the process, so one run per process, nothing between processes. Its memory is told of writes by a bus. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, memory = false, autopipelining = false }) => {
  const connection = new Redis(url, { enableAutoPipelining: autopipelining })
  const { hostname: host, port } = new URL(url)
  const remote = redisDriver({ connection })
  const cache = new BentoCache({
    default: 'store',
    ttl,
    stores: {
      store: memory
        ? bentostore()
            // The same object for all: by default each hit parses its text.
            .useL1Layer(memoryDriver({ maxItems: 10_000, serialize: false }))
            .useL2Layer(remote)
            .useBus(redisBusDriver({ connection: { host, port: Number(port) } }))
        : bentostore().useL2Layer(remote),
    },
  })
  return {
    get: (key, factory) => cache.getOrSet({ key, factory }),
    close: () => cache.disconnectAll(),
  }
}
