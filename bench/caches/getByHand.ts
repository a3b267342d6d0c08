/** GET and JSON.parse, and SET after a miss: one run per process, nothing between processes. */
import { Redis } from 'ioredis6'
import type { OpenCache } from './cache.ts'
import { onceAtATime } from './onceAtATime.ts'

export const open: OpenCache = async ({ redis: url, ttl, autopipelining = false }) => {
  const redis = new Redis(url, { enableAutoPipelining: autopipelining })
  return {
    get: onceAtATime(async (key, load) => {
      const text = await redis.get(key)
      if (text !== null) return JSON.parse(text)
      const value = await load()
      await redis.set(key, JSON.stringify(value), 'PX', ttl)
      return value
    }),
    close: async () => redis.disconnect(),
  }
}
