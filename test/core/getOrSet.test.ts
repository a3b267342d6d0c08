import { expect, it, vi } from 'vitest'
import type { LoaderError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('a miss leads, loads once and publishes; the next call is a hit', async () => {
    const { cache, trace } = await service.open()
    const load = vi.fn(async () => ({ name: 'Ada' }))
    expect(await cache.getOrSet(['user', 1], load)).toEqual({ name: 'Ada' })
    const { token, bytes } = await trace.saw('publish')
    expect(await cache.getOrSet(['user', 1], load)).toEqual({ name: 'Ada' })
    expect(load).toHaveBeenCalledTimes(1)
    expect(trace.types).toEqual(['miss', 'lead', 'publish', 'hit'])
    expect(trace.of('lead')[0]).toEqual({ type: 'lead', key: '["user",1]', token })
    expect(bytes).toBeGreaterThan(JSON.stringify({ name: 'Ada' }).length)
  })

  it('a loader gets the key as it was given, and a signal', async () => {
    const { cache } = await service.open()
    const key = ['user', { b: 1, a: 2 }]
    const load = vi.fn(async (context: { signal: AbortSignal; key: unknown }) => context.signal.aborted)
    expect(await cache.getOrSet(key, load)).toBe(false)
    expect(load.mock.calls[0]?.[0].key).toBe(key)
  })

  it('a loader that returns no promise is as good', async () => {
    const { cache, trace } = await service.open()
    expect(await cache.getOrSet('key', () => 'at once')).toBe('at once')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('at once')
  })

  it('callers of one instance join one flight', async () => {
    const { cache, trace } = await service.open()
    const origin = createOrigin()
    const first = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const others = Array.from({ length: 9 }, () => cache.getOrSet('key', origin.load))
    run.finish('value')
    expect(await Promise.all([first, ...others])).toEqual(Array(10).fill('value'))
    expect(origin.runs).toHaveLength(1)
    await trace.saw('publish')
    expect(trace.types).toEqual(['miss', 'lead', ...Array(9).fill('join'), 'publish'])
  })

  it('callers of one moment share one read and one flight', async () => {
    const { cache, trace } = await service.open()
    const load = vi.fn(async () => 'value')
    await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet('key', load)))
    expect(load).toHaveBeenCalledTimes(1)
    expect(trace.of('miss')).toHaveLength(1)
    expect(trace.of('join')).toHaveLength(9)
  })

  it('another instance follows, and takes the value from the message', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    const { token } = await b.trace.saw('follow')
    run.finish('value')
    expect(await Promise.all([led, followed])).toEqual(['value', 'value'])
    expect(origin.runs).toHaveLength(1)
    await a.trace.saw('publish')
    expect(a.trace.types).toEqual(['miss', 'lead', 'publish'])
    expect(b.trace.types).toEqual(['miss', 'follow', 'followed'])
    expect(b.trace.of('followed')[0]).toMatchObject({ token, outcome: 'value' })
    expect(token).toBe(a.trace.of('lead')[0]?.token)
  })

  it('one loader runs for many callers of many instances', async () => {
    const instances = await Promise.all(Array.from({ length: 4 }, () => service.open()))
    const origin = createOrigin()
    const calls = instances.flatMap(({ cache }) => Array.from({ length: 25 }, () => cache.getOrSet('key', origin.load)))
    const run = await origin.started()
    await Promise.all(
      instances.filter(({ trace }) => trace.of('lead').length === 0).map(({ trace }) => trace.saw('follow')),
    )
    run.finish('value')
    expect(await Promise.all(calls)).toEqual(Array(100).fill('value'))
    expect(origin.runs).toHaveLength(1)
  })

  it.for([0, '', false, null, undefined, Number.NaN, -0, [], {}])('%o is a value as any other', async (value) => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin<unknown>()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    run.finish(value)
    for (const got of [await led, await followed]) expect(got).toStrictEqual(value)
    await a.trace.saw('publish')
    expect(await b.cache.getOrSet('key', origin.load)).toStrictEqual(value)
    expect(await b.cache.has('key')).toBe(true)
    expect(origin.runs).toHaveLength(1)
  })

  it('Date, Map, Set, BigInt and what repeats or cycles come back as they were', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const value: Record<string, unknown> = { at: new Date(5), map: new Map([[1, new Set(['a'])]]), big: 42n }
    value.self = value
    await a.cache.getOrSet('key', () => value)
    await a.trace.saw('publish')
    expect(await b.cache.get('key')).toStrictEqual(value)
  })

  it('an entry is gone after its ttl, and computed anew', async () => {
    const { cache, trace } = await service.open()
    await cache.getOrSet('key', () => 'old', { ttl: 30 })
    await trace.saw('publish')
    await vi.waitFor(async () => expect(await cache.has('key')).toBe(false), { interval: 5 })
    expect(await cache.getOrSet('key', () => 'new', { ttl: 60_000 })).toBe('new')
  })

  it('an entry with an infinite ttl has no end', async () => {
    const { cache, trace } = await service.open({ ttl: Number.POSITIVE_INFINITY })
    await cache.getOrSet('key', () => 'value')
    await trace.saw('publish')
    expect((await cache.entry('key'))?.ttl).toBe(Number.POSITIVE_INFINITY)
    await cache.getOrSet('longest', () => 'value', { ttl: Number.MAX_SAFE_INTEGER })
    await trace.saw('publish', 2)
    expect(await cache.get('longest')).toBe('value')
  })

  it('the error of a loader goes to its own callers as the same object, and is not stored', async () => {
    const { cache, trace } = await service.open()
    const origin = createOrigin()
    const calls = [cache.getOrSet('key', origin.load)]
    const run = await origin.started()
    calls.push(cache.getOrSet('key', origin.load))
    const error = new Error('no')
    run.fail(error)
    for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ reason: error })
    expect(await cache.getOrSet('key', () => 'next')).toBe('next')
    expect(trace.of('loaderError')[0]).toMatchObject({ key: 'key', error, shared: true })
  })

  it('a loader that throws at once rejects, and frees the key', async () => {
    const { cache } = await service.open()
    const error = new TypeError('at once')
    const call = cache.getOrSet('key', () => {
      throw error
    })
    await expect(call).rejects.toBe(error)
    expect(await cache.getOrSet('key', () => 'next')).toBe('next')
  })

  it('a follower gets the error as a LoaderError', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    run.fail(Object.assign(new RangeError('too much'), { code: 'E_MUCH' }))
    await expect(led).rejects.toBeInstanceOf(RangeError)
    const error = await followed.catch((reason: LoaderError) => reason)
    expect(error).toMatchObject({ name: 'RangeError', message: 'too much', code: 'E_MUCH' })
    expect(b.trace.types).toEqual(['miss', 'follow', 'followed'])
    expect(origin.runs).toHaveLength(1)
  })

  it('without a ttl it teaches', async () => {
    const { cache } = await service.open({ ttl: undefined })
    await expect(cache.getOrSet('key', () => 1)).rejects.toThrow(
      'getOrSet needs a ttl (ms, or Infinity): say it at createCache or here',
    )
    // @ts-expect-error a loader is a function
    await expect(cache.getOrSet('key', 'value', { ttl: 1 })).rejects.toThrow('a function that computes its value')
  })
})
