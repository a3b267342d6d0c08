import { afterEach, describe, expect, it, vi } from 'vitest'
import { createCache, memoryStore, StoreError } from '../../../src/index.ts'
import { onEveryStore } from '../everyStore.ts'
import { gatedStore } from '../gates.ts'
import { createOrigin } from '../origin.ts'
import { traceOf } from '../trace.ts'
import { setStale } from './staleness.ts'

const WINDOW = { staleWhileRevalidate: 60_000 }

onEveryStore((service) => {
  it('invalidations of tags begin no second refresh beside the one under way, and count no failure twice', async () => {
    const { cache, trace } = await service.open(WINDOW)
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', WINDOW)
    for (let i = 0; i < 5; i++) {
      expect(await cache.getOrSet('key', origin.load)).toBe('old')
      await origin.started()
      await cache.invalidate({ tags: ['of something else'] })
    }
    expect(trace.of('refresh')).toHaveLength(1)
    expect(trace.of('follow')).toHaveLength(0)
    origin.runs[0]?.finish('new')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('new')
  })

  it('a forced refresh does not take what a refresh that finds it done would give', async () => {
    const gated = gatedStore(service.store)
    const [a, b] = [await service.open(WINDOW), await service.open({ ...WINDOW, store: gated })]
    await setStale(a.cache, 'key', 'old', WINDOW)
    const claim = gated.before('claim')
    expect(await b.cache.getOrSet('key', () => 'never')).toBe('old')
    await claim.reached
    await a.cache.getOrSet('key', () => 'of A')
    await a.trace.saw('publish')
    const forced = b.cache.getOrSet('key', () => 'forced', { forceRefresh: true })
    claim.open()
    expect(await forced).toBe('forced')
  })

  it('a refresh that an invalidation has fenced is no failure: the next one begins at once', async () => {
    const { cache, trace } = await service.open(WINDOW)
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', WINDOW)
    await cache.getOrSet('key', origin.load)
    const run = await origin.started()
    await cache.set('key', 'set', { ttl: 1, ...WINDOW })
    run.finish('fenced')
    await trace.saw('fenced')
    await vi.waitFor(async () => expect((await cache.entry('key'))?.ttl).toBeLessThan(0))
    expect(await cache.getOrSet('key', origin.load)).toBe('set')
    ;(await origin.started(2)).finish('new')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('new')
  })

  it('an invalidation forgets what has failed before it', async () => {
    const { cache, trace } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    await cache.getOrSet('key', () => Promise.reject(new Error('down')))
    await trace.saw('loaderError')
    await vi.waitFor(() => expect(cache.stats().flights).toBe(0))
    await setStale(cache, 'key', 'newer', WINDOW)
    expect(await cache.getOrSet('key', () => 'new')).toBe('newer')
    await trace.saw('publish')
  })

  it('a forced refresh that fails leaves what is there', async () => {
    const { cache } = await service.open({ errorTtl: 60_000 })
    await cache.set('key', 'good')
    await expect(
      cache.getOrSet('key', () => Promise.reject(new Error('down')), { forceRefresh: true }),
    ).rejects.toThrow('down')
    await vi.waitFor(() => expect(cache.stats().flights).toBe(0))
    expect(await cache.get('key')).toBe('good')
    const claim = await cache.claim('key', { forceRefresh: true })
    if (claim.role !== 'leader') throw new Error(claim.role)
    await claim.fail(new Error('down'))
    expect(await cache.get('key')).toBe('good')
  })

  it('a loader without a flight is told nothing stale: that may be gone', async () => {
    const gated = gatedStore(service.store)
    const { cache } = await service.open({ staleIfError: 60_000, store: gated })
    await setStale(cache, 'key', 'old', { staleIfError: 60_000 })
    gated.fails(new StoreError('REFUSED', 'no claims'), 'claim')
    expect(await cache.getOrSet('key', ({ stale }) => `made of ${stale}`)).toBe('made of undefined')
  })

  it('while a refresh is slow all but the first get the stale value at once, in the other window too', async () => {
    const options = { staleWhileRevalidate: 100, staleIfError: 60_000, softTimeout: 50 }
    const { cache } = await service.open(options)
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', {})
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    await origin.started()
    await vi.waitFor(async () => expect((await cache.entry('key'))?.ttl).toBeLessThan(-100))
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    // It waited for it; who comes now would wait for ever.
    expect(await cache.getOrSet('key', origin.load, { softTimeout: Infinity })).toBe('old')
    expect(origin.runs).toHaveLength(1)
  })

  it('a claim over a stale value keeps nobody waiting who may have that', async () => {
    const { cache } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    const claim = await cache.claim('key')
    expect(claim.role).toBe('leader')
    expect(await cache.getOrSet('key', () => 'never')).toBe('old')
    if (claim.role === 'leader') await claim.publish('new')
    expect(await cache.get('key')).toBe('new')
  })

  it('who claims, and waits for a leader that fails, gets the stale value as others do', async () => {
    const [a, b] = [await service.open({ staleIfError: 60_000 }), await service.open({ staleIfError: 60_000 })]
    await setStale(a.cache, 'key', 'old', { staleIfError: 60_000 })
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const claimed = b.cache.claim('key')
    await b.trace.saw('follow')
    run.fail(new Error('down'))
    expect(await led).toBe('old')
    expect(await claimed).toEqual({ role: 'hit', value: 'old' })
  })

  it('what is gone for the leader is gone for those who wait in other instances', async () => {
    const [a, b] = [await service.open({ staleIfError: 60_000 }), await service.open({ staleIfError: 60_000 })]
    await setStale(a.cache, 'key', 'old', { staleIfError: 60_000 })
    const origin = createOrigin()
    const led = expect(a.cache.getOrSet('key', origin.load)).rejects.toThrow('no such product')
    const run = await origin.started()
    const followed = expect(b.cache.getOrSet('key', origin.load)).rejects.toMatchObject({ status: 404 })
    await b.trace.saw('follow')
    // As got has it.
    run.fail(Object.assign(new Error('no such product'), { response: { statusCode: 404 } }))
    await Promise.all([led, followed])
  })

  it.each([
    ['staleWhileRevalidate', { code: 'NOT_FOUND' }, undefined],
    ['staleWhileRevalidate', { status: 401 }, 'old'],
    ['staleWhileRevalidate', { status: 503 }, 'old'],
    ['staleIfError', { code: 'NOT_FOUND' }, undefined],
    ['staleIfError', { status: 403 }, 'old'],
  ])('within %s, after an error with %o, there is %s', async (window, said, left) => {
    const options = { [window]: 60_000 }
    const { cache, trace } = await service.open(options)
    await setStale(cache, 'key', 'old', options)
    const fail = () => Promise.reject(Object.assign(new Error('no'), said))
    await cache.getOrSet('key', fail).catch(() => undefined)
    await trace.saw('loaderError')
    await vi.waitFor(() => expect(cache.stats().flights).toBe(0))
    await vi.waitFor(async () => expect((await cache.entry('key'))?.value).toBe(left))
    if (left === undefined) await expect(cache.getOrSet('key', fail)).rejects.toThrow('no')
  })

  it('warm refreshes what is stale, so many at once, and tells what failed', async () => {
    const { cache } = await service.open(WINDOW)
    const keys = Array.from({ length: 10 }, (_, i) => `key:${i}`)
    await cache.setMany(
      keys.map((key) => [key, 'old'] as const),
      { ttl: 1, ...WINDOW },
    )
    await vi.waitFor(async () => expect((await cache.entry('key:9'))?.ttl).toBeLessThan(0))
    let [running, most] = [0, 0]
    const error = new Error('no 3')
    const load = async (key: string) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
      if (key === 'key:3') throw error
      return 'new'
    }
    expect(await cache.warm(keys, load, { concurrency: 2 })).toEqual({
      loaded: 9,
      present: 0,
      failed: [{ key: 'key:3', error }],
    })
    expect(most).toBe(2)
    expect(await cache.getMany(keys)).toEqual(keys.map((key) => (key === 'key:3' ? undefined : 'new')))
  })
})

describe('a loader that hangs', () => {
  afterEach(() => void vi.useRealTimers())

  it('behind an answer is given up when its flight is too old, and is one that has failed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    const cache = createCache({ ttl: 10, ...WINDOW, leaseTtl: 100, maxFlightTime: 200, store: memoryStore() })
    const trace = traceOf(cache)
    const origin = createOrigin()
    await cache.set('key', 'old')
    vi.advanceTimersByTime(20)
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    const run = await origin.started()
    for (let i = 0; i < 6; i++) await vi.advanceTimersByTimeAsync(50)
    expect(trace.of('overdue')).toHaveLength(1)
    expect(run.signal.aborted).toBe(true)
    expect(cache.stats().flights).toBe(0)
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    expect(origin.runs).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1300)
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    await origin.started(2)
    await cache.close()
  })

  it('whose callers were all served something stale is given up too', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    const options = { ttl: 10, staleIfError: 600_000, softTimeout: 20, leaseTtl: 100, maxFlightTime: 200 }
    const cache = createCache({ ...options, store: memoryStore() })
    const origin = createOrigin()
    await cache.set('key', 'old')
    vi.advanceTimersByTime(20)
    const asked = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    await vi.advanceTimersByTimeAsync(30)
    expect(await asked).toBe('old')
    for (let i = 0; i < 6; i++) await vi.advanceTimersByTimeAsync(50)
    expect(run.signal.aborted).toBe(true)
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    expect(origin.runs).toHaveLength(1)
    await cache.close()
  })
})
