import { expect, it } from 'vitest'
import { onEveryStore } from '../everyStore.ts'
import { setStale } from '../freshness/staleness.ts'
import { createOrigin } from '../origin.ts'

const ONE = { limit: { group: 'database', leaders: 1 } }

onEveryStore((service) => {
  it('a loader that asks for another key of its group, or for many, needs no second place', async () => {
    const { cache } = await service.open(ONE)
    const value = await cache.getOrSet('outer', async () => {
      const inner = await cache.getOrSet('inner', () => 'inner')
      const many = await cache.getOrSetMany(['m1', 'm2'], (keys) => keys.map(String))
      return [inner, ...many]
    })
    expect(value).toEqual(['inner', 'm1', 'm2'])
  })

  it('keys that one loader computes together need one place', async () => {
    const [a, b] = [await service.open(ONE), await service.open(ONE)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const loaded: string[][] = []
    const many = b.cache.getOrSetMany(['m1', 'm2', 'm3'], (keys) => {
      loaded.push(keys.map(String))
      return keys.map((key) => `of ${key}`)
    })
    await b.trace.saw('queue', 3)
    const last = a.cache.getOrSet('last', origin.load)
    expect((await a.trace.saw('queue')).ahead).toBe(1)
    origin.runs[0]?.finish('one')
    expect(await many).toEqual(['of m1', 'of m2', 'of m3'])
    expect(loaded).toEqual([['m1', 'm2', 'm3']])
    ;(await origin.started(2)).finish('last')
    expect(await Promise.all([first, last])).toEqual(['one', 'last'])
  })

  it('a claim of one’s own is handed out when there is a place, which its end gives back', async () => {
    const { cache, trace } = await service.open(ONE)
    const first = await cache.claim('first')
    if (first.role !== 'leader') throw new Error(first.role)
    const second = cache.claim('second')
    await trace.saw('queue')
    await first.publish('one')
    const next = await second
    if (next.role !== 'leader') throw new Error(next.role)
    await next.release()
    expect(await cache.getOrSet('third', () => 'three')).toBe('three')
  })

  it('a refresh behind answers waits for its place too', async () => {
    const window = { staleWhileRevalidate: 60_000 }
    const { cache, trace } = await service.open({ ...ONE, ...window })
    const origin = createOrigin()
    await setStale(cache, 'key', 'old', window)
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    expect(await cache.getOrSet('key', origin.load)).toBe('old')
    await trace.saw('queue')
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('new')
    await trace.saw('publish', 2)
    expect(await cache.get('key')).toBe('new')
    expect(await first).toBe('one')
  })

  it('a cache that is closed gives back its places, and those it waits for', async () => {
    const [a, b] = [await service.open(ONE), await service.open(ONE)]
    const origin = createOrigin()
    const first = a.cache.getOrSet('first', origin.load)
    await origin.started()
    const second = a.cache.getOrSet('second', origin.load)
    await a.trace.saw('queue')
    const third = b.cache.getOrSet('third', origin.load)
    expect((await b.trace.saw('queue')).ahead).toBe(1)
    const closed = a.cache.close()
    expect((await origin.started(2)).key).toBe('third')
    // What it runs for its own callers it still runs one after another.
    await closed
    expect(origin.runs).toHaveLength(2)
    origin.runs[0]?.finish('one')
    expect((await origin.started(3)).key).toBe('second')
    origin.runs[1]?.finish('three')
    origin.runs[2]?.finish('two')
    expect(await Promise.all([first, second, third])).toEqual(['one', 'two', 'three'])
  })
})
