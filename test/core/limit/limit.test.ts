import { describe, expect, it, vi } from 'vitest'
import { createCache, memoryStore, StoreError, WaitTimeoutError } from '../../../src/index.ts'
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

  it('a loader that asks for another key of its group, or for many, needs no second place', async () => {
    const { cache } = await service.open(ONE)
    const value = await cache.getOrSet('outer', async () => {
      const inner = await cache.getOrSet('inner', () => 'inner')
      const many = await cache.getOrSetMany(['m1', 'm2'], (keys) => keys.map(String))
      return [inner, ...many]
    })
    expect(value).toEqual(['inner', 'm1', 'm2'])
  })

  it('keys that one loader computes together need one place', async () => {
    const [a, b] = [await service.open(ONE), await service.open(ONE)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const loaded: string[][] = []
    const many = b.cache.getOrSetMany(['m1', 'm2', 'm3'], (keys) => {
      loaded.push(keys.map(String))
      return keys.map((key) => `of ${key}`)
    })
    await b.trace.saw('queue', 3)
    const last = a.cache.getOrSet('last', origin.load)
    expect((await a.trace.saw('queue')).ahead).toBe(1)
    origin.runs[0]?.finish('one')
    expect(await many).toEqual(['of m1', 'of m2', 'of m3'])
    expect(loaded).toEqual([['m1', 'm2', 'm3']])
    ;(await origin.started(2)).finish('last')
    expect(await Promise.all([first, last])).toEqual(['one', 'last'])
  })

  it('a claim of one’s own is handed out when there is a place, which its end gives back', async () => {
    const { cache, trace } = await service.open(ONE)
    const first = await cache.claim('first')
    if (first.role !== 'leader') throw new Error(first.role)
    const second = cache.claim('second')
    await trace.saw('queue')
    await first.publish('one')
    const next = await second
    if (next.role !== 'leader') throw new Error(next.role)
    await next.release()
    expect(await cache.getOrSet('third', () => 'three')).toBe('three')
  })

  it('a refresh behind answers waits for its place too', async () => {
    const window = { staleWhileRevalidate: 60_000 }
    const { cache, trace } = await service.open({ ...ONE, ...window })
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', window)
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    await trace.saw('queue')
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('new')
    await trace.saw('publish', 2)
    expect(await cache.get('key')).toBe('new')
    expect(await first).toBe('one')
  })

  it('a cache that is closed gives back its places, and those it waits for', async () => {
    const [a, b] = [await service.open(ONE), await service.open(ONE)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = a.cache.getOrSet('second', origin.load)
    await a.trace.saw('queue')
    const third = b.cache.getOrSet('third', origin.load)
    expect((await b.trace.saw('queue')).ahead).toBe(1)
    const closed = a.cache.close()
    expect((await origin.started(2)).key).toBe('third')
    // What it runs for its own callers it still runs one after another.
    await closed
    expect(origin.runs).toHaveLength(2)
    origin.runs[0]?.finish('one')
    expect((await origin.started(3)).key).toBe('second')
    origin.runs[1]?.finish('three')
    origin.runs[2]?.finish('two')
    expect(await Promise.all([first, second, third])).toEqual(['one', 'two', 'three'])
  })
})

describe('where the store does not answer', () => {
  it('each instance keeps to the limit by itself, in order', async () => {
    const gated = gatedStore(memoryStore())
    const cache = createCache({ store: gated, ttl: 60_000, ...ONE })
    gated.fails(new StoreError('UNREACHABLE', 'no connection'))
    const faults: string[] = []
    cache.on('storeFault', ({ op }) => faults.push(op))
    const origin = createOrigin()
    const asked = ['k0', 'k1', 'k2'].map((key) => cache.getOrSet(key, origin.load))
    for (const i of [0, 1, 2]) {
      const run = await origin.started(i + 1)
      await vi.waitUntil(() => faults.length >= 6)
      expect(origin.runs).toHaveLength(i + 1)
      run.finish(`value ${i}`)
    }
    expect(await Promise.all(asked)).toEqual(['value 0', 'value 1', 'value 2'])
    await cache.close()
  })

  it('a place of the store counts among those of the instance', async () => {
    const gated = gatedStore(memoryStore())
    const cache = createCache({ store: gated, ttl: 60_000, ...ONE })
    const origin = createOrigin()
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    gated.fails(new StoreError('UNREACHABLE', 'no connection'))
    const heard = new Promise((resolve) => cache.on('alone', resolve))
    const faulted = new Promise<void>((resolve) => cache.on('storeFault', ({ op }) => op === 'enter' && resolve()))
    const second = cache.getOrSet('second', origin.load)
    await faulted
    expect(origin.runs).toHaveLength(1)
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    await heard
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
    await cache.close()
  })
})

describe('where the store does not answer for a while', () => {
  it('what is stale is answered, those who wait go back to its queue, and no place is forgotten', async () => {
    const gated = gatedStore(memoryStore())
    const window = { staleIfError: 60_000 }
    const breaker = { failures: 1, retryAfter: 50 }
    const options = { ttl: 60_000, ...ONE, ...window, breaker, namespace: 'while' }
    const [a, b] = [createCache({ store: gated, ...options }), createCache({ store: gated, ...options })]
    await setStale(a, 'key', 'old', window)
    const origin = createOrigin()
    const first = a.getOrSet('first', origin.load)
    await origin.started()
    const second = b.getOrSet('second', origin.load)
    await vi.waitUntil(() => b.stats().events.queue === 1)
    gated.fails(new StoreError('REFUSED', 'no right'), 'enter')
    expect(await a.getOrSet('key', origin.load)).toBe('old')
    expect(a.stats().places).toEqual({ database: { running: 1, waiting: 1 } })
    gated.heals()
    const before = gated.count('enter')
    // A's second ticket stands behind B's.
    await gated.asked('enter', before + 1)
    origin.runs[0]?.finish('one')
    expect((await origin.started(2)).key).toBe('second')
    origin.runs[1]?.finish('two')
    ;(await origin.started(3)).finish('new')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
    await vi.waitUntil(() => Object.keys(a.stats().places).length === 0)
    await Promise.all([a.close(), b.close()])
  })

  it('a place is left that a renewal was not answered for', async () => {
    const gated = gatedStore(memoryStore())
    const options = { ttl: 60_000, ...ONE, breaker: { failures: 1, retryAfter: 60_000 }, namespace: 'left' }
    const [a, b] = [createCache({ store: gated, ...options, leaseTtl: 900 }), createCache({ store: gated, ...options })]
    const origin = createOrigin()
    const first = a.getOrSet('first', origin.load)
    await origin.started()
    const other = b.getOrSet('other', origin.load)
    await vi.waitUntil(() => b.stats().events.queue === 1)
    gated.fails(new StoreError('UNREACHABLE', 'away'), 'read')
    await a.get('x')
    expect(a.stats().breaker).toBe('open')
    gated.heals()
    // Its renewal is not sent meanwhile.
    const openedAt = performance.now()
    await vi.waitUntil(() => performance.now() - openedAt > 500)
    origin.runs[0]?.finish('one')
    expect(await first).toBe('one')
    await gated.asked('leave', 1)
    ;(await origin.started(2)).finish('other')
    expect(await other).toBe('other')
    await Promise.all([a.close(), b.close()])
  })
})

describe('a limit', () => {
  it.each([
    [5, 'limit must be { group, leaders }, or false for none, got 5'],
    [{ group: '', leaders: 1 }, 'limit.group must be a well-formed text that is not empty, got ""'],
    [{ group: '\ud800', leaders: 1 }, 'limit.group must be a well-formed text that is not empty, got "\\ud800"'],
    [{ group: 'g', leaders: 0 }, 'limit.leaders must be an integer of at least 1, got 0'],
    [{ group: 'g', leaders: 1.5 }, 'limit.leaders must be an integer of at least 1, got 1.5'],
    [{ group: 'g' }, 'limit.leaders must be an integer of at least 1, got undefined'],
    [{ group: 'g', leaders: 1, places: 2 }, 'limit has no option "places"; it has group, leaders'],
  ])('that can’t be is refused: %j', async (limit, message) => {
    expect(() => createCache({ limit: limit as never })).toThrow(message)
  })
})
