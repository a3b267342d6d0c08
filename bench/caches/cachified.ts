/** cachified: each caller reads, then one run per process, nothing between processes. Redis or memory, not one in front of the other. */
import { type Cache, type CacheEntry, cachified, totalTtl } from '@epic-web/cachified'
import { redisCacheAdapter } from 'cachified-redis-adapter'
import { LRUCache } from 'lru-cache'
import { createClient } from 'redis'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, memory = false }) => {
  const client = memory ? undefined : await createClient({ url }).connect()
  const cache = client === undefined ? inMemory() : redisCacheAdapter(client as never)
  return {
    get: (key, getFreshValue) => cachified({ cache, key, ttl, getFreshValue }),
    close: async () => client?.destroy(),
  }
}

function inMemory(): Cache {
  const kept = new LRUCache<string, CacheEntry>({ max: 10_000 })
  return {
    get: (key) => kept.get(key),
    set: (key, entry) => kept.set(key, entry, { ttl: totalTtl(entry.metadata), start: entry.metadata.createdTime }),
    delete: (key) => kept.delete(key),
  }
}
