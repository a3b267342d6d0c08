import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { type CacheOptions, createCache, type LeaderClaim, StoreError, UnconfirmedError } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { testNamespace } from '../redis/namespace.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

/** Nothing here is about time: a busy machine may take its own, and no lease ends. */
const PATIENT: Partial<CacheOptions> = { commandTimeout: 5000, leaseTtl: 60_000 }

onEveryStore((service) => {
  const open = (options: Partial<CacheOptions> = {}) => service.open({ ...PATIENT, ...options })

  async function openGated() {
    const gates = gatedStore(service.store)
    return { gates, ...(await open({ store: gates })) }
  }

  it('clear removes all there is, of every version, and tells all instances', async () => {
    const [a, b] = [await open(), await open({ version: '2' })]
    const keys = ['plain', ['array', 1], '', '{}', '%', ':flight', 'x:flight', 'ü💡', 'x'.repeat(5000)]
    for (const key of keys) await a.cache.set(key, 1, { tags: ['x', '', String(key)] })
    await b.cache.set('of version 2', 1, { ttl: Number.POSITIVE_INFINITY })
    await a.cache.clear()
    expect(a.trace.of('clear')).toEqual([{ type: 'clear', remote: false }])
    await b.trace.saw('clear')
    expect(b.trace.of('clear')).toEqual([{ type: 'clear', remote: true }])
    expect(await a.cache.getMany(keys)).toEqual(keys.map(() => undefined))
    expect(await b.cache.has('of version 2')).toBe(false)
    // Nothing is left of before that the next values would suffer from.
    for (const key of keys) expect(await a.cache.set(key, 2, { tags: ['x'] })).toBe(true)
    expect(await a.cache.getMany(keys)).toEqual(keys.map(() => 2))
    await a.cache.invalidate({ tags: ['x'] })
    expect(await a.cache.getMany(keys)).toEqual(keys.map(() => undefined))
  })

  it('where there is nothing it does nothing, twice', async () => {
    const { cache, trace } = await open()
    await Promise.all([cache.clear(), cache.clear()])
    await cache.clear()
    expect(trace.events).toEqual(Array(3).fill({ type: 'clear', remote: false }))
  })

  it('nothing of another namespace goes, however much its name is like this one', async () => {
    const { cache } = await open()
    // The names of their keys begin like those of this namespace, or would match it as a pattern.
    const ends = ['x', ':x', ':tag', ':inbox:x', ':clock', '*', '?', '[a]', '\\']
    const others = await Promise.all(ends.map((end) => open({ namespace: `${service.namespace}${end}` })))
    const glob = await open({ namespace: `${service.namespace.slice(0, -1)}?` })
    for (const other of [...others, glob]) await other.cache.set('entries', 1, { tags: ['x'] })
    await cache.set('entries', 1, { tags: ['x'] })
    await glob.cache.clear()
    expect(await glob.cache.has('entries')).toBe(false)
    expect(await cache.has('entries')).toBe(true)
    await cache.clear()
    expect(await cache.has('entries')).toBe(false)
    for (const other of others) {
      expect(await other.cache.has('entries')).toBe(true)
      expect(other.trace.of('clear')).toEqual([])
      // Its index is there, too.
      await other.cache.invalidate({ tags: ['x'] })
      expect(await other.cache.has('entries')).toBe(false)
    }
  })

  it('what is being computed is not stored: its callers get it, who waits elsewhere computes anew', async () => {
    const [a, b, c] = [await open(), await open(), await open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    await c.cache.clear()
    ;(await origin.started(2)).finish('new')
    expect(await followed).toBe('new')
    run.finish('old')
    expect(await led).toBe('old')
    await a.trace.saw('fenced')
    // That of who waited is there, unless it began to compute before all was listed.
    expect(['new', undefined]).toContain(await c.cache.get('key'))
    expect(a.trace.of('publish')).toEqual([])
    expect(b.trace.of('followed')[0]?.outcome).toBe('again')
  })

  it('who asks after it returned gets no value of before, in this instance and where it was heard', async () => {
    const [a, b] = [await open(), await open()]
    const origin = createOrigin()
    const before = a.cache.getOrSet('here', origin.load)
    const run = await origin.started()
    await a.cache.clear()
    const after = a.cache.getOrSet('here', origin.load)
    ;(await origin.started(2)).finish('new')
    expect(await after).toBe('new')
    run.finish('old')
    expect(await before).toBe('old')

    const beforeThere = b.cache.getOrSet('there', origin.load)
    const third = await origin.started(3)
    await a.cache.clear()
    await b.trace.saw('clear', 2)
    const afterThere = b.cache.getOrSet('there', origin.load)
    ;(await origin.started(4)).finish('new')
    expect(await afterThere).toBe('new')
    third.finish('old')
    expect(await beforeThere).toBe('old')
  })

  it('what was read before the removal, by a call of meanwhile, is not for callers after it', async () => {
    const { cache, gates } = await openGated()
    await cache.set('key', 'old')
    const listing = gates.before('list')
    const cleared = cache.clear()
    await listing.reached
    const reading = gates.after('read')
    const between = cache.getOrSet('key', () => 'between')
    await reading.reached
    listing.open()
    await cleared
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    reading.open()
    expect(await between).toBe('old')
  })

  it('a flight that ends while it goes on leaves nothing behind', async () => {
    const { cache, gates } = await openGated()
    const other = await open()
    const claims: LeaderClaim[] = []
    for (let i = 0; i < 4; i++) claims.push((await other.cache.claim(`key ${i}`)) as LeaderClaim)
    // A server with other keys gives its list in pages: a pass begins with the first one.
    const passes = [0, 1].map(() => gates.before('list', (at) => at === undefined))
    const cleared = cache.clear()
    for (const [i, pass] of passes.entries()) {
      await pass.reached
      // Something for the second pass to find.
      if (i === 1) await other.cache.set('between', 'passes')
      const removal = gates.before('remove')
      await claims[2 * i]?.publish('old', { tags: ['x'] })
      pass.open()
      await removal.reached
      await claims[2 * i + 1]?.publish('old')
      removal.open()
    }
    await cleared
    expect(await other.cache.getMany(['key 0', 'key 1', 'key 2', 'key 3', 'between'])).toEqual(Array(5).fill(undefined))
    expect(other.trace.of('publish').map(({ key }) => key)).toEqual(['key 0', 'key 1'])
    expect(other.trace.of('fenced').map(({ key }) => key)).toEqual(['key 2', 'key 3'])
  })

  it('more than a thousand entries with tags of their own go', async () => {
    const { cache } = await open()
    const keys = Array.from({ length: 1200 }, (_, i) => `key ${i}`)
    await cache.setMany(
      keys.map((key) => [key, key] as const),
      { tags: (value) => [`of ${value}`, 'all'] },
    )
    await cache.clear()
    expect(await cache.getMany(keys)).toEqual(keys.map(() => undefined))
  })

  it.for(['list', 'remove', 'announce'] as const)(
    'where the store does not confirm it (%s) it rejects, and may be repeated',
    async (step) => {
      const { cache, trace, gates } = await openGated()
      await cache.set('key', 1, { tags: ['x'] })
      trace.clear()
      gates.fails(new StoreError('UNREACHABLE', `no ${step}`), step)
      const error = await cache.clear().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(UnconfirmedError)
      expect(error).toMatchObject({
        code: 'UNCONFIRMED',
        keys: [],
        tags: [],
        message: `clear was not confirmed by the store: no ${step}`,
        cause: { code: 'UNREACHABLE' },
      })
      expect(trace.of('clear')).toEqual([])
      gates.heals()
      await cache.clear()
      expect(await cache.has('key')).toBe(false)
      expect(trace.of('clear')).toEqual([{ type: 'clear', remote: false }])
    },
  )

  it('it is tried while the breaker is open; a closed cache rejects', async () => {
    const { cache, trace, gates } = await openGated()
    await cache.set('key', 1)
    gates.fails(new StoreError('UNREACHABLE', 'no connection'))
    for (let i = 0; i < 5; i++) await cache.get('key')
    expect(cache.stats().breaker).toBe('open')
    await expect(cache.clear()).rejects.toThrow('clear was not confirmed by the store: no connection')
    gates.heals()
    await cache.clear()
    expect(cache.stats().breaker).toBe('closed')
    expect(await cache.has('key')).toBe(false)
    expect(trace.of('clear')).toHaveLength(1)
    await cache.close()
    await expect(cache.clear()).rejects.toMatchObject({ code: 'UNCONFIRMED', cause: { code: 'CLOSED' } })
  })
})

describe('on Redis', () => {
  const client = new Redis(inject('redisUrl'))
  afterAll(() => client.disconnect())

  it('after clear nothing is left but the clock and the states of tags, which end by themselves', async () => {
    const namespace = testNamespace()
    await using cache = createCache({ namespace, store: redisStore(inject('redisUrl')), ttl: 60_000, ...PATIENT })
    await cache.ready()
    for (let i = 0; i < 50; i++) await cache.set(`key ${i}`, i, { tags: [`of ${i % 5}`, '{all}'] })
    await cache.claim('led')
    // Of something else: it is in the namespace, and still not ours to remove.
    await client.rpush(`${namespace}:{a list}`, 1)
    await client.set(`${namespace}:other`, 1)
    await cache.invalidate({ tags: ['of 1'] })
    await cache.clear()
    const states = ['%7Ball%7D', ...[0, 1, 2, 3, 4].map((i) => `of ${i}`)].map(
      (tag) => `${namespace}:tag:{${tag}}:state`,
    )
    const foreign = [`${namespace}:{a list}`, `${namespace}:other`]
    const left = await client.keys(`${namespace}:*`)
    expect(left.toSorted()).toEqual([`${namespace}:clock`, ...states, ...foreign].toSorted())
    for (const state of states) expect(await client.pttl(state)).toBeGreaterThan(23 * 3_600_000)
    await client.del(...foreign)
  })

  it('an index that it could not empty makes it reject', async () => {
    const gates = gatedStore(redisStore(inject('redisUrl')))
    await using cache = createCache({ namespace: testNamespace(), store: gates, ttl: 60_000, ...PATIENT })
    await cache.ready()
    await cache.set('key', 1, { tags: ['x'] })
    for (const step of ['mark', 'members', 'sweep'] as const) {
      gates.fails(new StoreError('UNREACHABLE', `no ${step}`), step)
      await expect(cache.clear()).rejects.toThrow(`clear was not confirmed by the store: no ${step}`)
      gates.heals()
    }
    await cache.clear()
    expect(await client.exists(`${cache.namespace}:tag:{x}:entries`)).toBe(0)
  })
})
