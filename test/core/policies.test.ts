import { describe, expect, it, vi } from 'vitest'
import type { CallOptions } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('a ttl that is a function gets the value', async () => {
    const { cache, trace } = await service.open()
    const ttl = vi.fn(({ life }: { life: number }) => life)
    await cache.getOrSet('key', () => ({ life: 5000 }), { ttl })
    await trace.saw('publish')
    expect(ttl).toHaveBeenCalledWith({ life: 5000 })
    expect((await cache.entry('key'))?.ttl).toBeLessThanOrEqual(5000)
    expect((await cache.entry('key'))?.ttl).toBeGreaterThan(3000)
  })

  it('a ttl of 0 or less shares the value and does not store it', async () => {
    const [a, b] = [await service.open(), await service.open()]
    for (const [i, ttl] of [0, -1, Number.NEGATIVE_INFINITY].entries()) {
      const origin = createOrigin()
      const led = a.cache.getOrSet(`key ${i}`, origin.load, { ttl: () => ttl })
      const run = await origin.started()
      const followed = b.cache.getOrSet(`key ${i}`, origin.load)
      await b.trace.saw('follow', i + 1)
      run.finish('value')
      expect(await Promise.all([led, followed])).toEqual(['value', 'value'])
      expect(await b.cache.has(`key ${i}`)).toBe(false)
    }
    expect((await a.trace.saw('share', 3)).reason).toBe('share')
    expect(a.trace.of('publish')).toEqual([])
  })

  it('a value that may not be cached is computed once per instance, and not stored', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin<{ user: string | undefined }>()
    const options: CallOptions<{ user: string | undefined }> = { shouldCache: ({ user }) => user === undefined }
    const led = a.cache.getOrSet('key', origin.load, options)
    const run = await origin.started()
    const followed = [1, 2, 3].map(() => b.cache.getOrSet('key', origin.load, options))
    await b.trace.saw('follow')
    run.finish({ user: 'ada' })
    expect(await led).toEqual({ user: 'ada' })
    ;(await origin.started(2)).finish({ user: 'bob' })
    for (const value of await Promise.all(followed)) expect(value).toEqual({ user: 'bob' })
    expect(origin.runs).toHaveLength(2)
    expect(b.trace.of('followed')[0]).toMatchObject({ outcome: 'alone' })
    expect(b.trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'unshareable' }])
    expect(await a.cache.has('key')).toBe(false)
  })

  describe.each([
    ['shouldCache', { shouldCache: fails }],
    ['ttl', { ttl: fails }],
    ['ttl', { ttl: () => Number.NaN }],
    ['ttl', { ttl: (() => 'long') as unknown as () => number }],
  ] satisfies [string, CallOptions][])('a %s that fails: %o', (option, options) => {
    it('costs the storing, not the answer', async () => {
      const { cache, trace } = await service.open()
      expect(await cache.getOrSet('key', () => 'value', options)).toBe('value')
      const { error } = await trace.saw('policyError')
      expect(trace.of('policyError')).toEqual([{ type: 'policyError', key: 'key', option, error }])
      await trace.saw('share')
      expect(await cache.has('key')).toBe(false)
    })
  })

  it('a shareError that throws shares nothing', async () => {
    const [a, b] = [await service.open({ shareError: fails }), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    run.fail(new Error('secret'))
    await expect(led).rejects.toThrow('secret')
    ;(await origin.started(2)).finish('own')
    expect(await followed).toBe('own')
    expect(a.trace.of('policyError')[0]).toMatchObject({ option: 'shareError' })
    expect(a.trace.of('loaderError')[0]).toMatchObject({ shared: false })
  })

  it('options of a call win over those of the cache', async () => {
    const { cache, trace } = await service.open({ ttl: 1000, shouldCache: false })
    await cache.getOrSet('key', () => 'value', { ttl: 5000, shouldCache: true })
    await trace.saw('publish')
    expect((await cache.entry('key'))?.ttl).toBeGreaterThan(1000)
    await cache.getOrSet('other', () => 'value', { ttl: undefined })
    await trace.saw('share')
    expect(await cache.has('other')).toBe(false)
  })
})

function fails(): never {
  throw new Error('a policy that fails')
}
