import { expect, it } from 'vitest'
import type { Cache, Claim, LeaderClaim } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('a claim of what is stored is a hit', async () => {
    const { cache, trace } = await service.open()
    await cache.set('key', { a: 1 })
    expect(await cache.claim('key')).toEqual({ role: 'hit', value: { a: 1 } })
    expect(trace.types).toEqual(['set', 'hit'])
  })

  it('whoever claims what nobody computes leads, and what it publishes is stored', async () => {
    const { cache, trace } = await service.open()
    const claimed = await lead(cache)
    expect(await claimed.publish('value')).toBe(true)
    expect(await cache.get('key')).toBe('value')
    expect(trace.types).toEqual(['miss', 'lead', 'publish', 'hit'])
    expect(await claimed.publish('second')).toBe(false)
    await claimed.release()
    expect(await cache.get('key')).toBe('value')
  })

  it('a second claim waits while another leads, here and elsewhere, and gets what that publishes', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const claimed = await lead(a.cache)
    const here = [a.cache.claim('key'), a.cache.claim('key')]
    const elsewhere = b.cache.claim('key')
    await a.trace.saw('join', 2)
    await b.trace.saw('follow')
    await claimed.publish('value')
    for (const waited of [...here, elsewhere]) expect(await waited).toEqual({ role: 'hit', value: 'value' })
  })

  it('callers of getOrSet wait for a claim, and a claim waits for them', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const claimed = await lead(a.cache)
    const origin = createOrigin()
    const calls = [a.cache.getOrSet('key', origin.load), b.cache.getOrSet('key', origin.load)]
    await a.trace.saw('join')
    await b.trace.saw('follow')
    await claimed.publish('claimed')
    expect(await Promise.all(calls)).toEqual(['claimed', 'claimed'])
    expect(origin.runs).toHaveLength(0)

    const led = a.cache.getOrSet('other', origin.load)
    const run = await origin.started()
    const waiting = [a.cache.claim('other'), b.cache.claim('other')]
    await b.trace.saw('follow', 2)
    run.finish('loaded')
    expect(await led).toBe('loaded')
    for (const waited of waiting) expect(await waited).toEqual({ role: 'hit', value: 'loaded' })
  })

  it('publish takes a ttl, and can be told not to store', async () => {
    const [a, b] = [await service.open({ ttl: undefined }), await service.open()]
    const forgetful = await lead(a.cache)
    await expect(forgetful.publish('value')).rejects.toThrow('publish needs a ttl')
    // The flight was given back: nobody waits for a claimer that may not try again.
    expect(await forgetful.publish('value', { ttl: 5000 })).toBe(false)
    const first = await lead(a.cache)
    expect(await first.publish('value', { ttl: 5000 })).toBe(true)
    expect((await a.cache.entry('key'))?.ttl).toBeLessThanOrEqual(5000)

    const second = await lead(a.cache, 'other')
    const here = a.cache.claim('other')
    await a.trace.saw('join')
    const elsewhere = b.cache.claim('other')
    await b.trace.saw('follow')
    expect(await second.publish('value', { ttl: 5000, shouldCache: false })).toBe(false)
    expect(await here).toEqual({ role: 'alone' })
    expect(await elsewhere).toEqual({ role: 'alone' })
    expect(await a.cache.has('other')).toBe(false)
  })

  it('who waits for a claim that may not be shared runs its loader once per instance', async () => {
    const { cache, trace } = await service.open()
    const claimed = await lead(cache)
    const origin = createOrigin()
    const calls = Array.from({ length: 5 }, () => cache.getOrSet('key', origin.load))
    await trace.saw('join', 5)
    await claimed.publish('mine', { shouldCache: false })
    ;(await origin.started()).finish('theirs')
    expect(await Promise.all(calls)).toEqual(Array(5).fill('theirs'))
    expect(origin.runs).toHaveLength(1)
  })

  it('fail gives the error to those who wait', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const claimed = await lead(a.cache)
    const here = a.cache.getOrSet('key', () => 'unused')
    await a.trace.saw('join')
    const elsewhere = b.cache.claim('key')
    await b.trace.saw('follow')
    const error = new Error('no')
    const [first, second] = [expect(here).rejects.toBe(error), expect(elsewhere).rejects.toThrow('no')]
    await claimed.fail(error)
    await Promise.all([first, second])
    expect(a.trace.of('loaderError')).toEqual([{ type: 'loaderError', key: 'key', error, shared: true }])
    expect(await lead(a.cache)).toMatchObject({ role: 'leader' })
  })

  it.for(['release', 'dispose'] as const)('%s gives the flight back: one of those who wait leads next', async (how) => {
    const [a, b] = [await service.open(), await service.open()]
    const claimed = await lead(a.cache)
    const waiting = b.cache.claim('key')
    await b.trace.saw('follow')
    await (how === 'release' ? claimed.release() : claimed[Symbol.asyncDispose]())
    const next = await waiting
    expect(next.role).toBe('leader')
    await b.trace.saw('lead')
    expect(a.trace.of('release')[0]).toMatchObject({ key: 'key', reason: 'released' })
    await (next as LeaderClaim).release()
  })

  it('many claims in one instance lead one after the other', async () => {
    const { cache } = await service.open()
    const turns: number[] = []
    let leading = 0
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const claimed = await lead(cache)
        expect(++leading).toBe(1)
        turns.push(i)
        await new Promise((resolve) => setImmediate(resolve))
        leading--
        await claimed.release()
      }),
    )
    expect(turns).toHaveLength(10)
  })

  it('a claim whose flight was invalidated publishes nothing', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const claimed = await lead(a.cache)
    await b.cache.invalidate({ keys: ['key'] })
    expect(await claimed.publish('old')).toBe(false)
    expect(a.trace.of('fenced')).toHaveLength(1)
    expect(await a.cache.has('key')).toBe(false)
  })

  it('a claim whose caller leaves before it leads goes to one who waits', async () => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    const reply = gates.after('claim')
    const leaving = new AbortController()
    const left = cache.claim('key', { signal: leaving.signal })
    const rejected = expect(left).rejects.toBe('gone')
    await reply.reached
    const staying = cache.getOrSet('key', () => 'loaded')
    await new Promise((resolve) => setImmediate(resolve))
    leaving.abort('gone')
    await rejected
    reply.open()
    expect(await staying).toBe('loaded')
  })

  it('the signal of a claim that leads is aborted when its caller leaves and nobody else waits', async () => {
    const { cache, trace } = await service.open()
    const leaving = new AbortController()
    const claimed = await cache.claim('key', { signal: leaving.signal })
    if (claimed.role !== 'leader') throw new Error(`got ${claimed.role}`)
    expect(claimed.signal.aborted).toBe(false)
    leaving.abort()
    await trace.saw('release')
    expect(claimed.signal.aborted).toBe(true)
    expect(await claimed.publish('late')).toBe(false)
    expect(cache.stats().flights).toBe(0)
  })

  it('an aborted signal rejects at once', async () => {
    const { cache, trace } = await service.open()
    await expect(cache.claim('key', { signal: AbortSignal.abort('over') })).rejects.toBe('over')
    expect(trace.events).toEqual([])
  })

  it('a forced claim leads over what is stored', async () => {
    const { cache } = await service.open()
    await cache.set('key', 'old')
    const claimed = await cache.claim('key', { forceRefresh: true })
    if (claimed.role !== 'leader') throw new Error(`got ${claimed.role}`)
    await claimed.publish('new')
    expect(await cache.get('key')).toBe('new')
  })

  it('where the store is silent a claim is alone', async () => {
    const gates = gatedStore(service.store)
    const { cache, trace } = await service.open({ store: gates, commandTimeout: 20 })
    gates.silent = true
    expect(await cache.claim('key')).toEqual({ role: 'alone' })
    expect(trace.types).toEqual(['storeFault'])
  })

  it('a closed cache leaves a claim alone', async () => {
    const { cache } = await service.open()
    await cache.close()
    expect(await cache.claim('key')).toEqual({ role: 'alone' })
  })
})

async function lead(cache: Cache, key = 'key'): Promise<LeaderClaim<string>> {
  const claimed: Claim<string> = await cache.claim<string>(key)
  if (claimed.role !== 'leader') throw new Error(`the claim's role is ${claimed.role}`)
  return claimed
}
