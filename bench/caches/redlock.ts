/**
 * redlock around GET and SET: one run over all processes while the loader is faster than the lock; who waits asks again every 100
 * to 300 ms, its default, without end. It has no cache: one run per process is put in front.
 */
import { Redis } from 'ioredis'
import Redlock from 'redlock'
import type { OpenCache } from './cache.ts'
import { onceAtATime } from './onceAtATime.ts'

export const open: OpenCache = async ({ redis: url, ttl, lease, autopipelining = false }) => {
  const redis = new Redis(url, { enableAutoPipelining: autopipelining })
  const redlock = new Redlock([redis], { retryCount: -1 })
  return {
    get: onceAtATime(async (key, load) => {
      const before = await redis.get(key)
      if (before !== null) return JSON.parse(before)
      const lock = await redlock.lock(`lock:${key}`, lease)
      try {
        const meanwhile = await redis.get(key)
        if (meanwhile !== null) return JSON.parse(meanwhile)
        const value = await load()
        await redis.set(key, JSON.stringify(value), 'PX', ttl)
        return value
      } finally {
        // A lock that was over before its time ran out elsewhere is no error of the caller.
        await lock.unlock().catch(() => undefined)
      }
    }),
    close: async () => redis.disconnect(),
  }
}
