import { expect, vi } from 'vitest'
import type { Cache, Key, SetOptions } from '../../../src/index.ts'

/** Stores a value that is stale when this resolves. */
export async function setStale<V>(cache: Cache, key: Key, value: V, options: SetOptions<V>): Promise<void> {
  await cache.set(key, value, { ttl: 1, ...options })
  await vi.waitFor(async () => expect((await cache.entry(key))?.ttl).toBeLessThan(0))
}
