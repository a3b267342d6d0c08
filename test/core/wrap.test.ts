import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import { createCache, type LoadContext, type Wrapped } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('a wrapped function is cached by its key, and called with its arguments and the context', async () => {
    const { cache, trace } = await service.open()
    const load = vi.fn(async (id: string, lang: string, context: LoadContext) => `${id} ${lang} ${context.key}`)
    const product = cache.wrap(load, { key: (id: string, lang: string) => ['product', id, lang] })
    expect(await product('42', 'de')).toBe('42 de product,42,de')
    await trace.saw('publish')
    expect(await product('42', 'de')).toBe('42 de product,42,de')
    expect(load).toHaveBeenCalledTimes(1)
    expect(await product('42', 'en')).toBe('42 en product,42,en')
    await trace.saw('publish', 2)
    expect(trace.types).toEqual(['miss', 'lead', 'publish', 'hit', 'miss', 'lead', 'publish'])
    expect(load.mock.calls[0]?.[2].signal).toBeInstanceOf(AbortSignal)
  })

  it('key, get, set, delete and refresh take the same arguments', async () => {
    const { cache, trace } = await service.open()
    let version = 0
    const load = async (_id: string) => ++version
    const wrapped = cache.wrap(load, { key: (id: string) => ['thing', id], ttl: 5000 })
    expect(wrapped.key('a')).toEqual(['thing', 'a'])
    expect(await wrapped.get('a')).toBeUndefined()
    expect(await wrapped.set('a', 100)).toBe(true)
    expect(await wrapped.get('a')).toBe(100)
    expect((await cache.entry(['thing', 'a']))?.ttl).toBeLessThanOrEqual(5000)
    expect(await wrapped('a')).toBe(100)
    expect(await wrapped.refresh('a')).toBe(1)
    await trace.saw('publish')
    expect(await wrapped.get('a')).toBe(1)
    await wrapped.delete('a')
    expect(await wrapped.get('a')).toBeUndefined()
    expect(await wrapped('a')).toBe(2)
  })

  it('tags may be a function of the arguments and the value; a set and a refresh have them too', async () => {
    const { cache, trace } = await service.open()
    const load = async (id: string, lang: string) => ({ brand: `brand of ${id}`, lang })
    const product = cache.wrap(load, {
      key: (id, lang) => ['product', id, lang],
      tags: (id, lang, value) => [`Product:${id}`, lang, value.brand],
    })
    const tags = async () => (await cache.entry(product.key('1', 'de')))?.tags
    await product('1', 'de')
    await trace.saw('publish')
    expect(await tags()).toEqual(['Product:1', 'de', 'brand of 1'])
    await product.set('1', 'de', { brand: 'another', lang: 'de' })
    expect(await tags()).toEqual(['Product:1', 'de', 'another'])
    await product.refresh('1', 'de')
    await trace.saw('publish', 2)
    expect(await tags()).toEqual(['Product:1', 'de', 'brand of 1'])

    await Promise.all([product('1', 'en'), product('2', 'de'), product('2', 'en')])
    await trace.saw('publish', 5)
    await cache.invalidate({ tags: ['de'] })
    const found = () => Promise.all(['1', '2'].flatMap((id) => ['de', 'en'].map((lang) => product.get(id, lang))))
    expect((await found()).map((value) => value !== undefined)).toEqual([false, true, false, true])
    await cache.invalidate({ tags: ['brand of 1'] })
    expect((await found()).map((value) => value !== undefined)).toEqual([false, false, false, true])
    await cache.invalidate({ tags: ['Product:2'] })
    expect(await found()).toEqual(Array(4).fill(undefined))
  })

  it('tags may be an array, or the default of the cache, for a call and for a set', async () => {
    const { cache, trace } = await service.open({ tags: ['default'] })
    const own = cache.wrap(async (id: string) => id, { key: (id) => ['own', id], tags: ['own'] })
    const plain = cache.wrap(async (id: string) => id, { key: (id) => ['plain', id] })
    for (const wrapped of [own, plain]) {
      await wrapped('called')
      await wrapped.set('set', 'value')
    }
    await trace.saw('publish', 2)
    for (const [wrapped, tag] of [
      [own, 'own'],
      [plain, 'default'],
    ] as const) {
      for (const id of ['called', 'set']) expect((await cache.entry(wrapped.key(id)))?.tags).toEqual([tag])
    }
  })

  it('tags that a function can not tell: the value is returned, not stored, and that is told', async () => {
    const { cache, trace } = await service.open()
    const bug = new Error('a bug in tags')
    const wrapped = cache.wrap(async (id: string) => id, {
      key: (id) => id,
      tags: (id) => {
        if (id === 'bad') throw bug
        return [id]
      },
    })
    expect(await wrapped('bad')).toBe('bad')
    await trace.saw('share')
    expect(trace.of('policyError')).toEqual([{ type: 'policyError', key: 'bad', option: 'tags', error: bug }])
    await expect(wrapped.set('bad', 'value')).rejects.toBe(bug)
    expect(await wrapped.get('bad')).toBeUndefined()
    expect(await wrapped('good')).toBe('good')
    await trace.saw('publish')
    expect((await cache.entry('good'))?.tags).toEqual(['good'])
  })

  it('an argument that a call leaves out is undefined for its tags, not the value', async () => {
    const { cache, trace } = await service.open()
    const load = async (id: string, lang: string | undefined) => `${id} ${lang}`
    const wrapped = cache.wrap(load, {
      key: (id: string, lang: string | undefined) => [id, lang],
      tags: (id, lang, value) => [`${id}, ${lang}, ${value}`],
    }) as (id: string, lang?: string) => Promise<string>
    await wrapped('a')
    await trace.saw('publish')
    expect((await cache.entry(['a', undefined]))?.tags).toEqual(['a, undefined, a undefined'])
  })

  it('calls of two instances share one run', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin<number>()
    const wrapped = [a, b].map(({ cache }) =>
      cache.wrap((_id: string, context: LoadContext) => origin.load(context), { key: (id: string) => id }),
    )
    const first = wrapped[0]?.('key')
    const run = await origin.started()
    const second = wrapped[1]?.('key')
    await b.trace.saw('follow')
    run.finish(1)
    expect(await Promise.all([first, second])).toEqual([1, 1])
    expect(origin.runs).toHaveLength(1)
  })
})

describe('wrap', () => {
  const cache = createCache({ ttl: 1000 })

  it('teaches what it takes', () => {
    // @ts-expect-error a function
    expect(() => cache.wrap('load', { key: () => 'key' })).toThrow(
      'wrap takes a function and { key: (...args) => key }',
    )
    // @ts-expect-error with a key
    expect(() => cache.wrap(async () => 1, {})).toThrow('wrap needs the option key: (...args) => key')
    // @ts-expect-error with options
    expect(() => cache.wrap(async () => 1)).toThrow('wrap needs the option key: (...args) => key')
  })

  it('infers arguments and value where the loader does not name its context', () => {
    const none = cache.wrap(async () => 42, { key: () => 'none' })
    expectTypeOf(none).toEqualTypeOf<Wrapped<[], number>>()
    const two = cache.wrap(async (id: string, count: number) => ({ id, count }), {
      key: (id, count) => {
        expectTypeOf(id).toEqualTypeOf<string>()
        expectTypeOf(count).toEqualTypeOf<number>()
        return [id, count]
      },
      ttl: (value) => value.count,
      shouldCache: (value) => value.id !== '',
    })
    expectTypeOf(two).toEqualTypeOf<Wrapped<[string, number], { id: string; count: number }>>()
    expectTypeOf(two.get).returns.resolves.toEqualTypeOf<{ id: string; count: number } | undefined>()
    expectTypeOf(two.set).parameters.toEqualTypeOf<[string, number, { id: string; count: number }]>()
  })

  it('infers them where the context is annotated', () => {
    const wrapped = cache.wrap(async (id: number, { signal }: LoadContext) => signal.aborted || String(id), {
      key: (id: number) => [id],
    })
    expectTypeOf(wrapped).toEqualTypeOf<Wrapped<[number], string | true>>()
  })

  it('infers the context without an annotation', () => {
    const one = cache.wrap((id: string, { signal }) => ({ id, over: signal.aborted }), { key: (id) => ['one', id] })
    expectTypeOf(one).toEqualTypeOf<Wrapped<[string], { id: string; over: boolean }>>()
    const only = cache.wrap(({ signal }) => signal.aborted, { key: () => 'only' })
    expectTypeOf(only).toEqualTypeOf<Wrapped<[], boolean>>()
    const two = cache.wrap(async (id: string, count: number, { signal }) => [id, count, signal.aborted] as const, {
      key: (id, count) => [id, count],
    })
    expectTypeOf(two).toEqualTypeOf<Wrapped<[string, number], readonly [string, number, boolean]>>()
  })

  it('tags get the arguments, then the value', () => {
    const wrapped = cache.wrap(async (id: string, count: number) => ({ id, count }), {
      key: (id, count) => [id, count],
      tags(id, count, value) {
        expectTypeOf(id).toEqualTypeOf<string>()
        expectTypeOf(count).toEqualTypeOf<number>()
        expectTypeOf(value).toEqualTypeOf<{ id: string; count: number }>()
        return [id, value.id]
      },
    })
    expectTypeOf(wrapped).toEqualTypeOf<Wrapped<[string, number], { id: string; count: number }>>()
    const none = cache.wrap(async () => 42, {
      key: () => 'none',
      tags(...given) {
        expectTypeOf(given).toEqualTypeOf<[value: number]>()
        return [String(given[0])]
      },
    })
    expectTypeOf(none).toEqualTypeOf<Wrapped<[], number>>()
    const context = cache.wrap((id: string, { signal }) => ({ id, over: signal.aborted }), {
      key: (id) => ['one', id],
      tags: (id) => [id],
    })
    expectTypeOf(context).toEqualTypeOf<Wrapped<[string], { id: string; over: boolean }>>()
    const fixed = cache.wrap(async (id: string) => id, { key: (id) => id, tags: ['x'] as const })
    expectTypeOf(fixed).toEqualTypeOf<Wrapped<[string], string>>()
    // @ts-expect-error strings
    void (() => cache.wrap(async (id: string) => id, { key: (id: string) => id, tags: () => [5] }))
  })

  it('refuses wrong arguments', () => {
    const wrapped = cache.wrap(async (id: string) => id, { key: (id: string) => id })
    // @ts-expect-error a string
    void (() => wrapped(5))
    // @ts-expect-error no more than one
    void (() => wrapped('a', 'b'))
    // @ts-expect-error the value comes last
    void (() => wrapped.set('a', 5))
  })
})
