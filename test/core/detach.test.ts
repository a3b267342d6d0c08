import { expect, it } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { type GatedStep, gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('from the call of invalidate on new callers do not join what is computed', async () => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    const origin = createOrigin()
    const before = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const removal = gates.before('remove')
    const invalidated = cache.invalidate({ keys: ['key'] })
    await removal.reached
    const since = cache.getOrSet('key', origin.load)
    removal.open()
    await invalidated
    ;(await origin.started(2)).finish('new')
    expect(await since).toBe('new')
    run.finish('old')
    expect(await before).toBe('old')
    expect(await cache.get('key')).toBe('new')
  })

  it('what was read before the removal, in a call begun after it was asked for, is not for callers after it', async () => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    await cache.set('key', 'old')
    const removal = gates.before('remove')
    const invalidated = cache.invalidate({ keys: ['key'] })
    await removal.reached
    const reading = gates.after('read')
    const between = cache.getOrSet('key', () => 'between')
    await reading.reached
    removal.open()
    await invalidated
    // Without the second detach it would join the read above.
    const after = cache.getOrSet('key', () => 'new')
    expect(await after).toBe('new')
    reading.open()
    expect(await between).toBe('old')
  })

  it.for<[string, GatedStep]>([
    ['get', 'read'],
    ['getOrSet', 'read'],
  ])('a %s after the invalidation returned does not share a read of before', async ([method, step]) => {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates })
    await cache.set('key', 'old')
    const reading = gates.after(step)
    const before = cache.get('key')
    await reading.reached
    await cache.invalidate({ keys: ['key'] })
    const after = method === 'get' ? cache.get('key') : cache.getOrSet('key', () => 'new')
    expect(await after).toBe(method === 'get' ? undefined : 'new')
    reading.open()
    expect(await before).toBe('old')
  })

  it("a follower's flight is detached as well, and its message is not for the next", async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const before = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    await b.cache.invalidate({ keys: ['key'] })
    const after = b.cache.getOrSet('key', origin.load)
    ;(await origin.started(2)).finish('new')
    expect(await Promise.all([before, after])).toEqual(['new', 'new'])
    run.finish('old')
    expect(await led).toBe('old')
    expect(origin.runs).toHaveLength(2)
  })

  it('another instance detaches when it hears of it', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const before = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    await b.cache.invalidate({ keys: ['key'] })
    await a.trace.saw('invalidate')
    const after = a.cache.getOrSet('key', origin.load)
    ;(await origin.started(2)).finish('new')
    expect(await after).toBe('new')
    run.finish('old')
    expect(await before).toBe('old')
  })

  it('a set detaches too: who asks after it gets its value', async () => {
    const { cache } = await service.open()
    const origin = createOrigin()
    const before = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    await cache.set('key', 'set')
    expect(await cache.getOrSet('key', origin.load)).toBe('set')
    run.finish('computed')
    expect(await before).toBe('computed')
    expect(await cache.get('key')).toBe('set')
  })

  it("one's own notice does not detach what was begun after the reply", async () => {
    const { cache, trace } = await service.open()
    await cache.invalidate({ keys: ['key'] })
    const origin = createOrigin()
    const first = cache.getOrSet('key', origin.load)
    const run = await origin.started()
    // A command after it, so that the notice has come back.
    await cache.get('other')
    const second = cache.getOrSet('key', origin.load)
    await trace.saw('join')
    run.finish('value')
    expect(await Promise.all([first, second])).toEqual(['value', 'value'])
    expect(trace.of('invalidate')).toEqual([{ type: 'invalidate', keys: ['key'], tags: [], remote: false }])
  })
})
