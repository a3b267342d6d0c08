import { expect, it, vi } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('what is missing is computed by one call, what is there is read by one look', async () => {
    const { cache, trace } = await service.open()
    await cache.setMany([
      ['a', 'A'],
      ['c', 'C'],
    ])
    trace.clear()
    const calls: (readonly string[])[] = []
    const load = (keys: readonly string[]) => {
      calls.push(keys)
      return keys.map((key) => key.toUpperCase())
    }
    expect(await cache.getOrSetMany(['a', 'b', 'c', 'd', 'b'], load)).toEqual(['A', 'B', 'C', 'D', 'B'])
    expect(calls).toEqual([['b', 'd']])
    await trace.saw('publish', 2)
    expect(await cache.getOrSetMany(['d', 'c', 'b', 'a'], load)).toEqual(['D', 'C', 'B', 'A'])
    expect(await cache.getOrSetMany([], load)).toEqual([])
    expect(calls).toHaveLength(1)
  })

  it('what another caller computes, here or elsewhere, is waited for, and does not keep the rest waiting', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const [elsewhere, here] = [createOrigin(), createOrigin()]
    const led = a.cache.getOrSet(['key', 1], elsewhere.load)
    const joined = b.cache.getOrSet(['key', 2], here.load)
    const runs = [await elsewhere.started(), await here.started()]
    const calls: unknown[] = []
    const many = b.cache.getOrSetMany(
      [1, 2, 3, 4].map((n) => ['key', n] as const),
      (keys) => {
        calls.push(keys)
        return keys.map(([, n]) => `value ${n}`)
      },
    )
    await vi.waitFor(() => expect(calls).toHaveLength(1))
    runs[0]?.finish('elsewhere')
    runs[1]?.finish('here')
    expect(await many).toEqual(['elsewhere', 'here', 'value 3', 'value 4'])
    expect(calls).toEqual([
      [
        ['key', 3],
        ['key', 4],
      ],
    ])
    await Promise.all([led, joined])
  })

  it('two instances that ask for the same compute each key once', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`)
    const loaded: string[] = []
    const load = async (some: readonly string[]) => {
      loaded.push(...some)
      await new Promise(setImmediate)
      return some.map((key) => `value of ${key}`)
    }
    const expected = keys.map((key) => `value of ${key}`)
    const answers = await Promise.all([a, b].map(({ cache }) => cache.getOrSetMany(keys, load)))
    expect(answers).toEqual([expected, expected])
    expect(loaded.toSorted()).toEqual(keys.toSorted())
  })

  it('an Error in the place of a value is that of its key alone', async () => {
    const { cache, trace } = await service.open()
    const error = new Error('no b')
    const load = (keys: readonly string[]) => keys.map((key) => (key === 'b' ? error : key))
    await expect(cache.getOrSetMany(['a', 'b', 'c'], load)).rejects.toBe(error)
    await trace.saw('publish', 2)
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual(['a', undefined, 'c'])
  })

  it('a loader that throws, or returns other than it should, fails what it was called for', async () => {
    const { cache } = await service.open()
    const error = new Error('down')
    await expect(cache.getOrSetMany(['a', 'b'], () => Promise.reject(error))).rejects.toBe(error)
    await expect(cache.getOrSetMany(['a', 'b'], () => ['one'])).rejects.toThrow(
      'the loader of getOrSetMany must return a value for each of its 2 keys, got 1 values',
    )
    await expect(cache.getOrSetMany(['a'], (() => 'one') as never)).rejects.toThrow('got string')
    await expect(cache.getOrSetMany(['a'], 'load' as never)).rejects.toThrow('getOrSetMany takes keys and a function')
    await expect(cache.getOrSetMany('a' as never, () => [])).rejects.toThrow('getOrSetMany takes an array of keys')
    await expect(cache.getOrSetMany([Symbol('a')] as never, () => [])).rejects.toThrow(TypeError)
    expect(await cache.getOrSetMany(['a', 'b'], (keys) => keys.map(() => 'value'))).toEqual(['value', 'value'])
  })

  it('stale ones are answered at once, and refreshed by one call behind', async () => {
    const options = { staleWhileRevalidate: 60_000 }
    const { cache, trace } = await service.open(options)
    await cache.setMany(
      [
        ['a', 'old'],
        ['b', 'old'],
      ],
      { ttl: 1 },
    )
    await vi.waitFor(async () => expect((await cache.entry('b'))?.ttl).toBeLessThan(0))
    trace.clear()
    const calls: (readonly string[])[] = []
    const load = (keys: readonly string[]) => {
      calls.push(keys)
      return keys.map(() => 'new')
    }
    expect(await cache.getOrSetMany(['a', 'b', 'c'], load)).toEqual(['old', 'old', 'new'])
    await trace.saw('publish', 3)
    expect(await cache.getOrSetMany(['a', 'b', 'c'], load)).toEqual(['new', 'new', 'new'])
    expect(calls.flat().toSorted()).toEqual(['a', 'b', 'c'])
    expect(calls.length).toBeLessThanOrEqual(2)
  })

  it('with forceRefresh all are computed anew', async () => {
    const { cache } = await service.open()
    await cache.set('a', 'old')
    const load = (keys: readonly string[]) => keys.map((key) => `new ${key}`)
    expect(await cache.getOrSetMany(['a', 'b'], load, { forceRefresh: true })).toEqual(['new a', 'new b'])
  })

  it('the loader is aborted when nobody waits for any of its keys, and the caller gets its reason', async () => {
    const { cache } = await service.open()
    const leaving = new AbortController()
    let signal!: AbortSignal
    const many = cache.getOrSetMany(
      ['a', 'b'],
      (_keys, context) => {
        signal = context.signal
        return new Promise(() => undefined)
      },
      { signal: leaving.signal },
    )
    await vi.waitFor(() => expect(signal).toBeDefined())
    const joined = cache.getOrSet('b', () => 'own', { signal: leaving.signal })
    expect(signal.aborted).toBe(false)
    leaving.abort('gone')
    await expect(many).rejects.toBe('gone')
    await expect(joined).rejects.toBe('gone')
    await vi.waitFor(() => expect(signal.aborted).toBe(true))
  })

  it('where the store does not answer it is one call too', async () => {
    const gated = gatedStore(service.store)
    const { cache } = await service.open({ store: gated, commandTimeout: 20 })
    gated.silent = true
    const calls: (readonly string[])[] = []
    const load = (keys: readonly string[]) => {
      calls.push(keys)
      return keys.map((key) => key.toUpperCase())
    }
    expect(await cache.getOrSetMany(['a', 'b', 'c'], load)).toEqual(['A', 'B', 'C'])
    expect(calls).toEqual([['a', 'b', 'c']])
    gated.silent = false
  })
})
