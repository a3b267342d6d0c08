import { describe, expect, it } from 'vitest'
import { internalsOf } from '../../src/core/internals.ts'
import { type CacheOptions, createCache, memoryStore, StoreError, UnconfirmedError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'

const AWAY = new StoreError('UNREACHABLE', 'no connection')
/** ms; so long an invalidation may take that nobody answers, and its announcement too. */
const BUDGET = 500

onEveryStore((service) => {
  async function open(options: Partial<CacheOptions> = {}) {
    const gates = gatedStore(service.store)
    const opened = await service.open({ store: gates, commandTimeout: 5000, leaseTtl: 60_000, ...options })
    return { gates, ...opened, mutated: internalsOf(opened.cache).invalidate }
  }

  it('an invalidation behind a mutation that is confirmed is one as any other', async () => {
    const { cache, trace, mutated } = await open()
    const other = await service.open()
    await cache.set('key', 1)
    await cache.set('tagged', 1, { tags: ['x'] })
    trace.clear()
    expect(await mutated({ keys: ['key'], tags: ['x', 'x'] })).toBeUndefined()
    expect(await cache.getMany(['key', 'tagged'])).toEqual([undefined, undefined])
    expect(trace.of('invalidate').at(-1)).toEqual({ type: 'invalidate', keys: ['key'], tags: ['x'], remote: false })
    await other.trace.saw('invalidate', 3)
    expect(other.trace.of('invalidate').at(-1)).toMatchObject({ keys: ['key'], tags: ['x'], remote: true })
    expect(trace.of('unconfirmed')).toEqual([])
    expect(cache.stats().unconfirmed).toBe(0)
    expect(await mutated({})).toBeUndefined()
  })

  it('one that is not confirmed gives the error, is told, and is tried again until it is', async () => {
    const { cache, trace, gates, mutated } = await open()
    const other = await service.open()
    await cache.set('key', 'old')
    await cache.set('tagged', 'old', { tags: ['x'] })
    await other.trace.saw('invalidate', 2)
    trace.clear()
    gates.fails(AWAY)
    const error = await mutated({ keys: ['key'], tags: ['x', 'y'] })
    expect(error).toBeInstanceOf(UnconfirmedError)
    expect(error).toMatchObject({ keys: ['key'], tags: ['x', 'y'], cause: AWAY })
    expect(trace.of('unconfirmed')).toEqual([
      { type: 'unconfirmed', keys: ['key'], tags: ['x', 'y'], retried: true, error },
    ])
    expect(cache.stats().unconfirmed).toBe(3)
    // It is tried again and again.
    await trace.saw('unconfirmed', 3)
    expect(trace.of('unconfirmed').map(({ keys, tags }) => [...keys, ...tags])).toEqual(
      Array(3).fill(['key', 'x', 'y']),
    )
    expect(cache.stats().unconfirmed).toBe(3)
    expect(await other.cache.getMany(['key', 'tagged'])).toEqual(['old', 'old'])

    gates.heals()
    expect(await trace.saw('invalidate')).toEqual({
      type: 'invalidate',
      keys: ['key'],
      tags: ['x', 'y'],
      remote: false,
    })
    expect(cache.stats().unconfirmed).toBe(0)
    expect(await other.cache.getMany(['key', 'tagged'])).toEqual([undefined, undefined])
    expect(await other.trace.saw('invalidate', 3)).toMatchObject({ keys: ['key'], tags: ['x', 'y'], remote: true })
  })

  it('only what was not confirmed is tried again', async () => {
    const { cache, trace, gates, mutated } = await open()
    await cache.set('key', 1)
    gates.fails(AWAY, 'mark')
    const error = await mutated({ keys: ['key'], tags: ['x'] })
    expect(error).toMatchObject({ keys: [], tags: ['x'] })
    expect(await cache.has('key')).toBe(false)
    expect(cache.stats().unconfirmed).toBe(1)
    gates.heals()
    expect(await trace.saw('invalidate')).toEqual({ type: 'invalidate', keys: [], tags: ['x'], remote: false })
    expect(cache.stats().unconfirmed).toBe(0)
  })

  it('a store that says nothing delays it by its budget, no longer', async () => {
    const { cache, gates, mutated } = await open({ commandTimeout: BUDGET })
    gates.silent = true
    const startedAt = performance.now()
    expect(await mutated({ keys: ['key'], tags: ['x'] })).toMatchObject({ cause: { code: 'TIMEOUT' } })
    // The removal, and then the announcement; the rest is for the machine.
    expect(performance.now() - startedAt).toBeLessThan(2 * BUDGET + 1500)
    expect(cache.stats().unconfirmed).toBe(2)
  })

  it('what fails while another is tried again is not taken for confirmed by it', async () => {
    const { cache, trace, gates, mutated } = await open()
    await cache.set('first', 'old')
    await cache.set('second', 'old')
    gates.fails(AWAY)
    await mutated({ keys: ['first'] })
    // The same again, and more, while the first try is under way.
    const retry = gates.before('remove')
    await retry.reached
    expect(cache.stats().unconfirmed).toBe(1)
    await mutated({ keys: ['first', 'second'], tags: ['x'] })
    // The first twice: it is being tried for the one mutation, and is still to be for the other.
    expect(cache.stats().unconfirmed).toBe(4)
    gates.heals()
    retry.open()
    await trace.saw('invalidate', 2)
    expect(trace.of('invalidate').map(({ keys, tags }) => [...keys, ...tags])).toEqual([
      ['first'],
      ['first', 'second', 'x'],
    ])
    expect(cache.stats().unconfirmed).toBe(0)
    expect(await cache.getMany(['first', 'second'])).toEqual([undefined, undefined])
  })

  it('several that fail are tried again together, each name once', async () => {
    const { cache, trace, gates, mutated } = await open()
    gates.fails(AWAY)
    await Promise.all([
      mutated({ keys: ['a', 'b'], tags: ['x'] }),
      mutated({ keys: ['b', 'c'], tags: ['x', 'y'] }),
      mutated({ tags: ['y'] }),
    ])
    expect(cache.stats().unconfirmed).toBe(5)
    gates.heals()
    const { keys, tags } = await trace.saw('invalidate')
    expect([keys.toSorted(), tags.toSorted()]).toEqual([
      ['a', 'b', 'c'],
      ['x', 'y'],
    ])
    expect(trace.of('invalidate')).toHaveLength(1)
  })

  it.for([100_001, 250_000])('%i names are too many to remember: the namespace is cleared', async (count) => {
    const { cache, trace, gates, mutated } = await open()
    const other = await service.open()
    await cache.set('key', 'old', { tags: ['t7'] })
    await cache.set('of no tag', 'old')
    gates.fails(AWAY)
    const tags = Array.from({ length: count }, (_, i) => `t${i}`)
    const error = await mutated({ tags })
    expect(error).toBeInstanceOf(UnconfirmedError)
    expect(error?.tags).toHaveLength(count)
    expect(error?.message).toBe(
      `invalidate was not confirmed by the store (tag t0, tag t1, tag t2, and ${count - 3} more): no connection`,
    )
    expect(cache.stats().unconfirmed).toBe(1)
    // It stays so when that fails, too.
    await trace.saw('unconfirmed', 2)
    expect(trace.of('unconfirmed')[1]).toMatchObject({ keys: [], tags: [] })
    expect(cache.stats().unconfirmed).toBe(1)
    gates.heals()
    await trace.saw('clear')
    expect(cache.stats().unconfirmed).toBe(0)
    expect(await other.cache.getMany(['key', 'of no tag'])).toEqual([undefined, undefined])
    await other.trace.saw('clear')
  })

  it('closing ends it; after that the error is given, and nothing is tried', async () => {
    const { cache, trace, gates, mutated } = await open()
    gates.fails(AWAY)
    await mutated({ keys: ['key'] })
    const retry = gates.before('remove')
    await retry.reached
    await cache.close()
    gates.heals()
    retry.open()
    expect(await trace.saw('unconfirmed', 2)).toMatchObject({
      keys: ['key'],
      retried: false,
      error: { cause: { code: 'CLOSED' } },
    })
    expect(await mutated({ keys: ['late'] })).toMatchObject({ keys: ['late'], cause: { code: 'CLOSED' } })
    // Twice each: the call, and the try; none is to come: see below that no timer is left.
    expect(gates.count('remove')).toBe(3)
    expect(cache.stats().unconfirmed).toBe(2)
  })

  it('keys and tags that can not be are misuse', async () => {
    const { cache, mutated } = await open()
    expect(() => mutated({ tags: ['\ud800'] })).toThrow('tags[0] is not well-formed Unicode')
    expect(() => mutated({ keys: [5 as never] })).toThrow('a key is a string or an array of values')
    expect(cache.stats().unconfirmed).toBe(0)
  })
})

describe('where nobody listens', () => {
  it.for([
    { closed: false, text: 'is tried again' },
    { closed: true, text: 'is not tried again, because the cache is closed' },
  ])('an invalidation that is not confirmed becomes a process warning: closed $closed', async ({ closed, text }) => {
    const warnings: (Error & { code?: string })[] = []
    const collect = (warning: Error) => void warnings.push(warning)
    process.on('warning', collect)
    const gates = gatedStore(memoryStore())
    await using cache = createCache({ namespace: 'shop', store: gates, ttl: 60_000 })
    try {
      gates.fails(AWAY)
      if (closed) await cache.close()
      for (const key of ['a', 'b']) await internalsOf(cache).invalidate({ keys: [key] })
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      process.off('warning', collect)
    }
    const message =
      `shop: an invalidation behind a mutation ${text}: ` +
      'invalidate was not confirmed by the store (a): no connection'
    expect(warnings.filter(({ code }) => code === 'ATOMCACHE_UNCONFIRMED')).toMatchObject([
      { name: 'AtomcacheWarning', message },
    ])
    expect(cache.stats().events.unconfirmed).toBeGreaterThanOrEqual(2)
  })
})
