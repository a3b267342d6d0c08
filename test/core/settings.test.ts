import { expect, it, vi } from 'vitest'
import { createCache } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('two namespaces do not meet: neither values nor flights nor notices', async () => {
    const [a, b] = [await service.open(), await service.open({ namespace: `${service.namespace}-b` })]
    await a.cache.set('key', 'a')
    expect(await b.cache.get('key')).toBeUndefined()
    const [first, second] = [createOrigin(), createOrigin()]
    const calls = [a.cache.getOrSet('other', first.load), b.cache.getOrSet('other', second.load)]
    ;(await first.started()).finish('of a')
    ;(await second.started()).finish('of b')
    expect(await Promise.all(calls)).toEqual(['of a', 'of b'])
    await b.trace.saw('publish')
    await a.cache.invalidate({ keys: ['other'] })
    expect(await b.cache.get('other')).toBe('of b')
    expect(b.trace.of('invalidate')).toEqual([])
    expect(a.cache.namespace).toBe(service.namespace)
  })

  it("two versions do not see each other's entries", async () => {
    const [old, next, other] = [
      await service.open({ version: '1' }),
      await service.open({ version: '2' }),
      await service.open(),
    ]
    await old.cache.set(['key'], 'old')
    expect(await next.cache.get(['key'])).toBeUndefined()
    expect(await other.cache.get(['key'])).toBeUndefined()
    expect(await next.cache.getOrSet(['key'], () => 'new')).toBe('new')
    await next.trace.saw('publish')
    expect(await old.cache.get(['key'])).toBe('old')
    expect(next.trace.of('miss')[0]?.key).toBe('"2":["key"]')
  })

  it('a cache that is switched off runs every loader, reads and claims nothing', async () => {
    const [on, off] = [await service.open(), await service.open({ enabled: false })]
    await on.cache.set('key', 'stored')
    const load = vi.fn(async () => 'computed')
    expect(await Promise.all([1, 2, 3].map(() => off.cache.getOrSet('key', load)))).toEqual(Array(3).fill('computed'))
    expect(load).toHaveBeenCalledTimes(3)
    expect(await off.cache.claim('key')).toEqual({ role: 'alone' })
    expect(await off.cache.get('key')).toBeUndefined()
    expect(await off.cache.getMany(['key'])).toEqual([undefined])
    expect(off.trace.types.filter((type) => type !== 'invalidate')).toEqual(['alone', 'alone', 'alone'])
    expect(await on.cache.get('key')).toBe('stored')
  })

  it('writes and invalidations of a cache that is switched off go on', async () => {
    const [on, off] = [await service.open(), await service.open({ enabled: false })]
    await off.cache.set('key', 'value')
    expect(await on.cache.get('key')).toBe('value')
    await off.cache.invalidate({ keys: ['key'] })
    expect(await on.cache.get('key')).toBeUndefined()
  })

  it('the switch may be a function, which is asked at each call', async () => {
    let enabled = false
    const { cache, trace } = await service.open({ enabled: () => enabled })
    await cache.getOrSet('key', () => 1)
    expect(await cache.has('key')).toBe(false)
    enabled = true
    await cache.getOrSet('key', () => 2)
    await trace.saw('publish')
    expect(await cache.get('key')).toBe(2)
  })

  it('a switch that throws is off, and says so', async () => {
    const error = new Error('no flags')
    const { cache, trace } = await service.open({
      enabled: () => {
        throw error
      },
    })
    expect(await cache.getOrSet('key', () => 'value')).toBe('value')
    expect(trace.events).toEqual([
      { type: 'policyError', key: 'key', option: 'enabled', error },
      { type: 'alone', key: 'key', reason: 'disabled' },
    ])
  })

  it('a switch that returns no boolean is off, and says so', async () => {
    const { cache, trace } = await service.open({ enabled: (async () => true) as unknown as () => boolean })
    expect(await cache.getOrSet('key', () => 'value')).toBe('value')
    expect(trace.types).toEqual(['policyError', 'alone'])
  })

  it('caches without a store are alone in their process', async () => {
    await using a = createCache({ ttl: 1000 })
    await using b = createCache({ ttl: 1000 })
    await a.set('key', 1)
    expect(await b.get('key')).toBeUndefined()
    expect(a.namespace).toBe('atomcache')
  })

  it('an argument of options is not written to, and not read again', async () => {
    const options = Object.freeze({ ttl: 1000, breaker: Object.freeze({ failures: 1 }) })
    const { cache, trace } = await service.open(options)
    const call = { ttl: 500 }
    const pending = cache.getOrSet('key', () => 1, call)
    call.ttl = 50_000
    await pending
    await trace.saw('publish')
    expect((await cache.entry('key'))?.ttl).toBeLessThanOrEqual(500)
  })
})
