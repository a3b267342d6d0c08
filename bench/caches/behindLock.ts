import type { Redis } from 'ioredis'
import type { ComparedCache } from './cache.ts'
import { onceAtATime } from './onceAtATime.ts'

/**
 * GET and SET around somebody's lock, which has no cache of its own; one run per process is put in front.
 *
 * @param lock waits for the lock of a key; what it gives frees that
 */
export function behindLock(
  redis: Redis,
  ttl: number,
  lock: (key: string) => Promise<() => Promise<unknown>>,
): ComparedCache {
  return {
    get: onceAtATime(async (key, load) => {
      const before = await redis.get(key)
      if (before !== null) return JSON.parse(before)
      const unlock = await lock(key)
      try {
        const meanwhile = await redis.get(key)
        if (meanwhile !== null) return JSON.parse(meanwhile)
        const value = await load()
        await redis.set(key, JSON.stringify(value), 'PX', ttl)
        return value
      } finally {
        await unlock()
      }
    }),
    close: async () => redis.disconnect(),
  }
}
