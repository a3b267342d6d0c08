import { afterEach, describe, expect, it, vi } from 'vitest'
import { createCache, LoaderError, memoryStore, StoreError } from '../../../src/index.ts'
import { onEveryStore } from '../everyStore.ts'
import { gatedStore } from '../gates.ts'
import { createOrigin } from '../origin.ts'
import { traceOf } from '../trace.ts'
import { setStale } from './staleness.ts'

const WINDOW = { staleIfError: 60_000 }

onEveryStore((service) => {
  it('a loader that fails is asked once, and the stale value answered for a while', async () => {
    const { cache, trace } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    trace.clear()
    let runs = 0
    const fail = () => {
      runs++
      throw new Error('down')
    }
    for (let i = 0; i < 5; i++) expect(await cache.getOrSet('key', fail)).toBe('old')
    expect(runs).toBe(1)
    expect(trace.types).toEqual(['miss', 'lead', 'loaderError', 'stale', 'stale', 'stale', 'stale', 'stale'])
    expect(trace.of('stale')[0]).toEqual({ type: 'stale', key: 'key', reason: 'error' })
  })

  it('all who wait get it, in every instance', async () => {
    const [a, b] = [await service.open(WINDOW), await service.open(WINDOW)]
    await setStale(a.cache, 'key', 'old', WINDOW)
    const origin = createOrigin()
    const asked = [a.cache.getOrSet('key', origin.load), a.cache.getOrSet('key', origin.load)]
    const run = await origin.started()
    asked.push(b.cache.getOrSet('key', origin.load), b.cache.getOrSet('key', origin.load))
    await b.trace.saw('join')
    await b.trace.saw('follow')
    run.fail(new Error('down'))
    expect(await Promise.all(asked)).toEqual(['old', 'old', 'old', 'old'])
    expect(await b.cache.getOrSet('key', origin.load)).toBe('old')
    expect(origin.runs).toHaveLength(1)
  })

  it('a loader that works replaces it', async () => {
    const { cache, trace } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    expect(await cache.getOrSet('key', ({ stale }) => `new, not ${stale}`)).toBe('new, not old')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('new, not old')
  })

  it.each([
    ['a 404', { status: 404 }],
    ['NOT_FOUND', { code: 'NOT_FOUND' }],
    ['401', { statusCode: 401 }],
    ['FORBIDDEN of GraphQL', { extensions: { code: 'FORBIDDEN' } }],
    ['a 403 behind another error', { cause: { extensions: { http: { status: 403 } } } }],
  ])('%s is no outage: it is thrown, each time', async (_, said) => {
    const { cache } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    const error = Object.assign(new Error('no'), said)
    for (let i = 0; i < 2; i++) {
      const fail = () => {
        throw error
      }
      await expect(cache.getOrSet('key', fail)).rejects.toBe(error)
    }
  })

  it.each([[{ status: 429 }], [{ status: 408 }], [{ status: 503 }], [{ code: 'ECONNREFUSED' }], [{}]])(
    'an error with %o is an outage',
    async (said) => {
      const { cache } = await service.open(WINDOW)
      await setStale(cache, 'key', 'old', WINDOW)
      const fail = () => Promise.reject(Object.assign(new Error('no'), said))
      expect(await cache.getOrSet('key', fail)).toBe('old')
    },
  )

  it('isOutage decides; where it fails the error is thrown, and that told', async () => {
    const { cache, trace } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    const fail = () => {
      throw Object.assign(new Error('down'), { status: 404 })
    }
    const broken = () => {
      throw new Error('broken')
    }
    await expect(cache.getOrSet('key', fail, { isOutage: broken })).rejects.toThrow('down')
    expect(trace.of('policyError')[0]).toMatchObject({ key: 'key', option: 'isOutage' })
    expect(await cache.getOrSet('key', fail, { isOutage: () => true })).toBe('old')
  })

  it('a loader slower than softTimeout goes on behind the stale value, which others get at once', async () => {
    const options = { ...WINDOW, softTimeout: 20 }
    const { cache, trace } = await service.open(options)
    await setStale(cache, 'key', 'old', WINDOW)
    const origin = createOrigin()
    const [first, second] = [cache.getOrSet('key', origin.load), cache.getOrSet('key', origin.load)]
    const run = await origin.started()
    expect(await Promise.all([first, second])).toEqual(['old', 'old'])
    expect(trace.of('stale')).toHaveLength(2)
    expect(trace.of('stale')[0]).toEqual({ type: 'stale', key: 'key', reason: 'softTimeout' })
    // Would wait for ever if it waited.
    expect(await cache.getOrSet('key', origin.load, { softTimeout: Infinity })).toBe('old')
    expect(run.signal.aborted).toBe(false)
    run.finish('new')
    await trace.saw('publish')
    expect(await cache.getOrSet('key', origin.load)).toBe('new')
    expect(origin.runs).toHaveLength(1)
  })

  it("a follower's softTimeout counts as well", async () => {
    const [a, b] = [await service.open(WINDOW), await service.open({ ...WINDOW, softTimeout: 20 })]
    await setStale(a.cache, 'key', 'old', WINDOW)
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    expect(await b.cache.getOrSet('key', origin.load)).toBe('old')
    run.finish('new')
    expect(await led).toBe('new')
    await b.trace.saw('followed')
    expect(await b.cache.getOrSet('key', origin.load)).toBe('new')
  })

  it('a wait limit may end in the stale value', async () => {
    const [a, b] = [
      await service.open(WINDOW),
      await service.open({ ...WINDOW, waitTimeout: 20, onWaitTimeout: 'stale' }),
    ]
    await setStale(a.cache, 'key', 'old', WINDOW)
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    expect(await b.cache.getOrSet('key', origin.load)).toBe('old')
    expect(b.trace.of('stale')).toEqual([{ type: 'stale', key: 'key', reason: 'waitTimeout' }])
    // Without one it loads.
    const other = createOrigin()
    const ledToo = a.cache.getOrSet('other', other.load)
    const runToo = await other.started()
    expect(await b.cache.getOrSet('other', () => 'own')).toBe('own')
    for (const one of [run, runToo]) one.finish('new')
    expect(await Promise.all([led, ledToo])).toEqual(['new', 'new'])
  })

  it('who asked after an invalidation never gets what another caller had seen before it', async () => {
    const gated = gatedStore(service.store)
    const { cache, trace } = await service.open({ ...WINDOW, store: gated })
    await setStale(cache, 'key', 'old', WINDOW)
    const origin = createOrigin()
    // (1) A reads, (2) it is invalidated, (3) A opens a flight, (4) C joins it, (5) it fails.
    const read = gated.after('read')
    const first = cache.getOrSet('key', origin.load)
    await read.reached
    await cache.delete('key')
    read.open()
    const run = await origin.started()
    const failed = expect(cache.getOrSet('key', origin.load)).rejects.toThrow('down')
    await trace.saw('join')
    run.fail(new Error('down'))
    expect(await first).toBe('old')
    await failed
    expect(origin.runs).toHaveLength(1)
  })

  it('where the store fails after the stale value was read, it hides what the loader fails with all the same', async () => {
    const gated = gatedStore(service.store)
    const { cache, trace } = await service.open({ ...WINDOW, store: gated })
    await setStale(cache, 'key', 'old', WINDOW)
    gated.fails(new StoreError('REFUSED', 'no claims'), 'claim')
    const seen: unknown[] = []
    const fail = ({ stale }: { stale?: unknown }) => {
      seen.push(stale)
      throw new Error('down')
    }
    expect(await cache.getOrSet('key', fail)).toBe('old')
    expect(trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'store' }])
    expect(await cache.getOrSet('key', fail)).toBe('old')
    // Whether it is there yet nobody has looked.
    expect(seen).toEqual([undefined])
  })

  it("a caller's own abort is its reason, not a stale value", async () => {
    const { cache } = await service.open(WINDOW)
    await setStale(cache, 'key', 'old', WINDOW)
    const leaving = new AbortController()
    const origin = createOrigin()
    const asked = cache.getOrSet('key', origin.load, { signal: leaving.signal })
    await origin.started()
    leaving.abort('gone')
    await expect(asked).rejects.toBe('gone')
  })

  it('without a value of before an error is an error', async () => {
    const { cache } = await service.open({ ...WINDOW, softTimeout: 1 })
    const error = new Error('down')
    await expect(cache.getOrSet('key', () => Promise.reject(error))).rejects.toBe(error)
  })

  describe('errorTtl', () => {
    it('stores an error, and tells it to who asks', async () => {
      const [a, b] = [await service.open({ errorTtl: 60_000 }), await service.open()]
      let runs = 0
      const fail = () => {
        runs++
        throw Object.assign(new Error('down'), { code: 'X' })
      }
      await expect(a.cache.getOrSet('key', fail)).rejects.toThrow('down')
      await a.trace.saw('publish')
      for (const { cache } of [a, b]) {
        const error = await cache.getOrSet('key', fail).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(LoaderError)
        expect(error).toMatchObject({ message: 'down', code: 'X' })
        expect(await cache.get('key')).toBeUndefined()
        expect(await cache.entry('key')).toBeUndefined()
        await expect(cache.claim('key')).rejects.toThrow('down')
      }
      expect(runs).toBe(1)
      await b.cache.delete('key')
      expect(await a.cache.getOrSet('key', () => 'value')).toBe('value')
    })

    it('tells it to those who wait, as it is stored', async () => {
      const [a, b] = [await service.open({ errorTtl: 60_000 }), await service.open()]
      const origin = createOrigin()
      const led = expect(a.cache.getOrSet('key', origin.load)).rejects.toThrow('down')
      const run = await origin.started()
      const followed = b.cache.getOrSet('key', origin.load).catch((reason: unknown) => reason)
      await b.trace.saw('follow')
      run.fail(new Error('down'))
      await led
      expect(await followed).toBeInstanceOf(LoaderError)
    })

    it('is of errors that may be shared, and may differ by the error', async () => {
      const { cache, trace } = await service.open()
      const options = { errorTtl: (error: unknown) => ((error as Error).message === 'kept' ? 60_000 : 0) }
      const failing = (error: Error) => cache.getOrSet(error.message, () => Promise.reject(error), options)
      const errors = [new Error('kept'), new Error('not kept'), Object.assign(new Error('mine'), { status: 401 })]
      for (const error of errors) await expect(failing(error)).rejects.toBe(error)
      await trace.saw('publish')
      for (const [error, isStored] of [
        [errors[0], true],
        [errors[1], false],
        [errors[2], false],
      ] as const) {
        const again = await failing(error as Error).catch((reason: unknown) => reason)
        expect(again instanceof LoaderError).toBe(isStored)
      }
    })

    it('goes with the tags that are said, not with those that are made of a value', async () => {
      const { cache, trace } = await service.open({ errorTtl: 60_000 })
      const fail = () => Promise.reject(new Error('down'))
      await expect(cache.getOrSet('key', fail, { tags: ['t'] })).rejects.toThrow('down')
      await trace.saw('publish')
      await cache.invalidate({ tags: ['t'] })
      expect(await cache.getOrSet('key', () => 'value')).toBe('value')
    })

    it('never takes the place of a value that is there', async () => {
      const { cache } = await service.open({ errorTtl: 60_000 })
      await setStale(cache, 'key', 'old', { staleWhileRevalidate: 60_000 })
      const fail = () => Promise.reject(new Error('down'))
      expect(await cache.getOrSet('key', fail)).toBe('old')
      await vi.waitFor(() => expect(cache.stats().events.loaderError).toBe(1))
      await vi.waitFor(() => expect(cache.stats().flights).toBe(0))
      expect(await cache.getOrSet('key', fail)).toBe('old')
    })

    it('that fails stores nothing, and says so', async () => {
      const { cache, trace } = await service.open({
        errorTtl: () => {
          throw new Error('broken')
        },
      })
      await expect(cache.getOrSet('key', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
      await vi.waitFor(() => expect(trace.of('policyError')[0]).toMatchObject({ option: 'errorTtl' }))
    })
  })
})

describe('after a failure', () => {
  afterEach(() => void vi.useRealTimers())

  it('the loader is tried again when a second is over, and a success ends that', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    const cache = createCache({ ttl: 10, staleIfError: 600_000, store: memoryStore() })
    const trace = traceOf(cache)
    const fail = () => Promise.reject(new Error('down'))
    await cache.set('key', 'old')
    vi.advanceTimersByTime(20)
    expect(await cache.getOrSet('key', fail)).toBe('old')
    vi.advanceTimersByTime(700)
    expect(await cache.getOrSet('key', fail)).toBe('old')
    expect(trace.of('loaderError')).toHaveLength(1)
    vi.advanceTimersByTime(600)
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    vi.advanceTimersByTime(20)
    expect(await cache.getOrSet('key', () => 'newer')).toBe('newer')
    await cache.close()
  })
})
