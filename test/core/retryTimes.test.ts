import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { internalsOf } from '../../src/core/internals.ts'
import { type Cache, createCache, memoryStore, StoreError } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { testNamespace } from '../redis/namespace.ts'
import { startProxy } from '../redis/proxy.ts'
import { startRedis } from '../redis/server.ts'
import { type GatedStore, gatedStore } from './gates.ts'
import { type Trace, traceOf } from './trace.ts'

const AWAY = new StoreError('UNREACHABLE', 'no connection')
/** ms. */
const BUDGET = 500

describe('between two tries', () => {
  let gates: GatedStore
  let cache: Cache
  let trace: Trace

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    gates = gatedStore(memoryStore())
    cache = createCache({ store: gates, ttl: 60_000 })
    await new Promise((resolve) => setImmediate(resolve))
    trace = traceOf(cache)
  })
  afterEach(async () => {
    await cache.close()
    vi.useRealTimers()
  })

  /** Lets time pass until there were so many failures; resolves with when each was, in ms. */
  async function failures(count: number): Promise<number[]> {
    const at: number[] = []
    const stop = cache.on('unconfirmed', () => at.push(performance.now()))
    const { invalidate } = internalsOf(cache)
    await invalidate({ tags: ['x'] })
    while (at.length < count) await vi.advanceTimersByTimeAsync(1)
    stop()
    return at
  }

  it('there is twice as long each time, to ten seconds, a quarter more or less; and a success begins anew', async () => {
    for (let round = 0; round < 2; round++) {
      gates.fails(AWAY)
      const at = await failures(11)
      const waits = at.slice(1).map((time, i) => time - (at[i] as number))
      for (const [i, wait] of waits.entries()) {
        const middle = Math.min(100 * 2 ** i, 10_000)
        expect(wait).toBeGreaterThanOrEqual(0.75 * middle)
        expect(wait).toBeLessThanOrEqual(1.25 * middle + 2)
      }
      gates.heals()
      await vi.advanceTimersByTimeAsync(12_500)
      expect(trace.of('invalidate')).toHaveLength(round + 1)
      expect(cache.stats().unconfirmed).toBe(0)
    }
  })

  it('one timer is for all, none is left when all is confirmed, and none after close', async () => {
    gates.fails(AWAY)
    const { invalidate } = internalsOf(cache)
    const timers = vi.getTimerCount()
    await Promise.all(['a', 'b', 'c'].map((key) => invalidate({ keys: [key] })))
    expect(vi.getTimerCount()).toBe(timers + 1)
    gates.heals()
    await vi.advanceTimersByTimeAsync(125)
    expect(trace.of('invalidate').map(({ keys }) => keys)).toEqual([['a', 'b', 'c']])
    expect(vi.getTimerCount()).toBe(timers)
    gates.fails(AWAY)
    await invalidate({ keys: ['d'] })
    await cache.close()
    expect(vi.getTimerCount()).toBe(timers)
    const sent = gates.count('remove')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(gates.count('remove')).toBe(sent)
  })
})

describe('on a Redis of its own', () => {
  it.for(['is killed and restarted', 'stands still', 'is behind a black hole'] as const)(
    'that %s: what was changed meanwhile is invalidated when it is back',
    async (how) => {
      await using server = await startRedis()
      await using proxy = await startProxy(server.url)
      const namespace = testNamespace()
      const options = { namespace, ttl: 60_000, commandTimeout: BUDGET }
      await using cache = createCache({ ...options, store: redisStore(proxy.url) })
      await using reader = createCache({ ...options, store: redisStore(server.url) })
      const trace = traceOf(cache)
      traceOf(reader)
      await Promise.all([cache.ready(), reader.ready()])
      const store = () => cache.set('key', 'old', { tags: ['x'] })
      await expect.poll(store, { timeout: 10_000 }).toBe(true)

      const away = {
        'is killed and restarted': [() => server.kill(), () => server.restart()],
        'stands still': [async () => server.pause(), async () => server.resume()],
        'is behind a black hole': [async () => proxy.blackhole(true), async () => proxy.blackhole(false)],
      } as const
      const [leave, come] = away[how]
      await leave()
      const error = await internalsOf(cache).invalidate({ keys: ['other'], tags: ['x'] })
      expect(error).toMatchObject({ code: 'UNCONFIRMED', keys: ['other'], tags: ['x'] })
      await trace.saw('unconfirmed', 2)
      expect(cache.stats().unconfirmed).toBe(2)
      await come()
      await expect.poll(() => cache.stats().unconfirmed, { timeout: 15_000 }).toBe(0)
      expect(trace.of('invalidate').at(-1)).toMatchObject({ keys: ['other'], tags: ['x'], remote: false })
      await expect.poll(() => reader.stats().breaker, { timeout: 10_000 }).toBe('closed')
      expect(await reader.get('key')).toBeUndefined()
    },
  )
})
