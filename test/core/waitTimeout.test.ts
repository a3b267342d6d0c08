import { expect, it } from 'vitest'
import { WaitTimeoutError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('a follower past its limit runs its loader, once for all callers of its instance', async () => {
    const [a, b] = [await service.open(), await service.open({ waitTimeout: 30 })]
    const [slow, own] = [createOrigin(), createOrigin()]
    const led = a.cache.getOrSet('key', slow.load)
    const run = await slow.started()
    const followed = [1, 2, 3].map(() => b.cache.getOrSet('key', own.load))
    await b.trace.saw('waitTimeout', 3)
    ;(await own.started()).finish('own')
    expect(await Promise.all(followed)).toEqual(['own', 'own', 'own'])
    expect(own.runs).toHaveLength(1)
    expect(b.trace.of('waitTimeout')).toEqual(Array(3).fill({ type: 'waitTimeout', key: 'key', policy: 'load' }))
    expect(b.trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'waitTimeout' }])
    expect(await b.cache.has('key')).toBe(false)
    run.finish('led')
    expect(await led).toBe('led')
  })

  it("one caller alone past its limit gets its loader's value, not an abort", async () => {
    const [a, b] = [await service.open(), await service.open({ waitTimeout: 30 })]
    const slow = createOrigin()
    void a.cache.getOrSet('key', slow.load)
    const run = await slow.started()
    const own = createOrigin()
    const followed = b.cache.getOrSet('key', own.load)
    const ownRun = await own.started()
    expect(ownRun.signal.aborted).toBe(false)
    ownRun.finish('own')
    expect(await followed).toBe('own')
    run.finish('led')
    expect(b.trace.types).toEqual(['miss', 'follow', 'waitTimeout', 'alone'])
  })

  it('a follower past its limit throws, where it says so', async () => {
    const [a, b] = [await service.open(), await service.open({ waitTimeout: 30, onWaitTimeout: 'throw' })]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const error = await b.cache.getOrSet('key', origin.load).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(WaitTimeoutError)
    expect(error).toMatchObject({
      name: 'WaitTimeoutError',
      code: 'WAIT_TIMEOUT',
      key: 'key',
      message: "waited 30 ms for another caller's value of key",
    })
    expect(b.trace.of('waitTimeout')).toEqual([{ type: 'waitTimeout', key: 'key', policy: 'throw' }])
    expect(b.cache.stats().flights).toBe(0)
    run.finish('led')
    expect(await led).toBe('led')
    expect(origin.runs).toHaveLength(1)
  })

  it('who joined a loader of its own instance has a limit, who runs it has none', async () => {
    const { cache, trace } = await service.open({ waitTimeout: 30 })
    const origin = createOrigin()
    const opener = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const joiner = cache.getOrSet('key', origin.load)
    ;(await origin.started(2)).finish('own')
    expect(await joiner).toBe('own')
    run.finish('led')
    expect(await opener).toBe('led')
    expect(trace.of('waitTimeout')).toHaveLength(1)
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('led')
  })

  it('a joiner throws, where it says so, and the loader goes on', async () => {
    const { cache, trace } = await service.open({ waitTimeout: 30, onWaitTimeout: 'throw' })
    const origin = createOrigin()
    const opener = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    await expect(cache.getOrSet('key', origin.load)).rejects.toBeInstanceOf(WaitTimeoutError)
    expect(run.signal.aborted).toBe(false)
    run.finish('led')
    expect(await opener).toBe('led')
    await trace.saw('publish')
  })

  it("the limit is each caller's own", async () => {
    const { cache } = await service.open()
    const origin = createOrigin()
    const opener = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const patient = cache.getOrSet('key', origin.load)
    const hasty = cache.getOrSet('key', origin.load, { waitTimeout: 20, onWaitTimeout: 'throw' })
    await expect(hasty).rejects.toBeInstanceOf(WaitTimeoutError)
    run.finish('led')
    expect(await Promise.all([opener, patient])).toEqual(['led', 'led'])
  })

  it('a claim past its limit is alone', async () => {
    const [a, b] = [await service.open(), await service.open({ waitTimeout: 30 })]
    const claimed = await a.cache.claim('key')
    expect(await b.cache.claim('key')).toEqual({ role: 'alone' })
    await expect(b.cache.claim('key', { onWaitTimeout: 'throw' })).rejects.toBeInstanceOf(WaitTimeoutError)
    if (claimed.role === 'leader') await claimed.release()
  })

  it('an infinite limit waits', async () => {
    const [a, b] = [await service.open(), await service.open({ waitTimeout: Number.POSITIVE_INFINITY })]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    run.finish('value')
    expect(await Promise.all([led, followed])).toEqual(['value', 'value'])
  })
})
