import { describe, expect, it } from 'vitest'
import type { Cache, CacheOptions, Key } from '../../src/index.ts'
import { type Instance, onEveryStore } from './everyStore.ts'

/** Nothing here is about time: a busy machine may take its own. */
const PATIENT: Partial<CacheOptions> = { commandTimeout: 5000 }

interface Product {
  readonly id: string
  readonly brand: string
}

onEveryStore((service) => {
  const open = (options: Partial<CacheOptions> = {}) => service.open({ ...PATIENT, ...options })

  /** Asks, and waits until what its loader gave is stored. */
  async function store({ cache, trace }: Instance, key: Key, tags: readonly string[], value: unknown = key) {
    const published = trace.of('publish').length
    await cache.getOrSet(key, () => value, { tags })
    await trace.saw('publish', published + 1)
  }

  it('an invalidation by tag removes all that have the tag, and nothing else', async () => {
    const [a, b] = [await open(), await open()]
    await store(a, 'both', ['x', 'y'])
    await store(a, 'only x', ['x'])
    await store(b, 'only y', ['y'])
    await store(b, 'none', [])
    a.trace.clear()
    b.trace.clear()
    await a.cache.invalidate({ tags: ['x'] })
    expect(a.trace.events).toEqual([{ type: 'invalidate', keys: [], tags: ['x'], remote: false }])
    expect(await b.trace.saw('invalidate')).toEqual({ type: 'invalidate', keys: [], tags: ['x'], remote: true })
    for (const { cache } of [a, b]) expect(await stored(cache, 'both', 'only x', 'only y', 'none')).toBe('only y, none')
    await b.cache.invalidate({ tags: ['y'] })
    for (const { cache } of [a, b]) expect(await stored(cache, 'both', 'only x', 'only y', 'none')).toBe('none')
  })

  it('what was invalidated is computed anew, stored anew, and can be invalidated again', async () => {
    const instance = await open()
    const { cache, trace } = instance
    for (let version = 1; version <= 3; version++) {
      await store(instance, 'key', ['x'], version)
      expect(await cache.getOrSet('key', () => 'unused', { tags: ['x'] })).toBe(version)
      await cache.invalidate({ tags: ['x'] })
      expect(await cache.has('key')).toBe(false)
    }
    const round = ['miss', 'lead', 'publish', 'hit', 'invalidate', 'miss']
    expect(trace.types).toEqual([...round, ...round, ...round])
  })

  it('tags may be a function of the value', async () => {
    const { cache, trace } = await open()
    const product: Product = { id: '42', brand: 'acme' }
    const seen: Product[] = []
    const load = () => product
    await cache.getOrSet('key', load, {
      tags(value) {
        seen.push(value)
        return [`Product:${value.id}`, `Brand:${value.brand}`]
      },
    })
    await trace.saw('publish')
    expect(seen).toEqual([product])
    expect((await cache.entry('key'))?.tags).toEqual(['Product:42', 'Brand:acme'])
    await cache.invalidate({ tags: ['Brand:acme'] })
    expect(await cache.has('key')).toBe(false)
    expect(trace.types).toEqual(['miss', 'lead', 'publish', 'hit', 'invalidate', 'miss'])
  })

  it('entry tells the tags, also those that another instance gave, and none where there are none', async () => {
    const [a, b] = [await open(), await open()]
    await a.cache.set('tagged', 1, { tags: ['x', 'ü💡', ''] })
    await a.cache.set('plain', 1)
    expect((await b.cache.entry('tagged'))?.tags).toEqual(['x', 'ü💡', ''])
    expect((await b.cache.entry('plain'))?.tags).toEqual([])
  })

  describe('tags as defaults of the cache', () => {
    it('are those of every value for which a call says none', async () => {
      const instance = await open({ tags: ['all'] })
      const { cache, trace } = instance
      await cache.getOrSet('computed', () => 1)
      await trace.saw('publish')
      await cache.set('set', 1)
      await cache.getOrSet('undefined', () => 1, { tags: undefined })
      await trace.saw('publish', 2)
      const claimed = await cache.claim('claimed')
      if (claimed.role === 'leader') await claimed.publish(1)
      await store(instance, 'own', ['own'])
      await store(instance, 'empty', [])
      expect(await stored(cache, 'computed', 'set', 'undefined', 'claimed', 'own', 'empty')).toBe(
        'computed, set, undefined, claimed, own, empty',
      )
      await cache.invalidate({ tags: ['all'] })
      expect(await stored(cache, 'computed', 'set', 'undefined', 'claimed', 'own', 'empty')).toBe('own, empty')
    })

    it('may be a function too', async () => {
      const { cache, trace } = await open({ tags: (value: unknown) => [`of ${String(value)}`] })
      await cache.getOrSet('key', () => 'computed')
      await trace.saw('publish')
      await cache.set('other', 'set')
      expect((await cache.entry('key'))?.tags).toEqual(['of computed'])
      expect((await cache.entry('other'))?.tags).toEqual(['of set'])
    })
  })

  it('claim and publish take tags; those of publish count', async () => {
    const { cache, trace } = await open()
    for (const [key, given, options] of [
      ['at claim', { tags: ['x'] }, undefined],
      ['at publish', {}, { tags: ['x'] }],
      ['at both', { tags: ['y'] }, { tags: (value: string) => [value] }],
    ] as const) {
      const claimed = await cache.claim<string>(key, given)
      if (claimed.role !== 'leader') throw new Error(`the claim's role is ${claimed.role}`)
      expect(await claimed.publish('x', options)).toBe(true)
      expect((await cache.entry(key))?.tags).toEqual(['x'])
    }
    trace.clear()
    await cache.invalidate({ tags: ['x'] })
    expect(await stored(cache, 'at claim', 'at publish', 'at both')).toBe('')
    expect(trace.types).toEqual(['invalidate', 'miss', 'miss', 'miss'])
  })

  it('keys and tags are invalidated by one call, and told in one event', async () => {
    const [a, b] = [await open(), await open()]
    await store(a, ['k', 1], [])
    await store(a, 'tagged', ['x'])
    await store(a, 'both', ['x'])
    await store(a, 'rest', ['z'])
    a.trace.clear()
    await a.cache.invalidate({ keys: [['k', 1], 'both', 'none'], tags: ['x', 'y', 'x'] })
    const told = { type: 'invalidate', keys: ['["k",1]', 'both', 'none'], tags: ['x', 'y'] }
    expect(a.trace.events).toEqual([{ ...told, remote: false }])
    expect(await b.trace.saw('invalidate')).toEqual({ ...told, remote: true })
    expect(await stored(b.cache, ['k', 1], 'tagged', 'both', 'rest')).toBe('rest')
  })

  it('tags that nothing has, no tags at all, and the same again: nothing happens, and nothing fails', async () => {
    const instance = await open()
    const { cache, trace } = instance
    await store(instance, 'key', ['x'])
    trace.clear()
    await cache.invalidate({ tags: ['unknown'] })
    await cache.invalidate({ tags: [] })
    await cache.invalidate({ tags: ['unknown', 'unknown'], keys: [] })
    expect(trace.events).toEqual(Array(2).fill({ type: 'invalidate', keys: [], tags: ['unknown'], remote: false }))
    expect(await stored(cache, 'key')).toBe('key')
    // All at once, and after one another.
    await Promise.all([1, 2, 3].map(() => cache.invalidate({ tags: ['x'] })))
    await cache.invalidate({ tags: ['x'] })
    expect(await stored(cache, 'key')).toBe('')
  })

  it('every well-formed string is a tag of its own', async () => {
    const instance = await open()
    const long = 'x'.repeat(299)
    const tags = [
      ...['', ' ', '%', '%7B', '{}', '{', '}', '{x}', '{x}:entries', ':', ':entries', 'clock', '\0', '\n'],
      ...['ü', 'u\u0308', '💡', '__proto__', '["x"]', '"x"', '#x', 'x', 'X', 'x ', '*', 'x*', '?', '[x]', '\\'],
      ...[`${long}1`, `${long}2`, '💡'.repeat(150)],
    ]
    for (const [i, tag] of tags.entries()) await store(instance, ['tagged', i], [tag])
    const keys = tags.map((_, i) => ['tagged', i])
    const { cache } = instance
    for (const [i, tag] of tags.entries()) {
      expect((await cache.entry(['tagged', i]))?.tags).toEqual([tag])
      await cache.invalidate({ tags: [tag] })
      const left = await cache.getMany(keys)
      expect(left.map((value) => value !== undefined)).toEqual(keys.map((_, j) => j > i))
    }
  })

  it('a tag that is said twice is one tag', async () => {
    const instance = await open()
    await store(instance, 'key', ['x', 'x', 'y', 'x'])
    await instance.cache.invalidate({ tags: ['x'] })
    expect(await stored(instance.cache, 'key')).toBe('')
    await store(instance, 'key', ['y', 'y'])
    await instance.cache.invalidate({ tags: ['y', 'y'] })
    expect(await stored(instance.cache, 'key')).toBe('')
  })

  it('an entry that is stored anew with other tags goes with those', async () => {
    const instance = await open()
    const { cache } = instance
    await store(instance, 'key', ['before'])
    await cache.set('key', 2, { tags: ['after'] })
    expect((await cache.entry('key'))?.tags).toEqual(['after'])
    await cache.invalidate({ tags: ['after'] })
    expect(await stored(cache, 'key')).toBe('')
  })

  it('hundreds of entries of one tag go at once, and so do those of hundreds of tags', async () => {
    const { cache } = await open()
    const keys = Array.from({ length: 2500 }, (_, i) => `key ${i}`)
    await cache.setMany(
      keys.map((key, i) => [key, i] as const),
      { tags: (value) => ['all', `of ${Number(value) % 250}`] },
    )
    const tags = Array.from({ length: 125 }, (_, i) => `of ${2 * i}`)
    await cache.invalidate({ tags })
    const left = await cache.getMany(keys)
    expect(left).toEqual(keys.map((_, i) => (i % 2 === 0 ? undefined : i)))
    await cache.invalidate({ tags: ['all'] })
    expect(await cache.getMany(keys)).toEqual(keys.map(() => undefined))
  })

  it('tags reach the entries of every version, keys only those of their own', async () => {
    const [v1, v2, none] = [await open({ version: '1' }), await open({ version: '2' }), await open()]
    const all = [v1, v2, none]
    const found = () => Promise.all(all.map(({ cache }) => cache.has('key')))
    for (const instance of all) await store(instance, 'key', ['x'])
    expect(await found()).toEqual([true, true, true])
    await v1.cache.invalidate({ keys: ['key'] })
    expect(await found()).toEqual([false, true, true])
    await v1.cache.invalidate({ tags: ['x'] })
    expect(await found()).toEqual([false, false, false])
  })

  it('tags of another namespace are other tags', async () => {
    const here = await open()
    // The last two have names that could be taken for keys of the first.
    const namespaces = ['', ':tag', ':x'].map((end) => `${service.namespace}${end || 'x'}`)
    const others = await Promise.all(namespaces.map((namespace) => open({ namespace })))
    for (const instance of [here, ...others]) await store(instance, 'x', ['x'])
    await here.cache.invalidate({ tags: ['x'] })
    expect(await here.cache.has('x')).toBe(false)
    for (const { cache, trace } of others) {
      expect(await cache.has('x')).toBe(true)
      expect(trace.of('invalidate')).toEqual([])
    }
  })
})

/** Which of the keys have a stored value, in order. */
async function stored(cache: Cache, ...keys: readonly Key[]): Promise<string> {
  const values = await cache.getMany(keys)
  return keys.filter((_, i) => values[i] !== undefined).join(', ')
}
