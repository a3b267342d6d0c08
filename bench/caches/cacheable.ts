/** cacheable: each caller reads, then one run per process, nothing between processes. */
import { createKeyv } from '@keyv/redis'
import { Cacheable, createKeyv as createMemory } from 'cacheable'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, memory = false }) => {
  const remote = createKeyv(url)
  // The same object for all: by default each hit is a copy.
  const stores = memory
    ? { primary: createMemory({ ttl, lruSize: 10_000, useClone: false }), secondary: remote }
    : { primary: remote }
  const cache = new Cacheable({ ...stores, ttl })
  return {
    get: (key, load) => cache.getOrSet(key, load, { ttl, throwErrors: 'function' }),
    close: () => cache.disconnect(),
  }
}
