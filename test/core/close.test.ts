import { expect, it } from 'vitest'
import { StoreError, UnconfirmedError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { type GatedStep, gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

/** ms that closing may take: the command budget and a second. */
const LIMIT = 1250

onEveryStore((service) => {
  it('an instance that closes while it leads lets another go on at once', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    await closes(a.cache)
    const next = await origin.started(2)
    next.finish('of b')
    expect(await followed).toBe('of b')
    expect(b.trace.types.slice(0, 4)).toEqual(['miss', 'follow', 'followed', 'lead'])
    expect(b.trace.of('followed')[0]?.outcome).toBe('again')
    // Its loader goes on for its own callers, and publishes nothing.
    expect(run.signal.aborted).toBe(false)
    run.finish('of a')
    expect(await led).toBe('of a')
    expect(await b.cache.get('key')).toBe('of b')
    expect(a.trace.of('release')[0]).toMatchObject({ reason: 'closed' })
  })

  it('one that closes while it follows runs its loader itself', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = [b.cache.getOrSet('key', origin.load), b.cache.getOrSet('key', origin.load)]
    await b.trace.saw('follow')
    await closes(b.cache)
    ;(await origin.started(2)).finish('own')
    expect(await Promise.all(followed)).toEqual(['own', 'own'])
    expect(b.trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'closed' }])
    run.finish('led')
    expect(await led).toBe('led')
    expect(origin.runs).toHaveLength(2)
  })

  it.for<GatedStep>(['read', 'claim'])('one that closes in the middle of a %s runs its loader', async (step) => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    const hold = gates.after(step)
    const call = cache.getOrSet('key', () => 'value')
    await hold.reached
    const closed = closes(cache)
    hold.open()
    await closed
    expect(await call).toBe('value')
    expect(cache.stats().flights).toBe(0)
  })

  it('closing ends in time where the store is silent', async () => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates, commandTimeout: 100 })
    const origin = createOrigin()
    const led = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    gates.silent = true
    const call = cache.getOrSet('other', () => 'alone')
    await closes(cache)
    expect(await call).toBe('alone')
    run.finish('value')
    expect(await led).toBe('value')
  })

  it('a lease of a closed instance does not stay: another leads without waiting for its end', async () => {
    const [a, b] = [await service.open({ leaseTtl: 60_000 }), await service.open()]
    const claimed = await a.cache.claim('key')
    await closes(a.cache)
    expect((await b.cache.claim('key')).role).toBe('leader')
    if (claimed.role === 'leader') expect(await claimed.publish('late')).toBe(false)
    expect(await b.cache.has('key')).toBe(false)
  })

  it('after it loaders run, reads find nothing, writes and invalidations reject', async () => {
    const { cache, trace } = await service.open()
    await cache.set('key', 'stored')
    await closes(cache)
    expect(await cache.getOrSet('key', () => 'own')).toBe('own')
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    expect(await cache.entry('key')).toBeUndefined()
    expect(await cache.getMany(['key'])).toEqual([undefined])
    for (const rejected of [cache.set('key', 1), cache.setMany([['key', 1]]), cache.delete('key')]) {
      const error = await rejected.catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(UnconfirmedError)
      expect(error).toMatchObject({ code: 'UNCONFIRMED', keys: ['key'], cause: { code: 'CLOSED' } })
      expect((error as Error).cause).toBeInstanceOf(StoreError)
    }
    await expect(cache.ready()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'closed' }])
  })

  it('callers of a closed instance share one run', async () => {
    const { cache } = await service.open()
    await closes(cache)
    const origin = createOrigin()
    const calls = [1, 2, 3].map(() => cache.getOrSet('key', origin.load))
    ;(await origin.started()).finish('own')
    expect(await Promise.all(calls)).toEqual(['own', 'own', 'own'])
    expect(origin.runs).toHaveLength(1)
  })

  it('closing twice is closing once', async () => {
    const { cache } = await service.open()
    const [first, second] = [cache.close(), cache.close()]
    await Promise.all([first, second])
    await cache[Symbol.asyncDispose]()
  })

  it('one instance that closes leaves the others', async () => {
    const [a, b, c] = [await service.open(), await service.open(), await service.open()]
    await closes(a.cache)
    const origin = createOrigin()
    const led = b.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = c.cache.getOrSet('key', origin.load)
    await c.trace.saw('follow')
    run.finish('value')
    expect(await Promise.all([led, followed])).toEqual(['value', 'value'])
  })
})

async function closes(cache: { close(): Promise<void> }): Promise<void> {
  const startedAt = performance.now()
  await cache.close()
  expect(performance.now() - startedAt).toBeLessThan(LIMIT)
}
