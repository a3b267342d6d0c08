import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import { type CacheOptions, type CallOptions, createCache, type PublishOptions } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

const PATIENT: Partial<CacheOptions> = { commandTimeout: 5000, leaseTtl: 60_000 }

/** What users of JavaScript can do, and types would not let pass. */
const WRONG_TAGS: readonly (readonly [tags: unknown, message: string])[] = [
  ['x', 'tags must be an array of strings, got string'],
  [null, 'tags must be an array of strings, got null'],
  [5, 'tags must be an array of strings, got number'],
  [new Set(['x']), 'tags must be an array of strings, got object'],
  [[5], 'tags[0] must be a string, got number'],
  [['x', null], 'tags[1] must be a string, got null'],
  [['x', undefined], 'tags[1] must be a string, got undefined'],
  [[['x']], 'tags[0] must be a string, got object'],
  [['\ud83d'], 'tags[0] is not well-formed Unicode: it has half of a surrogate pair'],
  [['x', 'y\udca1'], 'tags[1] is not well-formed Unicode: it has half of a surrogate pair'],
]

const TAKES = 'invalidate takes { keys: [key, …], tags: [tag, …] }: each key exact, as it was given to getOrSet. To'

onEveryStore((service) => {
  const open = (options: Partial<CacheOptions> = {}) => service.open({ ...PATIENT, ...options })

  const failed = new Error('a bug in tags')
  it.for<[what: string, tags: () => unknown, message: string]>([
    [
      'throws',
      () => {
        throw failed
      },
      'a bug in tags',
    ],
    ['returns no array', () => 'x', 'tags must be an array of strings, got string'],
    ['returns nothing', () => undefined, 'tags must be an array of strings, got undefined'],
    ['returns what is no string', () => ['x', 5], 'tags[1] must be a string, got number'],
    ['returns half a character', () => ['\ud800'], 'tags[0] is not well-formed Unicode'],
    ['returns a promise', async () => ['x'], 'tags returned a promise: it must answer at once'],
    ['returns a promise that rejects', () => Promise.reject(failed), 'tags returned a promise: it must answer at once'],
  ])('tags that %s: the value goes to its callers, is not stored, and that is told', async ([, tags, message]) => {
    const [a, b] = [await open(), await open()]
    const options = { tags } as unknown as CallOptions<string>
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load, options)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load, options)
    await b.trace.saw('follow')
    run.finish('of a')
    expect(await led).toBe('of a')
    ;(await origin.started(2)).finish('of b')
    expect(await followed).toBe('of b')
    await a.trace.saw('share')
    expect(a.trace.types).toEqual(['miss', 'lead', 'policyError', 'share'])
    const error = { message: expect.stringContaining(message) }
    expect(a.trace.of('policyError')).toMatchObject([{ key: 'key', option: 'tags', error }])
    expect(a.trace.of('share')[0]?.reason).toBe('alone')
    expect(b.trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'unshareable' }])
    expect(await a.cache.has('key')).toBe(false)
  })

  it('a value with more tags than maxTags is returned, neither stored nor shared, and told once per shape of key', async () => {
    const [a, b] = [await open({ maxTags: 2 }), await open({ maxTags: 2 })]
    const tags = ['x', 'y', 'z']
    const origin = createOrigin()
    const led = a.cache.getOrSet('product:1', origin.load, { tags })
    const run = await origin.started()
    const followed = b.cache.getOrSet('product:1', origin.load, { tags })
    await b.trace.saw('follow')
    run.finish('of a')
    expect(await led).toBe('of a')
    ;(await origin.started(2)).finish('of b')
    expect(await followed).toBe('of b')
    for (const key of ['product:2', 'product:3']) await a.cache.getOrSet(key, () => 1, { tags: () => tags })
    await a.cache.getOrSet('user:1', () => 1, { tags })
    await a.trace.saw('share', 4)
    const told = { type: 'uncacheable', reason: '3 tags are more than maxTags (2)', path: '' }
    expect(a.trace.of('uncacheable')).toEqual([
      { ...told, key: 'product:1', shape: 'product:*' },
      { ...told, key: 'user:1', shape: 'user:*' },
    ])
    expect(a.trace.of('share').map(({ reason }) => reason)).toEqual(Array(4).fill('alone'))
    expect(await a.cache.getMany(['product:1', 'product:2', 'product:3', 'user:1'])).toEqual(Array(4).fill(undefined))
    await a.cache.getOrSet('product:4', () => 1, { tags: ['x', 'y'] })
    await a.trace.saw('publish')
    expect((await b.cache.entry('product:4'))?.tags).toEqual(['x', 'y'])
  })

  it('a thousand tags are few enough unless something else is said', async () => {
    const { cache, trace } = await open()
    const tags = Array.from({ length: 1001 }, (_, i) => `tag ${i}`)
    await cache.getOrSet('too many', () => 1, { tags })
    await trace.saw('share')
    expect(trace.of('uncacheable')[0]?.reason).toBe('1001 tags are more than maxTags (1000)')
    await cache.getOrSet('many', () => 1, { tags: tags.slice(1) })
    await trace.saw('publish')
    expect((await cache.entry('many'))?.tags).toEqual(tags.slice(1))
    await cache.invalidate({ tags: ['tag 1000'] })
    expect(await cache.has('many')).toBe(false)
  })

  it('a claim with too many tags, or tags that fail, publishes nothing', async () => {
    const { cache, trace } = await open({ maxTags: 1 })
    for (const options of [{ tags: ['x', 'y'] }, { tags: () => [5] }]) {
      const claimed = await cache.claim('key')
      if (claimed.role !== 'leader') throw new Error(`the claim's role is ${claimed.role}`)
      expect(await claimed.publish('value', options as unknown as PublishOptions)).toBe(false)
    }
    expect(trace.of('uncacheable')).toHaveLength(1)
    expect(trace.of('policyError')).toHaveLength(1)
    // What can be seen before is thrown, and the flight given back.
    const claimed = await cache.claim('key')
    if (claimed.role !== 'leader') throw new Error(`the claim's role is ${claimed.role}`)
    const wrong = { tags: 'x' } as unknown as PublishOptions
    await expect(claimed.publish('value', wrong)).rejects.toThrow('tags must be an array of strings, got string')
    expect((await cache.claim('key')).role).toBe('leader')
  })

  it('a value that may not be cached is not asked for its tags', async () => {
    const { cache, trace } = await open()
    const tags = vi.fn(() => ['x'])
    expect(await cache.getOrSet('key', () => 1, { tags, shouldCache: () => false })).toBe(1)
    await trace.saw('share')
    expect(tags).not.toHaveBeenCalled()
    expect(trace.types).toEqual(['miss', 'lead', 'share'])
    expect(await cache.has('key')).toBe(false)
  })

  it.for(WRONG_TAGS)('invalidate refuses the tags %j, and sends nothing', async ([tags, message]) => {
    const { cache, trace } = await open()
    await cache.set('key', 1)
    trace.clear()
    const rejected = cache.invalidate({ keys: ['key'], tags: tags as string[] })
    await expect(rejected).rejects.toThrow(TypeError)
    await expect(rejected).rejects.toThrow(message)
    expect(trace.events).toEqual([])
    expect(await cache.has('key')).toBe(true)
  })

  it('invalidate refuses what is no object of keys and tags', async () => {
    const { cache, trace } = await open()
    const wrong: readonly unknown[] = [
      ...[['x'], [], {}, null, undefined, 'x', 5, true, () => ['x'], { keys: 'x' }, { keys: null }, { keys: { a: 1 } }],
      ...[{ keys: undefined, tags: undefined }],
    ]
    for (const what of wrong) {
      const rejected = cache.invalidate(what as never)
      await expect(rejected, JSON.stringify(what)).rejects.toThrow(TypeError)
      await expect(rejected).rejects.toThrow(TAKES)
    }
    await expect(cache.invalidate({ tag: ['x'] } as never)).rejects.toThrow(
      'invalidate has no option "tag"; it has keys, tags',
    )
    await expect(cache.invalidate({ keys: [5 as never] })).rejects.toThrow('a key is a string or an array of values')
    expect(trace.events).toEqual([])
  })
})

describe('tags', () => {
  const cache = createCache({ ttl: 1000 })
  const methods: Readonly<Record<string, (options: never) => Promise<unknown>>> = {
    getOrSet: (options) => cache.getOrSet('key', () => 1, options),
    claim: (options) => cache.claim('key', options),
    set: (options) => cache.set('key', 1, options),
    setMany: (options) => cache.setMany([['key', 1]], options),
    createCache: async (options) => createCache(options),
    wrap: async (options) => cache.wrap(() => 1, Object.assign({ key: () => 'key' }, options)),
  }

  describe.for(Object.entries(methods))('of %s', ([, call]) => {
    it.for(WRONG_TAGS)('are refused: %j', async ([tags, message]) => {
      const rejected = call({ tags } as never)
      await expect(rejected).rejects.toThrow(TypeError)
      await expect(rejected).rejects.toThrow(message)
    })
  })

  it('are typed by the value', () => {
    const load = async () => ({ id: 'a', parts: [1] })
    void cache.getOrSet('typed', load, {
      tags(value) {
        expectTypeOf(value).toEqualTypeOf<{ id: string; parts: number[] }>()
        return value.parts.map(String)
      },
    })
    void cache.getOrSet('typed', load, { tags: ['x', 'y'] as const })
    void cache.getOrSet('typed', load, { tags: undefined })
    expectTypeOf<CallOptions<number>['tags']>().toEqualTypeOf<
      readonly string[] | ((value: number) => readonly string[]) | undefined
    >()
    expectTypeOf<PublishOptions<number>['tags']>().toEqualTypeOf<CallOptions<number>['tags']>()
    expectTypeOf<CacheOptions['tags']>().toEqualTypeOf<CallOptions['tags']>()
    // @ts-expect-error an array
    void (() => cache.getOrSet('typed', load, { tags: 'x' }))
    // @ts-expect-error of strings
    void (() => cache.getOrSet('typed', load, { tags: (value) => value.parts }))
    // @ts-expect-error at once
    void (() => cache.getOrSet('typed', load, { tags: async () => ['x'] }))
    // @ts-expect-error strings
    void (() => cache.invalidate({ tags: [5] }))
    // @ts-expect-error { tags: [...] }
    void (() => cache.invalidate(['x']))
    expectTypeOf(cache.entry<number>).returns.resolves.toEqualTypeOf<
      | { readonly value: number; readonly ttl: number; readonly age: number; readonly tags: readonly string[] }
      | undefined
    >()
  })

  it('that are an array are those of the call, whatever becomes of the array', async () => {
    const tags = ['default']
    await using own = createCache({ ttl: 1000, tags })
    tags.push('late')
    await own.set('default', 1)
    expect((await own.entry('default'))?.tags).toEqual(['default'])
    const given = ['x']
    const set = own.set('given', 1, { tags: given })
    given.push('late')
    await set
    expect((await own.entry('given'))?.tags).toEqual(['x'])
  })
})
