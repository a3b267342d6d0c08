/** A limit: what the process has in lru-cache, the same object for all. No Redis, and nothing is known of other processes. */
import { LRUCache } from 'lru-cache'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ ttl }) => {
  const kept = new LRUCache<string, NonNullable<unknown>>({ max: 10_000, ttl })
  return {
    async get(key, load) {
      const found = kept.get(key)
      if (found !== undefined) return found
      const value = (await load()) as NonNullable<unknown>
      kept.set(key, value)
      return value
    },
    close: async () => kept.clear(),
  }
}
