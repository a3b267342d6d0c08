import { expect, it } from 'vitest'
import { type CacheOptions, StoreError } from '../../src/index.ts'
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

  it('an index that was added to while it was emptied stays for the next invalidation', async () => {
    const { cache } = await open()
    const other = await openGated()
    const gate = other.gates.before('sweep')
    const invalidated = other.cache.invalidate({ tags: ['of x'] })
    await gate.reached
    await cache.set('key', 'x', OF_VALUE)
    gate.open()
    await invalidated
    // It was written after the mark, so it may stay; but it must be found.
    expect(await cache.get('key')).toBe('x')
    await other.cache.invalidate({ tags: ['of x'] })
    expect(await cache.has('key')).toBe(false)
  })

  it('one that fails half way leaves the index: the next call finds what is left', async () => {
    const { cache, gates } = await openGated()
    await cache.set('key', 'x', OF_VALUE)
    for (const step of ['step', 'mark', 'members', 'remove', 'sweep', 'announce'] as const) {
      gates.fails(new StoreError('UNREACHABLE', `no ${step}`), step)
      await expect(cache.invalidate({ tags: ['of x'] })).rejects.toMatchObject({
        code: 'UNCONFIRMED',
        keys: [],
        tags: ['of x'],
        message: `invalidate was not confirmed by the store (tag of x): no ${step}`,
      })
      expect(await cache.has('key')).toBe(['step', 'mark', 'members', 'remove'].includes(step))
      gates.heals()
    }
    await cache.set('key', 'x', OF_VALUE)
    await cache.invalidate({ tags: ['of x'] })
    expect(await cache.has('key')).toBe(false)
  })

  it('what is confirmed is not named by the error: keys, or single tags', async () => {
    const { cache, trace, gates } = await openGated()
    await cache.set('key', 'x', OF_VALUE)
    gates.fails(new StoreError('UNREACHABLE', 'no mark'), 'mark')
    await expect(cache.invalidate({ keys: ['key'], tags: ['of y'] })).rejects.toMatchObject({
      keys: [],
      tags: ['of y'],
    })
    expect(await cache.has('key')).toBe(false)
    expect(trace.of('invalidate')).toEqual([])
    gates.heals()
    gates.fails(new StoreError('UNREACHABLE', 'no removal'), 'remove')
    await expect(cache.invalidate({ keys: ['key'], tags: ['of y'] })).rejects.toMatchObject({ keys: ['key'], tags: [] })
  })

  it('a value whose ids can not be indexed is for its callers here; those elsewhere run their own', async () => {
    const { cache, trace, gates } = await openGated()
    const other = await open()
    const origin = createOrigin()
    const led = cache.getOrSet('key', origin.load, OF_VALUE)
    const run = await origin.started()
    const followed = other.cache.getOrSet('key', origin.load, OF_VALUE)
    await other.trace.saw('follow')
    gates.fails(new StoreError('UNREACHABLE', 'no index'), 'index')
    run.finish('x of a')
    expect(await led).toBe('x of a')
    ;(await origin.started(2)).finish('x of b')
    expect(await followed).toBe('x of b')
    expect(trace.types).toEqual(['miss', 'lead', 'storeFault', 'share'])
    expect(trace.of('storeFault')[0]).toMatchObject({ op: 'index', key: 'key' })
    expect(other.trace.of('alone')).toEqual([{ type: 'alone', key: 'key', reason: 'unshareable' }])
    expect(await cache.has('key')).toBe(false)
  })
})
