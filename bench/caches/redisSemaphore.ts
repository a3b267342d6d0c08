/**
 * redis-semaphore's Mutex around GET and SET: one run over all processes, and the lock is renewed; who waits asks again every 10 ms,
 * its default. It has no cache: one run per process is put in front.
 */
import { Redis } from 'ioredis'
import { Mutex } from 'redis-semaphore'
import type { OpenCache } from './cache.ts'
import { onceAtATime } from './onceAtATime.ts'

export const open: OpenCache = async ({ redis: url, ttl, lease, autopipelining = false }) => {
  const redis = new Redis(url, { enableAutoPipelining: autopipelining })
  return {
    get: onceAtATime(async (key, load) => {
      const before = await redis.get(key)
      if (before !== null) return JSON.parse(before)
      const mutex = new Mutex(redis, key, { lockTimeout: lease, acquireTimeout: 60_000 })
      await mutex.acquire()
      try {
        const meanwhile = await redis.get(key)
        if (meanwhile !== null) return JSON.parse(meanwhile)
        const value = await load()
        await redis.set(key, JSON.stringify(value), 'PX', ttl)
        return value
      } finally {
        await mutex.release()
      }
    }),
    close: async () => redis.disconnect(),
  }
}
