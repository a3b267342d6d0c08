/** A limit: the text that Redis has, not parsed, a GET for each caller. Protects nothing. */
import { Redis } from 'ioredis6'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, autopipelining = false }) => {
  const redis = new Redis(url, { enableAutoPipelining: autopipelining })
  return {
    async get(key, load) {
      const text = await redis.get(key)
      if (text !== null) return text
      const made = JSON.stringify(await load())
      await redis.set(key, made, 'PX', ttl)
      return made
    },
    close: async () => redis.disconnect(),
  }
}
