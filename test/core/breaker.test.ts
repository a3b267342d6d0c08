import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { type Cache, createCache, memoryStore } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { testNamespace } from '../redis/namespace.ts'
import { startProxy } from '../redis/proxy.ts'
import { type GatedStore, gatedStore } from './gates.ts'
import { type Trace, traceOf } from './trace.ts'

describe('commands without a reply', () => {
  it('of one moment are given up in one moment', async () => {
    const store = gatedStore(memoryStore())
    await using cache = createCache({ store, ttl: 60_000, commandTimeout: 50 })
    await cache.ready()
    store.silent = true
    const moments = new Set<object>()
    let moment: object | undefined
    const load = () => {
      if (moment === undefined) {
        moment = {}
        moments.add(moment)
        process.nextTick(() => {
          moment = undefined
        })
      }
      return 'alone'
    }
    const values = Array.from({ length: 100 }, (_, i) => cache.getOrSet(`item ${i}`, load))
    await Promise.all(values)
    store.silent = false
    expect(moments.size).toBe(1)
  })
})

describe('the breaker', () => {
  let store: GatedStore
  let cache: Cache
  let trace: Trace

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    store = gatedStore(memoryStore())
    cache = createCache({ store, ttl: 60_000, commandTimeout: 100, breaker: { failures: 3, retryAfter: 1000 } })
    await turn()
    trace = traceOf(cache)
  })
  afterEach(async () => {
    store.silent = false
    await cache.close()
    vi.useRealTimers()
  })

  /** Asks while the store is silent, until the read has timed out. */
  async function fail(times: number): Promise<void> {
    store.silent = true
    for (let i = 0; i < times; i++) {
      const call = cache.getOrSet(`key ${i}`, () => 'alone')
      await expires(100)
      expect(await call).toBe('alone')
    }
  }

  it('opens after so many failures in a row, and then nothing is sent', async () => {
    await fail(2)
    expect(cache.stats().breaker).toBe('closed')
    await fail(1)
    expect(cache.stats().breaker).toBe('open')
    expect(trace.of('breaker')).toEqual([{ type: 'breaker', state: 'open' }])
    expect(trace.of('storeFault')).toHaveLength(3)
    expect(trace.of('storeFault')[0]).toMatchObject({
      op: 'read',
      key: 'key 0',
      error: { name: 'StoreError', code: 'TIMEOUT', message: 'no reply to read within 100 ms' },
    })
    const asked = () => (['read', 'readMany', 'claim', 'end'] as const).map(store.count)
    const sent = asked()
    // No time passes: nobody waits for a store that is left alone.
    expect(await cache.getOrSet('key', () => 'at once')).toBe('at once')
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.getMany(['key'])).toEqual([undefined])
    expect(asked()).toEqual(sent)
    expect(trace.of('alone').at(-1)).toEqual({ type: 'alone', key: 'key', reason: 'store' })
  })

  it('what was sent in one moment fails as one', async () => {
    store.silent = true
    const calls = Array.from({ length: 100 }, (_, i) => cache.getOrSet(`item ${i}`, () => 'alone'))
    await expires(100)
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['alone']))
    expect(trace.of('storeFault')).toHaveLength(100)
    expect(cache.stats().breaker).toBe('closed')
    await fail(2)
    expect(cache.stats().breaker).toBe('open')
  })

  it('sends a thousand commands at a time, and the budget of each begins when it is sent', async () => {
    store.silent = true
    const values = Array.from({ length: 2500 }, (_, i) => cache.getOrSet(`item ${i}`, () => i))
    await turn()
    expect(store.count('read')).toBe(1000)
    store.silent = false
    await expires(100)
    expect(await Promise.all(values)).toEqual(values.map((_, i) => i))
    expect(store.count('read')).toBe(2500)
    expect(trace.of('storeFault')).toHaveLength(1000)
  })

  it('what was held back is answered too where the breaker opens meanwhile', async () => {
    store.silent = true
    const values = Array.from({ length: 9000 }, (_, i) => cache.getOrSet(`item ${i}`, () => i))
    for (let i = 0; i < 3; i++) await expires(100)
    expect(await Promise.all(values)).toEqual(values.map((_, i) => i))
    expect(cache.stats().breaker).toBe('open')
  })

  it('a success between failures begins the count anew', async () => {
    await fail(2)
    store.silent = false
    await cache.get('key')
    await fail(2)
    expect(cache.stats().breaker).toBe('closed')
  })

  it('after a while one command probes the store: a reply closes it', async () => {
    await fail(3)
    await vi.advanceTimersByTimeAsync(999)
    store.silent = false
    expect(await cache.getOrSet('key', () => 'too early')).toBe('too early')
    expect(store.count('claim')).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(await cache.getOrSet('key', () => 'of the probe')).toBe('of the probe')
    await turn()
    expect(trace.of('breaker').map(({ state }) => state)).toEqual(['open', 'half-open', 'closed'])
    expect(await cache.getOrSet('key', () => 'stored')).toBe('stored')
    await turn()
    expect(await cache.get('key')).toBe('stored')
  })

  it('while it probes nobody waits, and no other command is sent; a failure opens it for as long again', async () => {
    await fail(3)
    await vi.advanceTimersByTimeAsync(1000)
    const before = store.count('read')
    expect(await cache.getOrSet('probe', () => 'probe')).toBe('probe')
    expect(cache.stats().breaker).toBe('half-open')
    expect(await cache.getOrSet('other', () => 'other')).toBe('other')
    expect(store.count('read')).toBe(before + 1)
    await expires(100)
    expect(cache.stats().breaker).toBe('open')
    await vi.advanceTimersByTimeAsync(999)
    expect(await cache.get('probe')).toBeUndefined()
    expect(store.count('read')).toBe(before + 1)
    await vi.advanceTimersByTimeAsync(1)
    store.silent = false
    await cache.get('probe')
    await turn()
    expect(trace.of('breaker').map(({ state }) => state)).toEqual(['open', 'half-open', 'open', 'half-open', 'closed'])
  })

  it('invalidations and sets are sent while it is open, and close it', async () => {
    await fail(3)
    const rejected = expect(cache.invalidate({ keys: ['key'] })).rejects.toMatchObject({
      name: 'UnconfirmedError',
      code: 'UNCONFIRMED',
      keys: ['key'],
      cause: { code: 'TIMEOUT' },
    })
    await expires(100)
    await expires(100)
    await rejected
    expect(store.count('remove')).toBe(1)
    store.silent = false
    await cache.set('key', 'value')
    expect(cache.stats().breaker).toBe('closed')
    expect(await cache.get('key')).toBe('value')
  })

  it('a refusal is a reply: it does not open', async () => {
    const small = createCache({ store: memoryStore({ maxBytes: 100 }), ttl: 1000, breaker: { failures: 1 } })
    const faults = traceOf(small)
    await expect(small.set('key', 'x'.repeat(200))).rejects.toMatchObject({ cause: { code: 'REFUSED' } })
    expect(await small.getOrSet('key', () => 'x'.repeat(200))).toBe('x'.repeat(200))
    await turn()
    expect(faults.of('storeFault').map(({ op }) => op)).toEqual(['set', 'end'])
    expect(faults.of('share')[0]?.reason).toBe('larger than the memory store')
    expect(small.stats().breaker).toBe('closed')
    await small.close()
  })

  it('a reply that comes after its budget is not used, and a late LEAD is given back', async () => {
    const reply = store.after('claim')
    const call = cache.getOrSet('key', () => 'alone')
    await reply.reached
    await expires(100)
    expect(await call).toBe('alone')
    expect(trace.of('lead')).toEqual([])
    reply.open()
    await turn()
    expect(store.count('end')).toBe(1)
    // Nobody has to wait for the lease.
    expect(await cache.getOrSet('key', () => 'led')).toBe('led')
    expect(trace.of('lead')).toHaveLength(1)
  })

  it.for([
    [20, 100],
    [70, 120],
  ] as const)(
    'a read that takes %i of 100 ms and a claim without a reply delay a loader by %i ms',
    async ([took, delay]) => {
      const reading = store.after('read')
      store.after('claim')
      let loaded = false
      const call = cache.getOrSet('key', () => {
        loaded = true
        return 'alone'
      })
      await reading.reached
      await vi.advanceTimersByTimeAsync(took)
      reading.open()
      await turn()
      // The clock counts in fractions.
      await expires(delay - took - 2)
      expect(loaded).toBe(false)
      await expires(3)
      expect(loaded).toBe(true)
      expect(await call).toBe('alone')
    },
  )
})

describe('a Redis that does not answer', () => {
  it('delays a request by the budget, then not at all, and is used again when it is back', async () => {
    await using proxy = await startProxy(inject('redisUrl'))
    await using cache = createCache({
      namespace: testNamespace(),
      store: redisStore(proxy.url),
      ttl: 60_000,
      commandTimeout: 50,
      breaker: { failures: 2, retryAfter: 100 },
    })
    await cache.ready()
    const trace = traceOf(cache)
    await cache.set('key', 'stored')
    proxy.blackhole(true)
    for (let i = 0; i < 2; i++) expect(await cache.getOrSet('key', () => 'alone')).toBe('alone')
    expect(trace.of('breaker').map(({ state }) => state)).toEqual(['open'])
    const startedAt = performance.now()
    expect(await cache.getOrSet('key', () => 'at once')).toBe('at once')
    expect(performance.now() - startedAt).toBeLessThan(40)
    proxy.blackhole(false)
    await vi.waitFor(async () => expect(await cache.getOrSet('key', () => 'alone')).toBe('stored'), {
      timeout: 10_000,
      interval: 20,
    })
    expect(cache.stats().breaker).toBe('closed')
  })
})

/** So much time passes; a command that is over its budget has one turn more. */
async function expires(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await turn()
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
