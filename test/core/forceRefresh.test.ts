import { expect, it } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

const forced = { forceRefresh: true } as const

onEveryStore((service) => {
  it('a forced refresh computes anew and stores it, without reading first', async () => {
    const { cache, trace } = await service.open()
    await cache.set('key', 'old')
    trace.clear()
    expect(await cache.getOrSet('key', () => 'new', forced)).toBe('new')
    await trace.saw('publish')
    expect(trace.types).toEqual(['lead', 'publish'])
    expect(await cache.get('key')).toBe('new')
  })

  it('callers of one instance run the loader once', async () => {
    const { cache } = await service.open()
    await cache.set('key', 'old')
    const origin = createOrigin()
    const calls = Array.from({ length: 10 }, () => cache.getOrSet('key', origin.load, forced))
    ;(await origin.started()).finish('new')
    expect(await Promise.all(calls)).toEqual(Array(10).fill('new'))
    expect(origin.runs).toHaveLength(1)
  })

  it('callers of many instances run it once', async () => {
    const instances = [await service.open(), await service.open(), await service.open()]
    await instances[0]?.cache.set('key', 'old')
    const origin = createOrigin()
    const first = instances[0]?.cache.getOrSet('key', origin.load, forced)
    const run = await origin.started()
    const others = instances
      .slice(1)
      .flatMap(({ cache }) => [1, 2, 3].map(() => cache.getOrSet('key', origin.load, forced)))
    for (const { trace } of instances.slice(1)) await trace.saw('follow')
    run.finish('new')
    expect(await Promise.all([first, ...others])).toEqual(Array(7).fill('new'))
    expect(origin.runs).toHaveLength(1)
  })

  it('it joins a flight that runs in the store', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const refreshed = b.cache.getOrSet('key', origin.load, forced)
    await b.trace.saw('follow')
    run.finish('value')
    expect(await Promise.all([led, refreshed])).toEqual(['value', 'value'])
    expect(b.trace.types).toEqual(['follow', 'followed'])
    expect(origin.runs).toHaveLength(1)
  })

  it('it does not join what its own instance reads for others', async () => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    await cache.set('key', 'old')
    const reply = gates.after('read')
    const unforced = cache.getOrSet('key', () => 'unused')
    await reply.reached
    expect(await cache.getOrSet('key', () => 'new', forced)).toBe('new')
    reply.open()
    expect(await unforced).toBe('old')
  })

  it('an unforced caller does not wait for a refresh: what is stored is good enough', async () => {
    const { cache } = await service.open()
    await cache.set('key', 'old')
    const origin = createOrigin()
    const refreshed = cache.getOrSet('key', origin.load, forced)
    const run = await origin.started()
    expect(await cache.getOrSet('key', () => 'unused')).toBe('old')
    run.finish('new')
    expect(await refreshed).toBe('new')
  })

  it('where a message is lost a forced follower takes what was stored since, and computes nothing', async () => {
    const [a, b] = [await service.open(), await service.open({ leaseTtl: 200 })]
    await a.cache.set('key', 'old')
    const origin = createOrigin()
    const claimed = await a.cache.claim<string>('key', { forceRefresh: true, leaseTtl: 200 })
    const refreshed = b.cache.getOrSet('key', origin.load, forced)
    await b.trace.saw('follow')
    if (claimed.role === 'leader') await claimed.publish('new')
    expect(await refreshed).toBe('new')
    expect(origin.runs).toHaveLength(0)
  })

  it('one after the other they compute one after the other', async () => {
    const { cache, trace } = await service.open()
    let version = 0
    for (const expected of [1, 2, 3]) {
      expect(await cache.getOrSet('key', () => ++version, forced)).toBe(expected)
      await trace.saw('publish', expected)
    }
  })
})
