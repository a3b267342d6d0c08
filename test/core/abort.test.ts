import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

/** ms: renewals, which ask who waits, come at a third of it. */
const LEASE = 300

onEveryStore((service) => {
  it('a caller that leaves leaves the others in', async () => {
    const { cache, trace } = await service.open()
    const origin = createOrigin()
    const leaving = new AbortController()
    const left = cache.getOrSet('key', origin.load, { signal: leaving.signal })
    const run = await origin.started()
    const staying = cache.getOrSet('key', origin.load)
    await trace.saw('join')
    const reason = new Error('gone')
    leaving.abort(reason)
    await expect(left).rejects.toBe(reason)
    expect(run.signal.aborted).toBe(false)
    run.finish('value')
    expect(await staying).toBe('value')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('value')
  })

  it('the loader is aborted when nobody waits here or elsewhere, and its flight is given back', async () => {
    const { cache, trace } = await service.open()
    const origin = createOrigin()
    const leaving = [new AbortController(), new AbortController()]
    const calls = leaving.map(({ signal }) => cache.getOrSet('key', origin.load, { signal }))
    const results = Promise.allSettled(calls)
    const run = await origin.started()
    await trace.saw('join')
    leaving[0]?.abort('first')
    leaving[1]?.abort('second')
    expect(await results).toEqual([
      { status: 'rejected', reason: 'first' },
      { status: 'rejected', reason: 'second' },
    ])
    expect(await trace.saw('release')).toMatchObject({ reason: 'abandoned' })
    expect(run.signal.aborted).toBe(true)
    expect(await cache.getOrSet('key', () => 'next')).toBe('next')
  })

  // Node.js keeps a signal made of others, or of a time, for as long as somebody listens to it, whoever else has forgotten it.
  it('nobody listens to the signal of a caller who is answered', async () => {
    const { cache } = await service.open()
    const origin = createOrigin()
    const { signal } = new AbortController()
    const calls = [1, 2].map(() => cache.getOrSet('key', origin.load, { signal }))
    const run = await origin.started()
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    run.finish('value')
    expect(await Promise.all(calls)).toEqual(['value', 'value'])
    expect(getEventListeners(signal, 'abort')).toEqual([])
    // It is heard again, and only by those who wait now.
    const failing = cache.getOrSet('other', origin.load, { signal })
    const { fail } = await origin.started(2)
    fail(new Error('failed'))
    await expect(failing).rejects.toThrow('failed')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('the loader goes on while another instance waits', async () => {
    const [a, b] = [await service.open({ leaseTtl: LEASE }), await service.open({ leaseTtl: LEASE })]
    const origin = createOrigin()
    const leaving = new AbortController()
    const left = a.cache.getOrSet('key', origin.load, { signal: leaving.signal })
    const run = await origin.started()
    const staying = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    leaving.abort()
    await expect(left).rejects.toThrow('aborted')
    run.finish('value')
    expect(await staying).toBe('value')
    expect(origin.runs).toHaveLength(1)
    expect(run.signal.aborted).toBe(false)
  })

  it('a follower whose callers all left waits no longer, and another may come', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const leaving = new AbortController()
    const left = b.cache.getOrSet('key', origin.load, { signal: leaving.signal })
    await b.trace.saw('follow')
    leaving.abort()
    await expect(left).rejects.toThrow('aborted')
    expect(b.cache.stats().flights).toBe(0)
    const next = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow', 2)
    run.finish('value')
    expect(await Promise.all([led, next])).toEqual(['value', 'value'])
    expect(origin.runs).toHaveLength(1)
  })

  it('a signal that was aborted before the call rejects without a command', async () => {
    const { cache, trace } = await service.open()
    const load = createOrigin()
    await expect(cache.getOrSet('key', load.load, { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    expect(trace.events).toEqual([])
    expect(load.runs).toHaveLength(0)
  })

  it('a caller that leaves while the key is being read, or claimed, gets its reason', async () => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    for (const step of ['read', 'claim'] as const) {
      const hold = gates.after(step)
      const leaving = new AbortController()
      const origin = createOrigin()
      const left = cache.getOrSet(`${step} key`, origin.load, { signal: leaving.signal })
      const rejected = expect(left).rejects.toBe(step)
      await hold.reached
      leaving.abort(step)
      hold.open()
      await rejected
      expect(origin.runs).toHaveLength(0)
      expect(await cache.getOrSet(`${step} key`, () => 'next')).toBe('next')
    }
  })

  it("an abort of the opener's own making does not reach those who joined", async () => {
    const { cache, trace } = await service.open()
    const foreign = new DOMException('its database gave up', 'AbortError')
    const opener = cache.getOrSet('key', async () => {
      await trace.saw('join')
      throw foreign
    })
    const rejected = expect(opener).rejects.toBe(foreign)
    await trace.saw('lead')
    const joiner = cache.getOrSet('key', () => 'own')
    await rejected
    expect(await joiner).toBe('own')
    expect(trace.of('loaderError')[0]).toMatchObject({ shared: false })
    expect(trace.of('release')[0]).toMatchObject({ reason: 'aborted' })
  })

  it('it does not reach another instance either', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    run.fail(Object.assign(new Error('timed out'), { name: 'AbortError' }))
    await expect(led).rejects.toThrow('timed out')
    ;(await origin.started(2)).finish('own')
    expect(await followed).toBe('own')
    await b.trace.saw('publish')
    expect(b.trace.types).toEqual(['miss', 'follow', 'followed', 'lead', 'publish'])
    expect(b.trace.of('followed')[0]).toMatchObject({ outcome: 'again' })
  })

  it('a caller that leaves a hit, after the value is there, changes nothing', async () => {
    const { cache } = await service.open()
    await cache.set('key', 'value')
    const leaving = new AbortController()
    expect(await cache.getOrSet('key', () => 'new', { signal: leaving.signal })).toBe('value')
    leaving.abort()
  })
})
