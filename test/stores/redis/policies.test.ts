import { afterAll, afterEach, expect, test } from 'vitest'
import { inParts } from '../../../src/core/parts.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../../core/trace.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { startRedis } from '../../redis/server.ts'

const VALUE = 'x'.repeat(10_000)
const LONG = 60_000
/** Bytes above what is used when a test begins: so many values, and some more, have no room. */
const ROOM = 30 * VALUE.length
const KEYS = 60
const keys = Array.from({ length: KEYS }, (_, i) => `key ${i}`)

const server = await startRedis()
const inspector = server.client()
const caches: Cache[] = []
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()))
  await inspector.config('SET', 'maxmemory', '0')
  await inspector.flushall()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A cache of tagged values at a server that is nearly full: the policy decides what happens. */
async function openNearlyFull(policy: string) {
  await inspector.config('SET', 'maxmemory-policy', policy)
  await inspector.config('SET', 'maxmemory', '1gb')
  const cache = createCache({
    namespace: testNamespace(),
    store: redisStore(server.url),
    ttl: LONG,
    tags: ['all'],
    commandTimeout: 10_000,
  })
  caches.push(cache)
  const trace = traceOf(cache)
  await cache.ready()
  // Scripts and buffers of connections have their memory from now on.
  await Promise.all(Array.from({ length: 10 }, (_, i) => cache.getOrSet(`first ${i}`, () => VALUE)))
  const used = Number(/^used_memory:(\d+)/m.exec(await inspector.info('memory'))?.[1])
  await inspector.config('SET', 'maxmemory', String(used + ROOM))
  return { cache, trace }
}

/** Asks for more than there is room for, twice. */
async function press(cache: Cache): Promise<void> {
  for (const some of [...inParts(keys, 10), ...inParts(keys, 10)]) {
    expect(await Promise.all(some.map((key) => cache.getOrSet(key, () => VALUE)))).toEqual(some.map(() => VALUE))
  }
}

/** It looks at each connection. */
async function lookAgain(cache: Cache): Promise<void> {
  await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await expect.poll(() => cache.set('again', 1).catch(() => false)).not.toBe(false)
}

test.each([
  ...['allkeys-lru', 'allkeys-lfu', 'allkeys-random'],
  // All that a cache with finite ttls writes has an expiry, but for the clock of tags.
  ...['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'],
])('under %s requests have their values, entries make room for others, and that is told', async (policy) => {
  const { cache, trace } = await openNearlyFull(policy)
  await press(cache)
  await cache.invalidate({ keys })
  expect((await cache.getMany(keys)).filter((value) => value !== undefined)).toEqual([])
  expect(trace.of('storeFault')).toEqual([])
  // Not all of them: flights may be dropped, too, and their leaders are fenced then.
  expect(trace.of('publish').length).toBeGreaterThan(0)
  expect(trace.of('eviction')).toEqual([{ type: 'eviction', policy, evicted: 0 }])
  await lookAgain(cache)
  expect(await trace.saw('eviction', 2)).toEqual({ type: 'eviction', policy, evicted: expect.any(Number) })
  expect(trace.of('eviction')[1]?.evicted).toBeGreaterThan(0)
})

test('under noeviction requests have their values, what has no room is not stored, and nothing outlives an invalidation', async () => {
  const { cache, trace } = await openNearlyFull('noeviction')
  await press(cache)
  const stored = new Set(trace.of('publish').map(({ key }) => key))
  const shared = trace.of('share')
  expect(stored.size).toBeGreaterThan(0)
  expect(shared.length).toBeGreaterThan(0)
  for (const { reason } of shared) expect(reason).toContain('OOM')
  expect(trace.of('eviction')).toEqual([])
  await cache.invalidate({ tags: ['all'] })
  expect((await cache.getMany(keys)).filter((value) => value !== undefined)).toEqual([])
  expect(cache.stats().breaker).toBe('closed')
})

test('under a volatile policy, where all else is there for ever, flights are dropped: a leader is fenced, and answers', async () => {
  const { cache, trace } = await openNearlyFull('volatile-lru')
  let isFull = false
  for (let i = 0; !isFull; i++) {
    await inspector.set(`for ever ${i}`, VALUE).catch((error) => {
      isFull = String(error).includes('OOM')
    })
  }
  const large = 'x'.repeat(2 * ROOM)
  expect(await cache.getOrSet('x', () => large)).toBe(large)
  expect(await trace.saw('fenced')).toMatchObject({ key: 'x' })
})
