import { expect, it } from 'vitest'
import type { CacheOptions, LeaderClaim } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

/** Nothing here is about time: a busy machine may take its own, and no lease ends. */
const PATIENT: Partial<CacheOptions> = { commandTimeout: 5000, leaseTtl: 60_000 }

/** The value says what it is made of. */
const OF_VALUE = { tags: (value: string) => [`of ${value.split(' ')[0]}`] }

onEveryStore((service) => {
  const open = (options: Partial<CacheOptions> = {}) => service.open({ ...PATIENT, ...options })

  async function openGated(options: Partial<CacheOptions> = {}) {
    const gates = gatedStore(service.store)
    return { gates, ...(await open({ store: gates, ...options })) }
  }

  it('a tag that only the value knows, invalidated while the loader runs: the value is for those who asked before', async () => {
    const [a, b, c] = [await open(), await open(), await open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load, OF_VALUE)
    await b.trace.saw('follow')
    await c.cache.invalidate({ tags: ['of x'] })
    run.finish('x old')
    expect(await led).toBe('x old')
    // Whoever waited elsewhere computes anew.
    ;(await origin.started(2)).finish('x new')
    expect(await followed).toBe('x new')
    await b.trace.saw('publish')
    expect(await c.cache.get('key')).toBe('x new')
    expect(a.trace.types.filter((type) => type !== 'invalidate')).toEqual(['miss', 'lead', 'release'])
    expect(a.trace.of('release')[0]?.reason).toBe('invalidated')
    expect(b.trace.of('followed')[0]?.outcome).toBe('again')
    expect(b.trace.types.filter((type) => type !== 'invalidate')).toEqual([
      'miss',
      'follow',
      'followed',
      'lead',
      'publish',
    ])
    expect(origin.runs).toHaveLength(2)
  })

  it('another tag than those of the value makes no difference', async () => {
    const [a, b] = [await open(), await open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load, OF_VALUE)
    await b.trace.saw('follow')
    await b.cache.invalidate({ tags: ['of y'] })
    await a.trace.saw('invalidate')
    run.finish('x')
    expect(await Promise.all([led, followed])).toEqual(['x', 'x'])
    await a.trace.saw('publish')
    expect(await b.cache.get('key')).toBe('x')
    expect(origin.runs).toHaveLength(1)
  })

  it('an invalidation before the claim makes no difference', async () => {
    const { cache, trace } = await open()
    for (let i = 0; i < 3; i++) await cache.invalidate({ tags: ['of x'] })
    expect(await cache.getOrSet('key', () => 'x', OF_VALUE)).toBe('x')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('x')
  })

  it('one of many tags is enough', async () => {
    const { cache, trace } = await open()
    const tags = Array.from({ length: 250 }, (_, i) => `tag ${i}`)
    for (const [i, invalidated] of ['tag 0', 'tag 101', 'tag 249'].entries()) {
      const origin = createOrigin()
      const led = cache.getOrSet(invalidated, origin.load, { tags })
      const run = await origin.started()
      await cache.invalidate({ tags: [invalidated] })
      run.finish('old')
      expect(await led).toBe('old')
      // The callers have the value before the store has the end.
      expect((await trace.saw('release', i + 1)).reason).toBe('invalidated')
      expect(await cache.has(invalidated)).toBe(false)
    }
    expect(trace.of('publish')).toEqual([])
  })

  it('who asks after the invalidation returned, in the same instance, gets no value of before', async () => {
    const { cache, trace } = await open()
    const origin = createOrigin()
    const before = [cache.getOrSet('key', origin.load, OF_VALUE), cache.getOrSet('key', origin.load, OF_VALUE)]
    const run = await origin.started()
    await cache.invalidate({ tags: ['of x'] })
    // The flight is sealed, not ended: nobody knows yet whether it has the tag. So it is waited for as for another's.
    const after = [cache.getOrSet('key', origin.load, OF_VALUE), cache.getOrSet('key', origin.load, OF_VALUE)]
    await trace.saw('follow')
    expect(origin.runs).toHaveLength(1)
    run.finish('x old')
    expect(await Promise.all(before)).toEqual(['x old', 'x old'])
    ;(await origin.started(2)).finish('x new')
    expect(await Promise.all(after)).toEqual(['x new', 'x new'])
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('x new')
    const types = ['miss', 'join', 'lead', 'invalidate', 'miss', 'join', 'follow', 'release', 'followed', 'lead']
    expect(trace.types.toSorted()).toEqual([...types, 'publish', 'hit'].toSorted())
  })

  it('what is sealed and has not the tag is shared with those who asked after as well', async () => {
    const { cache, trace } = await open()
    const origin = createOrigin()
    const before = cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    await cache.invalidate({ tags: ['of y'] })
    const after = cache.getOrSet('key', origin.load, OF_VALUE)
    await trace.saw('follow')
    run.finish('x')
    expect(await Promise.all([before, after])).toEqual(['x', 'x'])
    expect(origin.runs).toHaveLength(1)
  })

  it('who asks an instance that heard of it on the bus gets no value of before either', async () => {
    const [a, b] = [await open(), await open()]
    const origin = createOrigin()
    const before = a.cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    await b.cache.invalidate({ tags: ['of x'] })
    expect(await a.trace.saw('invalidate')).toEqual({ type: 'invalidate', keys: [], tags: ['of x'], remote: true })
    const after = a.cache.getOrSet('key', origin.load, OF_VALUE)
    await a.trace.saw('follow')
    run.finish('x old')
    expect(await before).toBe('x old')
    ;(await origin.started(2)).finish('x new')
    expect(await after).toBe('x new')
  })

  it.for(['read', 'claim'] as const)('nor what a %s brings that was on its way then', async (step) => {
    const { cache, gates } = await openGated()
    if (step === 'read') await cache.set('key', 'x old', OF_VALUE)
    const origin = createOrigin()
    const gate = gates.after(step)
    const before = cache.getOrSet('key', origin.load, OF_VALUE)
    await gate.reached
    await cache.invalidate({ tags: ['of x'] })
    const after = cache.getOrSet('key', origin.load, OF_VALUE)
    if (step === 'claim') await gates.asked('claim', 2)
    gate.open()
    if (step === 'claim') (await origin.started()).finish('x old')
    expect(await before).toBe('x old')
    ;(await origin.started(step === 'claim' ? 2 : 1)).finish('x new')
    expect(await after).toBe('x new')
  })

  it.for(['mark', 'members', 'remove'] as const)(
    'who asks between the call and its %s is not joined by those who ask after it returned',
    async (step) => {
      const { cache, gates } = await openGated()
      await cache.set('key', 'x old', OF_VALUE)
      const invalidating = gates.before(step)
      const invalidated = cache.invalidate({ tags: ['of x'] })
      await invalidating.reached
      const reading = gates.after('read')
      const between = cache.getOrSet('key', () => 'x between', OF_VALUE)
      await reading.reached
      invalidating.open()
      await invalidated
      expect(await cache.getOrSet('key', () => 'x new', OF_VALUE)).toBe('x new')
      reading.open()
      expect(await between).toBe('x old')
      expect(await cache.getOrSet('key', () => 'unused', OF_VALUE)).toBe('x new')
    },
  )

  it.for(['index', 'end'] as const)(
    'an invalidation between the loader and the %s of its flight wins',
    async (step) => {
      const { cache, trace, gates } = await openGated()
      const other = await open()
      const gate = gates.before(step)
      const led = cache.getOrSet('key', () => 'x old', OF_VALUE)
      await gate.reached
      const followed = other.cache.getOrSet('key', () => 'x new', OF_VALUE)
      await other.trace.saw('follow')
      await other.cache.invalidate({ tags: ['of x'] })
      gate.open()
      expect(await led).toBe('x old')
      expect(await followed).toBe('x new')
      await trace.saw(step === 'index' ? 'release' : 'fenced')
      await other.trace.saw('publish')
      expect(trace.of('publish')).toEqual([])
      expect(await cache.get('key')).toBe('x new')
    },
  )

  it.for(['members', 'remove'] as const)('so does one that the flight overtakes before its %s', async (step) => {
    const { cache, trace } = await open()
    const other = await openGated()
    await cache.set('stored', 'x', OF_VALUE)
    const origin = createOrigin()
    const led = cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    const gate = other.gates.before(step)
    const invalidated = other.cache.invalidate({ tags: ['of x'] })
    await gate.reached
    run.finish('x old')
    expect(await led).toBe('x old')
    await trace.saw('release')
    gate.open()
    await invalidated
    expect(await cache.getMany(['stored', 'key'])).toEqual([undefined, undefined])
  })

  it('a ttl of 0 is shared with those who wait, not stored; and a tag invalidated meanwhile refuses it', async () => {
    const [a, b] = [await open(), await open()]
    const options = { ...OF_VALUE, ttl: () => 0 }
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load, options)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load, options)
    await b.trace.saw('follow')
    run.finish('x')
    expect(await Promise.all([led, followed])).toEqual(['x', 'x'])
    await a.trace.saw('share')
    expect(await a.cache.has('key')).toBe(false)

    const again = a.cache.getOrSet('key', origin.load, options)
    const second = await origin.started(2)
    const waiting = b.cache.getOrSet('key', origin.load, options)
    await b.trace.saw('follow', 2)
    await b.cache.invalidate({ tags: ['of x'] })
    second.finish('x old')
    expect(await again).toBe('x old')
    ;(await origin.started(3)).finish('x new')
    expect(await waiting).toBe('x new')
    expect(a.trace.of('publish')).toEqual([])
  })

  it('an error has no tags: it is told as ever', async () => {
    const [a, b] = [await open(), await open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load, { tags: ['x'] })
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load, { tags: ['x'] })
    await b.trace.saw('follow')
    const failed = [expect(led).rejects.toThrow('no'), expect(followed).rejects.toThrow('no')]
    run.fail(new Error('no'))
    await Promise.all(failed)
    expect(b.trace.of('followed')[0]?.outcome).toBe('error')
  })

  it.for(['invalidated before the index', 'invalidated before the end'] as const)(
    'a claim publishes nothing where its tag was %s',
    async (when) => {
      const { cache, trace, gates } = await openGated()
      const other = await open()
      const claimed = (await cache.claim<string>('key')) as LeaderClaim<string>
      const here = cache.getOrSet('key', () => 'x new', OF_VALUE)
      await trace.saw('join')
      const gate = gates.before(when.endsWith('end') ? 'end' : 'index')
      const published = claimed.publish('x old', OF_VALUE)
      await gate.reached
      await other.cache.invalidate({ tags: ['of x'] })
      gate.open()
      expect(await published).toBe(false)
      // Who waited asked before the invalidation.
      expect(await here).toBe('x old')
      expect(await other.cache.has('key')).toBe(false)
      expect(trace.of('publish')).toEqual([])
      expect(await claimed.publish('x late', OF_VALUE)).toBe(false)
    },
  )

  it("one's own notice does not seal what was begun after the reply", async () => {
    const { cache, trace } = await open()
    await cache.invalidate({ tags: ['of x'] })
    const origin = createOrigin()
    const first = cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    // Commands after it, on both connections: the notice has come back.
    const other = await open()
    await other.cache.invalidate({ keys: ['other'] })
    await trace.saw('invalidate', 2)
    const second = cache.getOrSet('key', origin.load, OF_VALUE)
    await trace.saw('join')
    run.finish('x')
    expect(await Promise.all([first, second])).toEqual(['x', 'x'])
  })
})
