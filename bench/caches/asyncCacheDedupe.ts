/** async-cache-dedupe: one run per process, nothing between processes. Redis or memory, not one in front of the other; ttl in seconds. */
import { createCache } from 'async-cache-dedupe'
import { Redis } from 'ioredis'
import type { OpenCache } from './cache.ts'

interface Asked {
  readonly key: string
  readonly load: () => Promise<unknown>
}

export const open: OpenCache = async ({ redis: url, ttl, memory = false, autopipelining = false }) => {
  const client = memory ? undefined : new Redis(url, { enableAutoPipelining: autopipelining })
  const cache = createCache({
    ttl: Math.ceil(ttl / 1000),
    storage:
      client === undefined ? { type: 'memory', options: { size: 10_000 } } : { type: 'redis', options: { client } },
  }).define('answer', { serialize: ({ key }: Asked) => key }, ({ load }: Asked) => load())
  return {
    get: (key, load) => cache.answer({ key, load }),
    close: async () => client?.disconnect(),
  }
}
