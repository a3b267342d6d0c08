import { expect, vi } from 'vitest'
import type { Cache, Key, SetOptions } from '../../../src/index.ts'

/** ms by which the clocks of two instances may differ. */
const CLOCKS = 30

/** Stores a value that is stale for every instance when this resolves. */
export async function setStale<V>(cache: Cache, key: Key, value: V, options: SetOptions<V>): Promise<void> {
  await cache.set(key, value, { ttl: 1, ...options })
  await vi.waitFor(async () => expect((await cache.entry(key))?.ttl).toBeLessThan(-CLOCKS))
}
