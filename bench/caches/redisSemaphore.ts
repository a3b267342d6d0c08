/**
 * redis-semaphore's Mutex around GET and SET: one run over all processes, and the lock is renewed; who waits asks again every 10 ms,
 * its default.
 */
import { Redis } from 'ioredis'
import { Mutex } from 'redis-semaphore'
import { behindLock } from './behindLock.ts'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, lease, autopipelining = false }) => {
  const redis = new Redis(url, { enableAutoPipelining: autopipelining })
  return behindLock(redis, ttl, async (key) => {
    const mutex = new Mutex(redis, key, { lockTimeout: lease, acquireTimeout: 60_000 })
    await mutex.acquire()
    return () => mutex.release()
  })
}
