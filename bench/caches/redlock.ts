/**
 * redlock around GET and SET: one run over all processes while the loader is faster than the lock; who waits asks again every 100
 * to 300 ms, its default, without end.
 */
import { Redis } from 'ioredis'
import Redlock from 'redlock'
import { behindLock } from './behindLock.ts'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, lease, autopipelining = false }) => {
  const redis = new Redis(url, { enableAutoPipelining: autopipelining })
  const redlock = new Redlock([redis], { retryCount: -1 })
  return behindLock(redis, ttl, async (key) => {
    const lock = await redlock.lock(`lock:${key}`, lease)
    // A lock that was over before its time ran out elsewhere is no error of the caller.
    return () => lock.unlock().catch(() => undefined)
  })
}
