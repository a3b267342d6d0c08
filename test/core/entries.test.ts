import { expect, it, vi } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('get gives the stored value, or undefined, and waits for no computation', async () => {
    const { cache, trace } = await service.open()
    expect(await cache.get('key')).toBeUndefined()
    const origin = createOrigin()
    const led = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    expect(await cache.get('key')).toBeUndefined()
    run.finish('value')
    await led
    await trace.saw('publish')
    expect(await cache.get<string>('key')).toBe('value')
    expect(trace.types).toEqual(['miss', 'miss', 'lead', 'miss', 'publish', 'hit'])
  })

  it('has tells a stored undefined from none', async () => {
    const { cache } = await service.open()
    expect(await cache.has('key')).toBe(false)
    await cache.set('key', undefined)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(true)
  })

  it('entry gives the value with its times', async () => {
    const { cache } = await service.open()
    expect(await cache.entry('key')).toBeUndefined()
    await cache.set('key', { a: 1 }, { ttl: 5000 })
    const entry = await cache.entry('key')
    expect(entry?.value).toEqual({ a: 1 })
    expect(entry?.ttl).toBeGreaterThan(4000)
    expect(entry?.ttl).toBeLessThanOrEqual(5000)
    expect(entry?.age).toBeGreaterThanOrEqual(0)
    expect((entry?.age ?? 0) + (entry?.ttl ?? 0)).toBeCloseTo(5000, 3)
  })

  it('getMany gives values in the order of the keys, with undefined for none', async () => {
    const { cache, trace } = await service.open()
    await cache.set('a', 1)
    await cache.set(['c', { x: 1 }], 3)
    expect(await cache.getMany(['a', 'b', ['c', { x: 1 }], 'a'])).toEqual([1, undefined, 3, 1])
    expect(await cache.getMany([])).toEqual([])
    expect(trace.of('hit')).toHaveLength(3)
    expect(trace.of('miss')).toEqual([{ type: 'miss', key: 'b' }])
  })

  it('set stores for all instances and tells them', async () => {
    const [a, b] = [await service.open(), await service.open()]
    expect(await a.cache.set(['k', 1], 'value')).toBe(true)
    expect(a.trace.types).toEqual(['set'])
    await b.trace.saw('invalidate')
    expect(b.trace.events).toEqual([{ type: 'invalidate', keys: ['["k",1]'], tags: [], remote: true }])
    expect(await b.cache.get(['k', 1])).toBe('value')
  })

  it('set gives its value to those who wait, and fences the leader', async () => {
    const [a, b, c] = [await service.open(), await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    await c.cache.set('key', 'set')
    expect(await followed).toBe('set')
    run.finish('computed')
    expect(await led).toBe('computed')
    await a.trace.saw('fenced')
    expect(await c.cache.get('key')).toBe('set')
    expect(a.trace.of('publish')).toEqual([])
  })

  it('set takes a ttl that is a function of the value, and refuses one of 0', async () => {
    const { cache } = await service.open({ ttl: undefined })
    await cache.set('key', 2000, { ttl: (value) => value })
    expect((await cache.entry('key'))?.ttl).toBeLessThanOrEqual(2000)
    await expect(cache.set('key', 0, { ttl: (value) => value })).rejects.toThrow(
      'set needs a ttl greater than 0 (ms), got 0',
    )
    await expect(cache.set('key', 1)).rejects.toThrow('set needs a ttl greater than 0 (ms), got undefined')
    expect(await cache.get('key')).toBe(2000)
  })

  it('set refuses what can not be stored, and changes nothing', async () => {
    const { cache, trace } = await service.open({ maxEntryBytes: 1000 })
    await cache.set('key', 'before')
    class User {
      name = 'Ada'
    }
    await expect(cache.set('key', [{ user: new User() }])).rejects.toThrow(
      "the value of key can't be stored: an instance of User at [0].user",
    )
    await expect(cache.set('key', () => 1)).rejects.toThrow("the value of key can't be stored: a function")
    await expect(cache.set('key', 'x'.repeat(1000))).rejects.toThrow(/bytes are more than maxEntryBytes \(1000\)/)
    expect(await cache.get('key')).toBe('before')
    expect(trace.of('set')).toHaveLength(1)
  })

  it('setMany stores all, or, where one can not be stored, none', async () => {
    const { cache } = await service.open()
    const entries = new Map<string, unknown>(Array.from({ length: 250 }, (_, i) => [`key ${i}`, i]))
    expect(await cache.setMany(entries)).toEqual(Array(250).fill(true))
    expect(await cache.getMany([...entries.keys()])).toEqual([...entries.values()])
    await expect(
      cache.setMany(
        new Map<string, unknown>([
          ['key 0', 'new'],
          ['other', () => 1],
        ]),
      ),
    ).rejects.toThrow(TypeError)
    expect(await cache.get('key 0')).toBe(0)
    expect(await cache.setMany([])).toEqual([])
  })

  it('delete and invalidate remove the keys everywhere, also those that are not there', async () => {
    const [a, b] = [await service.open(), await service.open()]
    await a.cache.setMany([
      ['a', 1],
      [['b', 2], 2],
      ['c', 3],
    ])
    await a.cache.delete('a')
    await b.cache.invalidate({ keys: [['b', 2], 'none', ['b', 2]] })
    expect(await a.cache.getMany(['a', ['b', 2], 'c'])).toEqual([undefined, undefined, 3])
    expect(b.trace.of('invalidate').at(-1)).toEqual({
      type: 'invalidate',
      keys: ['["b",2]', 'none'],
      tags: [],
      remote: false,
    })
    await a.trace.saw('invalidate', 2)
    expect(a.trace.of('invalidate').at(-1)).toEqual({
      type: 'invalidate',
      keys: ['["b",2]', 'none'],
      tags: [],
      remote: true,
    })
    await a.cache.invalidate({ keys: [] })
  })

  it('an invalidation fences the leader: its callers get its value, which is not stored', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    await b.cache.invalidate({ keys: ['key'] })
    ;(await origin.started(2)).finish('new')
    expect(await followed).toBe('new')
    await b.trace.saw('publish')
    run.finish('old')
    expect(await led).toBe('old')
    await a.trace.saw('fenced')
    expect(await a.cache.get('key')).toBe('new')
    expect(b.trace.of('followed')[0]).toMatchObject({ outcome: 'again' })
  })

  it('more than a thousand keys are invalidated, and told, in parts', async () => {
    const [a, b] = [await service.open({ commandTimeout: 5000 }), await service.open()]
    const keys = Array.from({ length: 1201 }, (_, i) => `key ${i}`)
    await a.cache.setMany(keys.map((key) => [key, 1] as const))
    await b.trace.saw('invalidate', 2)
    b.trace.clear()
    await a.cache.invalidate({ keys })
    await b.trace.saw('invalidate', 2)
    expect(b.trace.of('invalidate').flatMap((event) => event.keys)).toEqual(keys)
    expect(await b.cache.getMany(keys)).toEqual(keys.map(() => undefined))
  })

  it('a list of keys where an object is wanted is taught', async () => {
    const { cache } = await service.open()
    for (const wrong of [['product'], 'product', undefined, {}, { keys: 'product' }]) {
      await expect(cache.invalidate(wrong as never)).rejects.toThrow(
        'invalidate takes { keys: [key, …], tags: [tag, …] }: each key exact, as it was given to getOrSet',
      )
    }
  })

  it('what is stored is a copy', async () => {
    const { cache } = await service.open()
    const value = { list: [1] }
    await cache.set('key', value)
    value.list.push(2)
    expect(await cache.get('key')).toEqual({ list: [1] })
    const [first, second] = [await cache.get('key'), await cache.get('key')]
    expect(first).toEqual(second)
  })

  it('keys that differ in their kind are different keys', async () => {
    const { cache } = await service.open()
    const keys = ['1', [1], ['1'], [[1]], '[1]', '', '{x}', '%', [null], [undefined], '💡', 'a'.repeat(5000)]
    await cache.setMany(keys.map((key, i) => [key, i] as const))
    expect(await cache.getMany(keys)).toEqual(keys.map((_, i) => i))
    const load = vi.fn(async () => 0)
    for (const key of keys) await cache.getOrSet(key, load)
    expect(load).not.toHaveBeenCalled()
  })
})
