import { afterEach, describe, expect, it, vi } from 'vitest'
import { createCache, memoryStore } from '../../../src/index.ts'
import { onEveryStore } from '../everyStore.ts'
import { gatedStore } from '../gates.ts'
import { createOrigin } from '../origin.ts'
import { traceOf } from '../trace.ts'
import { setStale } from './staleness.ts'

const WINDOW = { staleWhileRevalidate: 60_000 }

onEveryStore((service) => {
  it('a stale value is answered at once, and refreshed by one instance; the others neither run nor ask again', async () => {
    const [a, b] = [await service.open(WINDOW), await service.open(WINDOW)]
    const origin = createOrigin()
    await setStale(a.cache, 'key', 'old', WINDOW)
    await b.trace.saw('invalidate')
    a.trace.clear()
    b.trace.clear()
    expect(await a.cache.getOrSet('key', origin.load)).toBe('old')
    const run = await origin.started()
    expect(await b.cache.getOrSet('key', origin.load)).toBe('old')
    await b.trace.saw('follow')
    for (const { cache } of [a, b, a, b]) expect(await cache.getOrSet('key', origin.load)).toBe('old')
    expect(a.trace.types).toEqual(['refresh', 'stale', 'lead', 'stale', 'stale'])
    expect(b.trace.types).toEqual(['refresh', 'stale', 'follow', 'stale', 'stale'])
    expect(a.trace.of('stale')[0]).toEqual({ type: 'stale', key: 'key', reason: 'revalidating' })
    run.finish('new')
    await Promise.all([a.trace.saw('publish'), b.trace.saw('followed')])
    for (const { cache } of [a, b]) {
      await vi.waitFor(() => expect(cache.stats().flights).toBe(0))
      expect(await cache.getOrSet('key', origin.load)).toBe('new')
    }
    expect(origin.runs).toHaveLength(1)
    expect(a.trace.types.at(-1)).toBe('hit')
    expect(b.trace.types.at(-1)).toBe('hit')
  })

  it('a refresh does not run on behalf of an instance that finds it done', async () => {
    const [a, b] = [await service.open(WINDOW), await service.open(WINDOW)]
    const gated = gatedStore(service.store)
    const late = await service.open({ ...WINDOW, store: gated })
    await setStale(a.cache, 'key', 'old', WINDOW)
    const claim = gated.before('claim')
    const origin = createOrigin()
    expect(await late.cache.getOrSet('key', origin.load)).toBe('old')
    await claim.reached
    await b.cache.set('key', 'new')
    claim.open()
    await vi.waitFor(() => expect(late.cache.stats().flights).toBe(0))
    expect(await late.cache.getOrSet('key', origin.load)).toBe('new')
    expect(origin.runs).toHaveLength(0)
  })

  it('its loader is told what is there; not where that was removed meanwhile', async () => {
    const gated = gatedStore(service.store)
    const [a, b] = [await service.open({ ...WINDOW, store: gated }), await service.open()]
    const seen: unknown[] = []
    const load = (context: { stale?: unknown }) => {
      seen.push('stale' in context ? context.stale : 'nothing')
      return 'new'
    }
    await setStale(a.cache, 'key', 'old', WINDOW)
    await a.cache.getOrSet('key', load)
    await a.trace.saw('publish')
    await setStale(a.cache, 'other', 'old', WINDOW)
    const claim = gated.before('claim')
    expect(await a.cache.getOrSet('other', load)).toBe('old')
    await claim.reached
    await b.cache.delete('other')
    claim.open()
    await a.trace.saw('publish', 2)
    await a.cache.getOrSet('fresh', load)
    expect(seen).toEqual(['old', 'nothing', 'nothing'])
  })

  it('a refresh that was begun before an invalidation is not stored, and nobody joins it after', async () => {
    const { cache, trace } = await service.open(WINDOW)
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', WINDOW)
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    const before = await origin.started()
    await cache.delete('key')
    const asked = cache.getOrSet('key', origin.load)
    const after = await origin.started(2)
    before.finish('of before')
    await trace.saw('fenced')
    after.finish('of after')
    expect(await asked).toBe('of after')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('of after')
  })

  it('who finds nothing while a refresh is under way waits for it', async () => {
    const gated = gatedStore(service.store)
    const { cache, trace } = await service.open({ ...WINDOW, store: gated })
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', { staleWhileRevalidate: 500 })
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    const run = await origin.started()
    // Its window ends.
    await vi.waitFor(async () => expect(await cache.entry('key')).toBeUndefined())
    const waiting = cache.getOrSet('key', origin.load)
    await trace.saw('join')
    run.finish('new')
    expect(await waiting).toBe('new')
    expect(origin.runs).toHaveLength(1)
  })

  it.each([
    ['may not be stored', { shouldCache: false }],
    ['has no ttl', { ttl: () => 0 }],
  ])('a new value that %s takes the old one with it', async (_, options) => {
    const [a, b] = [await service.open(WINDOW), await service.open(WINDOW)]
    await setStale(a.cache, 'key', 'old', WINDOW)
    let runs = 0
    const load = () => `new ${++runs}`
    expect(await a.cache.getOrSet('key', load, options)).toBe('old')
    await vi.waitFor(async () => expect(await b.cache.entry('key')).toBeUndefined())
    expect(await a.cache.getOrSet('key', load, options)).toBe('new 2')
  })

  it('where the refresher is closed another one takes over', async () => {
    const [a, b] = [await service.open(WINDOW), await service.open(WINDOW)]
    const [first, second] = [createOrigin(), createOrigin()]
    await setStale(a.cache, 'key', 'old', WINDOW)
    await a.cache.getOrSet('key', first.load)
    await first.started()
    expect(await b.cache.getOrSet('key', second.load)).toBe('old')
    await b.trace.saw('follow')
    await a.cache.close()
    ;(await second.started()).finish('new')
    await b.trace.saw('publish')
    expect(await b.cache.get('key')).toBe('new')
  })

  it('a stale value is none for get, has and getMany; entry says since when', async () => {
    const { cache } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', { ...WINDOW, tags: ['t'] })
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    expect(await cache.getMany(['key'])).toEqual([undefined])
    const entry = await cache.entry('key')
    expect(entry).toMatchObject({ value: 'old', tags: ['t'] })
    expect(entry?.ttl).toBeLessThan(0)
  })

  it('a forced refresh, and a claim, are for something new', async () => {
    const { cache } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    const claim = await cache.claim('key')
    expect(claim).toMatchObject({ role: 'leader', stale: 'old' })
    if (claim.role === 'leader') expect(await claim.publish('new')).toBe(true)
    expect(await cache.getOrSet('key', () => 'forced', { forceRefresh: true })).toBe('forced')
  })

  it('an invalidation by tag finds a value that is stale', async () => {
    const [a, b] = [await service.open(WINDOW), await service.open(WINDOW)]
    await setStale(a.cache, 'key', 'old', { ...WINDOW, tags: ['t'] })
    await b.cache.invalidate({ tags: ['t'] })
    expect(await a.cache.entry('key')).toBeUndefined()
    expect(await a.cache.getOrSet('key', () => 'new')).toBe('new')
  })
})

describe('after a refresh that failed', () => {
  afterEach(() => void vi.useRealTimers())

  it('the stale value is answered, and the next attempt is after a second, then two, and so on', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const cache = createCache({ ttl: 10, staleWhileRevalidate: 600_000, store: memoryStore() })
    const trace = traceOf(cache)
    let runs = 0
    const fail = () => {
      runs++
      throw new Error('down')
    }
    await cache.set('key', 'old')
    vi.advanceTimersByTime(20)
    for (const [after, expected] of [
      [0, 1],
      [999, 1],
      [2, 2],
      [1998, 2],
      [3, 3],
      [3990, 3],
      [20, 4],
    ] as const) {
      vi.advanceTimersByTime(after)
      expect(await cache.getOrSet('key', fail)).toBe('old')
      await new Promise(setImmediate)
      expect(runs).toBe(expected)
    }
    expect(trace.of('refresh')).toHaveLength(4)
    vi.advanceTimersByTime(8001)
    expect(await cache.getOrSet('key', () => 'new')).toBe('old')
    await new Promise(setImmediate)
    expect(await cache.getOrSet('key', fail)).toBe('new')
    // A success forgets the failures.
    vi.advanceTimersByTime(20)
    for (const after of [0, 1001]) {
      vi.advanceTimersByTime(after)
      await cache.getOrSet('key', fail)
      await new Promise(setImmediate)
    }
    expect(runs).toBe(6)
    vi.restoreAllMocks()
    await cache.close()
  })
})
