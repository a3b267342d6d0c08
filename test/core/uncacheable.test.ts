import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('a value that no codec restores goes to its callers, and is told', async () => {
    const { cache, trace } = await service.open()
    class User {}
    const user = new User()
    const origin = createOrigin<{ user: User }>()
    const calls = [cache.getOrSet(['user', 1], origin.load)]
    const run = await origin.started()
    calls.push(cache.getOrSet(['user', 1], origin.load))
    await trace.saw('join')
    run.finish({ user })
    for (const value of await Promise.all(calls)) expect(value.user).toBe(user)
    expect(trace.of('uncacheable')).toEqual([
      {
        type: 'uncacheable',
        key: '["user",1]',
        shape: '["user",number]',
        reason: 'an instance of User',
        path: '.user',
      },
    ])
    await trace.saw('share')
    expect(await cache.has(['user', 1])).toBe(false)
  })

  it('it is told once per shape of key', async () => {
    const { cache, trace } = await service.open()
    for (const key of [['user', 1], ['user', 2], ['user', 3], ['user', 'x'], 'user:1', 'user:2']) {
      await cache.getOrSet(key, () => () => 'a function')
    }
    expect(trace.of('uncacheable').map(({ shape }) => shape)).toEqual(['["user",number]', '["user",string]', 'user:*'])
  })

  it('other instances compute their own, once each', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin<() => string>()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = [1, 2, 3].map(() => b.cache.getOrSet('key', origin.load))
    await b.trace.saw('follow')
    run.finish(() => 'a')
    ;(await origin.started(2)).finish(() => 'b')
    expect((await led)()).toBe('a')
    for (const value of await Promise.all(followed)) expect(value()).toBe('b')
    expect(origin.runs).toHaveLength(2)
  })

  it.for<[string, () => object]>([
    ['a stream', () => Readable.from(['a'])],
    ['a web stream', () => new Response('a').body as object],
    ['a Response', () => new Response('a')],
    [
      'an async generator',
      () =>
        (async function* () {
          yield 'a'
        })(),
    ],
    ['an iterator', () => [1].values()],
    ['a stream in an object', () => ({ body: Readable.from(['a']) })],
  ])('%s is for the caller who ran the loader, and for nobody else', async ([, make]) => {
    const { cache, trace } = await service.open()
    const origin = createOrigin<object>()
    const opener = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const joiners = [cache.getOrSet('key', origin.load), cache.getOrSet('key', origin.load)]
    await trace.saw('join', 2)
    const mine = make()
    run.finish(mine)
    expect(await opener).toBe(mine)
    for (const nth of [2, 3]) (await origin.started(nth)).finish(make())
    const [first, second] = await Promise.all(joiners)
    expect(new Set([mine, first, second]).size).toBe(3)
    expect(await cache.has('key')).toBe(false)
  })

  it('what is larger than maxEntryBytes is shared, told, and not stored', async () => {
    const [a, b] = [await service.open({ maxEntryBytes: 1000 }), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    const value = 'x'.repeat(1000)
    run.finish(value)
    expect(await Promise.all([led, followed])).toEqual([value, value])
    expect((await a.trace.saw('uncacheable')).reason).toMatch(/^\d+ bytes are more than maxEntryBytes \(1000\)$/)
    expect(origin.runs).toHaveLength(1)
    expect(await b.cache.has('key')).toBe(false)
    expect(await a.cache.getOrSet('key', () => 'small')).toBe('small')
    await a.trace.saw('publish')
    expect(await b.cache.get('key')).toBe('small')
  })
})
