/** cache-manager: one run per process, nothing between processes. */
import { createKeyv } from '@keyv/redis'
import { createCache } from 'cache-manager'
import { createKeyv as createMemory } from 'cacheable'
import type { OpenCache } from './cache.ts'

export const open: OpenCache = async ({ redis: url, ttl, memory = false }) => {
  const remote = createKeyv(url)
  // The same object for all: by default each hit is a copy.
  const stores = memory ? [createMemory({ ttl, lruSize: 10_000, useClone: false }), remote] : [remote]
  const cache = createCache({ ttl, stores })
  return {
    get: (key, load) => cache.wrap(key, load, ttl),
    close: async () => void (await cache.disconnect()),
  }
}
