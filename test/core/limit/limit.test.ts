import { expect, it, vi } from 'vitest'
import { WaitTimeoutError } from '../../../src/index.ts'
import { onEveryStore } from '../everyStore.ts'
import { setStale } from '../freshness/staleness.ts'
import { gatedStore } from '../gates.ts'
import { createOrigin } from '../origin.ts'

const ONE = { limit: { group: 'database', leaders: 1 } }

onEveryStore((service) => {
  it('so many loaders of a group run at once, over all instances, and the others in the order they came', async () => {
    const limit = { group: 'database', leaders: 2 }
    const [a, b] = [await service.open({ limit }), await service.open({ limit })]
    const origin = createOrigin()
    const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5']
    const asked: Promise<unknown>[] = []
    for (const [i, key] of keys.entries()) {
      const { cache, trace } = i % 2 === 0 ? a : b
      const waits = i < 2 ? undefined : trace.saw('queue', Math.floor(i / 2))
      asked.push(cache.getOrSet(key, origin.load))
      await (waits ?? origin.started(i + 1))
    }
    expect(a.cache.stats().places).toEqual({ database: { running: 1, waiting: 2 } })
    expect([...a.trace.of('queue'), ...b.trace.of('queue')].map(({ ahead }) => ahead)).toEqual([0, 2, 1, 3])
    for (const i of keys.keys()) {
      expect(origin.runs.length).toBe(Math.min(i + 2, keys.length))
      origin.runs[i]?.finish(`value ${i}`)
      if (i + 2 < keys.length) await origin.started(i + 3)
    }
    expect(origin.runs.map(({ key }) => key)).toEqual(keys)
    expect(await Promise.all(asked)).toEqual(keys.map((_, i) => `value ${i}`))
    expect(a.trace.of('admit')).toMatchObject([
      { type: 'admit', key: 'k2', group: 'database' },
      { type: 'admit', key: 'k4', group: 'database' },
    ])
    expect(a.cache.stats().places).toEqual({})
  })

  it('who waits for a key waits for it wherever its leader stands, and other groups and keys without a limit wait for nobody', async () => {
    const [a, b] = [await service.open(ONE), await service.open(ONE)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = a.cache.getOrSet('second', origin.load)
    await a.trace.saw('queue')
    const followed = b.cache.getOrSet('second', origin.load)
    await b.trace.saw('follow')
    expect(await b.cache.getOrSet('free', () => 'free', { limit: { group: 'search', leaders: 1 } })).toBe('free')
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    expect(await Promise.all([first, second, followed])).toEqual(['one', 'two', 'two'])
    expect(origin.runs).toHaveLength(2)
  })

  it('a loader that fails gives its place back', async () => {
    const { cache, trace } = await service.open(ONE)
    const origin = createOrigin()
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    const second = cache.getOrSet('second', origin.load)
    await trace.saw('queue')
    origin.runs[0]?.fail(new Error('down'))
    await expect(first).rejects.toThrow('down')
    ;(await origin.started(2)).finish('two')
    expect(await second).toBe('two')
  })

  it('who leaves the queue lets those behind it move up, and its loader never runs', async () => {
    const [a, b] = [await service.open(ONE), await service.open(ONE)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const leaves = new AbortController()
    const second = a.cache.getOrSet('second', origin.load, { signal: leaves.signal })
    await a.trace.saw('queue')
    const third = b.cache.getOrSet('third', origin.load)
    expect((await b.trace.saw('queue')).ahead).toBe(1)
    leaves.abort()
    await expect(second).rejects.toThrow('aborted')
    await a.trace.saw('release')
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('three')
    expect(await Promise.all([first, third])).toEqual(['one', 'three'])
    expect(origin.runs.map(({ key }) => key)).toEqual(['first', 'third'])
  })

  it('what is stale is answered while its leader waits, in every instance, and to whoever comes then', async () => {
    const window = { staleIfError: 60_000 }
    const [a, b] = [await service.open({ ...ONE, ...window }), await service.open({ ...ONE, ...window })]
    const origin = createOrigin()
    await setStale(a.cache, 'key', 'old', window)
    const other = a.cache.getOrSet('other', origin.load)
    await origin.started()
    expect(await a.cache.getOrSet('key', origin.load)).toBe('old')
    expect(await b.cache.getOrSet('key', origin.load)).toBe('old')
    expect(await a.cache.getOrSet('key', origin.load)).toBe('old')
    expect(await b.cache.getOrSet('key', origin.load)).toBe('old')
    for (const { trace } of [a, b]) {
      expect(trace.of('stale')).toEqual(Array(2).fill({ type: 'stale', key: 'key', reason: 'queue' }))
    }
    origin.runs[0]?.finish('other')
    ;(await origin.started(2)).finish('new')
    await a.trace.saw('publish', 2)
    expect(await b.cache.getOrSet('key', origin.load)).toBe('new')
    expect(await other).toBe('other')
    expect(origin.runs).toHaveLength(2)
  })

  it('those who follow a leader that queues only later get what is stale then', async () => {
    const window = { staleIfError: 60_000 }
    const gated = gatedStore(service.store)
    const [a, b] = [await service.open({ ...ONE, ...window, store: gated }), await service.open({ ...ONE, ...window })]
    const origin = createOrigin()
    await setStale(a.cache, 'key', 'old', window)
    const other = b.cache.getOrSet('other', origin.load)
    await origin.started()
    const enter = gated.before('enter')
    const led = a.cache.getOrSet('key', origin.load)
    await enter.reached
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    enter.open()
    expect(await Promise.all([led, followed])).toEqual(['old', 'old'])
    origin.runs[0]?.finish('other')
    ;(await origin.started(2)).finish('new')
    expect(await other).toBe('other')
  })

  it('an invalidation of what waits ends its flight: it is asked for anew, and computed once', async () => {
    const leaseTtl = 300
    const [a, b] = [await service.open({ ...ONE, leaseTtl }), await service.open({ ...ONE, leaseTtl })]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = a.cache.getOrSet('second', origin.load)
    await a.trace.saw('queue')
    await b.cache.invalidate({ keys: ['second'] })
    // Its next renewal tells it.
    await a.trace.saw('fenced')
    await a.trace.saw('queue', 2)
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
    expect(origin.runs).toHaveLength(2)
    expect(await b.cache.get('second')).toBe('two')
  })

  it('the wait is no part of maxFlightTime', async () => {
    const short = { ...ONE, leaseTtl: 300, maxFlightTime: 300, waitTimeout: 60_000 }
    const [a, b] = [await service.open({ ...ONE }), await service.open(short)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = b.cache.getOrSet('second', origin.load)
    await b.trace.saw('queue')
    // Beyond the longest flight.
    const queuedAt = performance.now()
    await vi.waitUntil(() => performance.now() - queuedAt > 700)
    expect(b.trace.of('overdue')).toEqual([])
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
    await b.trace.saw('publish')
    expect(await a.cache.get('second')).toBe('two')
  })

  it('a place is kept for as long as its loader runs, however short the lease', async () => {
    const short = { ...ONE, leaseTtl: 200, maxFlightTime: 60_000 }
    const [a, b] = [await service.open(short), await service.open(short)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = b.cache.getOrSet('second', origin.load)
    await b.trace.saw('queue')
    const queuedAt = performance.now()
    await vi.waitUntil(() => performance.now() - queuedAt > 700)
    expect(origin.runs).toHaveLength(1)
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
  })

  it('a loader that had to wait has maxFlightTime for itself', async () => {
    const short = { ...ONE, leaseTtl: 300, maxFlightTime: 900, waitTimeout: 60_000 }
    const [a, b] = [await service.open(ONE), await service.open(short)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = b.cache.getOrSet('second', origin.load)
    await b.trace.saw('queue')
    const queuedAt = performance.now()
    const passed = (ms: number) => vi.waitUntil(() => performance.now() - queuedAt > ms)
    await passed(700)
    origin.runs[0]?.finish('one')
    const run = await origin.started(2)
    await passed(1100)
    expect(b.trace.of('overdue')).toEqual([])
    run.finish('two')
    await b.trace.saw('publish')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
  })

  it('one reply that does not come costs nobody the stand', async () => {
    const gated = gatedStore(service.store)
    const short = { ...ONE, leaseTtl: 3000, commandTimeout: 100 }
    const [a, b] = [await service.open(ONE), await service.open({ ...short, store: gated })]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = b.cache.getOrSet('second', origin.load)
    await b.trace.saw('queue')
    const lost = gated.before('enter')
    await b.trace.saw('storeFault')
    expect(origin.runs).toHaveLength(1)
    lost.open()
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
  })

  it('who leaves, or is invalidated, before it is known whether there is a place never loads', async () => {
    const gated = gatedStore(service.store)
    const { cache, trace } = await service.open({ ...ONE, store: gated, leaseTtl: 300 })
    const origin = createOrigin()
    const enter = gated.before('enter')
    const leaves = new AbortController()
    const left = cache.getOrSet('left', origin.load, { signal: leaves.signal })
    await enter.reached
    leaves.abort()
    await expect(left).rejects.toThrow('aborted')
    await trace.saw('release')
    enter.open()
    expect(await cache.getOrSet('next', () => 'next')).toBe('next')
    const again = gated.before('enter')
    const invalidated = cache.getOrSet('invalidated', origin.load)
    await again.reached
    await cache.invalidate({ keys: ['invalidated'] })
    await trace.saw('fenced')
    again.open()
    ;(await origin.started()).finish('new')
    expect(await invalidated).toBe('new')
    expect(origin.runs).toHaveLength(1)
    await trace.saw('publish', 2)
    expect(cache.stats().places).toEqual({})
  })

  it('what a loader leaves behind needs a place of its own', async () => {
    const { cache, trace } = await service.open(ONE)
    const origin = createOrigin()
    let ended!: () => void
    const after = new Promise<void>((resolve) => {
      ended = resolve
    })
    let behind: Promise<unknown> | undefined
    await cache.getOrSet('outer', () => {
      behind = after.then(() => cache.getOrSet('behind', origin.load))
      return 'outer'
    })
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    ended()
    await trace.saw('queue')
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    expect(await Promise.all([first, behind])).toEqual(['one', 'two'])
  })

  it('a call may say that there is no limit for it', async () => {
    const { cache } = await service.open(ONE)
    const origin = createOrigin()
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    expect(await cache.getOrSet('free', () => 'free', { limit: false })).toBe('free')
    origin.runs[0]?.finish('one')
    expect(await first).toBe('one')
  })

  it('a loader that hangs keeps its place no longer than maxFlightTime', async () => {
    const { cache, trace } = await service.open({ ...ONE, leaseTtl: 100, maxFlightTime: 200 })
    const origin = createOrigin()
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    const second = cache.getOrSet('second', origin.load)
    await trace.saw('queue')
    ;(await origin.started(2)).finish('two')
    expect(await second).toBe('two')
    origin.runs[0]?.finish('one')
    expect(await first).toBe('one')
  })

  it('who has waited for a place for as long as it wants to throws, or loads beside the limit', async () => {
    const { cache, trace } = await service.open({ ...ONE, waitTimeout: 50 })
    const origin = createOrigin()
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    const thrown = await cache.getOrSet('second', origin.load, { onWaitTimeout: 'throw' }).catch((error) => error)
    expect(thrown).toBeInstanceOf(WaitTimeoutError)
    expect(thrown.message).toBe('waited 50 ms for second, and a place in the group database')
    const third = cache.getOrSet('third', origin.load)
    ;(await origin.started(2)).finish('three')
    expect(await third).toBe('three')
    expect(trace.of('alone')).toEqual([{ type: 'alone', key: 'third', reason: 'waitTimeout' }])
    origin.runs[0]?.finish('one')
    expect(await first).toBe('one')
  })
})
