import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Cache, createCache, type Link, memoryStore } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'
import { traceOf } from './trace.ts'

onEveryStore((service) => {
  it('is computed where there is none, and anew when it was invalidated, by key or by tag, wherever', async () => {
    const [a, b] = [await service.open(), await service.open()]
    let runs = 0
    using _kept = a.cache.keepFresh('key', () => ++runs, { tags: ['t'] })
    for (const [i, invalidate] of [
      () => Promise.resolve(),
      () => a.cache.delete('key'),
      () => b.cache.delete('key'),
      () => b.cache.invalidate({ tags: ['t'] }),
    ].entries()) {
      await invalidate()
      await a.trace.saw('publish', i + 1)
      expect(await b.cache.get('key')).toBe(i + 1)
    }
    expect(runs).toBe(4)
  })

  it('is refreshed before it ends, by one of those that keep it, and no request need ask', async () => {
    const all = [await service.open(), await service.open(), await service.open()]
    let runs = 0
    const kept = all.map(({ cache }) => cache.keepFresh('key', () => ++runs, { ttl: 1200 }))
    const missing: number[] = []
    const until = performance.now() + 4000
    await vi.waitFor(async () => expect(await all[1]?.cache.get('key')).toBeDefined())
    while (performance.now() < until) {
      if ((await all[1]?.cache.get('key')) === undefined) missing.push(performance.now())
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    for (const one of kept) one.stop()
    expect(missing).toEqual([])
    // Each 600 to 660 ms, and as much longer as the machine is late.
    expect(runs).toBeGreaterThanOrEqual(4)
    expect(runs).toBeLessThanOrEqual(9)
  })
})

describe('keepFresh', () => {
  let caches: Cache[] = []
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    vi.useRealTimers()
    await Promise.all(caches.splice(0).map((cache) => cache.close()))
    caches = []
  })

  function open(options: object = {}) {
    const cache = createCache({ ttl: 60_000, leaseTtl: 1000, ...options })
    caches.push(cache)
    return { cache, trace: traceOf(cache) }
  }

  it('refreshes in time for a leader to die and another to take over', async () => {
    const { cache } = open()
    let runs = 0
    cache.keepFresh('key', () => ++runs)
    await pass(20)
    expect(runs).toBe(1)
    // A tenth of the ttl is more than two leases.
    await pass(53_900)
    expect(runs).toBe(1)
    await pass(400)
    expect(runs).toBe(2)
  })

  it('of a short ttl refreshes when half of it is over', async () => {
    const { cache } = open({ ttl: 1000 })
    let runs = 0
    cache.keepFresh('key', () => ++runs)
    await pass(20)
    for (let i = 0; i < 20; i++) {
      await pass(100)
      expect(await cache.get('key')).toBeDefined()
    }
    expect(runs).toBe(5)
  })

  it('a loader that is slower than the ttl does not pile up', async () => {
    const { cache, trace } = open({ ttl: 100 })
    const origin = createOrigin()
    cache.keepFresh('key', origin.load)
    await pass(20)
    for (let i = 1; i <= 3; i++) {
      await pass(900)
      expect(origin.runs).toHaveLength(i)
      origin.runs[i - 1]?.finish('value')
      await pass(100)
    }
    expect(trace.of('keepFresh')).toEqual([])
  })

  it('what fails is told, and tried again after a second, then two, and so on', async () => {
    const { cache, trace } = open()
    let runs = 0
    let down = true
    cache.keepFresh('key', () => {
      runs++
      if (down) throw new Error('down')
      return 'value'
    })
    for (const [ms, expected] of [
      [20, 1],
      [970, 1],
      [50, 2],
      [1900, 2],
      [100, 3],
    ] as const) {
      await pass(ms)
      expect(runs).toBe(expected)
    }
    expect(trace.of('keepFresh').map(({ what, retryIn }) => [what, retryIn])).toEqual([
      ['key', 1000],
      ['key', 2000],
      ['key', 4000],
    ])
    down = false
    await pass(4000)
    expect(await cache.get('key')).toBe('value')
    await pass(100)
    expect(runs).toBe(4)
  })

  it('while the store does not answer nothing is computed for nobody', async () => {
    const store = gatedStore(memoryStore())
    const { cache, trace } = open({ store })
    store.silent = true
    let runs = 0
    cache.keepFresh('key', () => ++runs)
    await pass(1000)
    expect(runs).toBe(0)
    expect(trace.of('keepFresh')[0]?.error).toMatchObject({ message: 'the store does not answer' })
    store.silent = false
    await pass(2000)
    expect(runs).toBe(1)
  })

  it('a loader that hangs is one that has failed', async () => {
    const { cache, trace } = open({ maxFlightTime: 1000 })
    const origin = createOrigin()
    cache.keepFresh('key', origin.load)
    await pass(1200)
    expect(trace.of('keepFresh')[0]?.error).toMatchObject({ message: 'its loader takes longer than maxFlightTime' })
    await pass(1100)
    ;(await origin.started(2)).finish('value')
    await pass(20)
    expect(await cache.get('key')).toBe('value')
  })

  it('is looked at when it was invalidated, and not when something else was', async () => {
    const store = gatedStore(memoryStore())
    const [{ cache }, other] = [open({ store }), open({ store })]
    cache.keepFresh('key', () => 'value', { tags: ['t'] })
    await pass(500)
    const reads = store.count('read')
    for (const change of [
      () => other.cache.set('something', 'else'),
      () => other.cache.invalidate({ tags: ['u'] }),
      () => cache.delete('something'),
    ]) {
      await change()
      await pass(500)
    }
    expect(store.count('read')).toBe(reads)
    await other.cache.invalidate({ tags: ['t'] })
    await pass(500)
    expect(await cache.get('key')).toBe('value')
  })

  it('is looked at when messages come again: what was said before was not heard', async () => {
    let link!: Link
    const inner = memoryStore()
    const store = gatedStore({
      name: 'told',
      open(given) {
        link ??= given
        return inner.open(given)
      },
    })
    const { cache } = open({ store })
    let runs = 0
    cache.keepFresh('key', () => ++runs)
    await pass(500)
    link.tell({ type: 'inbox', confirmed: false })
    await createCache({ store: inner, namespace: 'atomcache', ttl: 1000 }).delete('key')
    await pass(20)
    link.tell({ type: 'inbox', confirmed: true })
    await pass(500)
    expect(runs).toBe(2)
  })

  it('ends where it is stopped, and with the cache', async () => {
    const { cache } = open({ ttl: 1000 })
    let runs = 0
    const kept = cache.keepFresh('key', () => ++runs)
    cache.keepFresh('other', () => 'value')
    await pass(20)
    kept.stop()
    kept.stop()
    await pass(5000)
    expect(runs).toBe(1)
    await cache.close()
    const after = cache.keepFresh('key', () => ++runs)
    await pass(5000)
    after.stop()
    expect(runs).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is nothing while the kill switch is on', async () => {
    let on = false
    const { cache } = open({ enabled: () => on })
    let runs = 0
    cache.keepFresh('key', () => ++runs)
    await pass(1000)
    expect(runs).toBe(0)
    on = true
    await pass(2000)
    expect(runs).toBe(1)
  })

  it('without an end is looked at now and then, and computed where it is gone', async () => {
    const store = memoryStore({ maxEntries: 1 })
    const { cache } = open({ store, ttl: Infinity })
    let runs = 0
    cache.keepFresh('key', () => ++runs)
    await pass(200_000)
    expect(runs).toBe(1)
    await createCache({ store, namespace: 'other', ttl: 1000 }).set('evicts', 1)
    await pass(60_100)
    expect(runs).toBe(2)
  })

  it('of a wrapped function takes its arguments', async () => {
    const { cache } = open()
    const product = cache.wrap((id: string) => `product ${id}`, { key: (id) => ['product', id], ttl: 1000 })
    product.keepFresh('42')
    await pass(20)
    expect(await product.get('42')).toBe('product 42')
  })

  it('refuses what it can not do', () => {
    const { cache } = open({ ttl: undefined })
    expect(() => cache.keepFresh('key', 'load' as never)).toThrow('keepFresh takes a key and a function')
    expect(() => cache.keepFresh('key', () => 1)).toThrow('keepFresh needs a ttl')
    expect(() => cache.keepFresh('key', () => 1, { ttl: -1 })).toThrow('ttl must be greater than 0')
    const signal = { ttl: 1, signal: new AbortController().signal } as object
    expect(() => cache.keepFresh('key', () => 1, signal)).toThrow('keepFresh has no option "signal"')
  })
})

/** Lets time pass in small steps, and what is due in it be done. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10) {
    await vi.advanceTimersByTimeAsync(Math.min(10, left))
    if (left % 100 === 0) await new Promise(setImmediate)
  }
  await new Promise(setImmediate)
}
