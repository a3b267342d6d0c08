import { built } from '../built.ts'
import type { OpenCache } from './cache.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')

/** ms, instead of 250. */
const PATIENCE = 5000

/** It sends what is asked for in one moment together by itself. */
export const open: OpenCache = async ({ redis, ttl, lease, patient = false, memory = false }) => {
  const cache = createCache({
    store: redisStore(redis),
    ttl,
    leaseTtl: lease,
    commandTimeout: patient ? PATIENCE : undefined,
    ...(memory ? { memory: { ttl } } : {}),
  })
  await cache.ready()
  return { get: (key, load) => cache.getOrSet(key, load), close: () => cache.close() }
}
