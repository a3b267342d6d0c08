import { afterEach, describe, expect, it, vi } from 'vitest'
import { encodeEntry, NO_WINDOWS } from '../../../src/core/entry.ts'
import { createCache, type Link, memoryStore, type Store } from '../../../src/index.ts'
import { onEveryStore, type Service } from '../everyStore.ts'
import { type GatedStore, gatedStore } from '../gates.ts'
import { traceOf } from '../trace.ts'

const OPTIONS = { memory: {} }

/** An instance with a memory tier, whose way to the store is counted, and can be held up. */
async function openTiered(service: Service, options: object = {}) {
  const store: GatedStore = gatedStore(service.store)
  return { store, ...(await service.open({ ...OPTIONS, ...options, store })) }
}

onEveryStore((service) => {
  it('what was read is answered from memory: nothing is sent', async () => {
    const other = await service.open()
    const { cache, store, trace } = await openTiered(service)
    await other.cache.set('key', { a: 1 }, { tags: ['t'] })
    await trace.saw('invalidate')
    trace.clear()
    const first = await cache.getOrSet('key', () => ({ a: 0 }))
    expect(first).toEqual({ a: 1 })
    for (let i = 0; i < 3; i++) expect(await cache.getOrSet('key', () => ({ a: 0 }))).toBe(first)
    expect(await cache.get('key')).toBe(first)
    expect(await cache.getMany(['key', 'key'])).toEqual([first, first])
    expect(await cache.has('key')).toBe(true)
    expect(await cache.entry('key')).toMatchObject({ value: { a: 1 }, tags: ['t'] })
    expect(await cache.claim('key')).toEqual({ role: 'hit', value: first })
    expect(store.count('read') + store.count('readMany')).toBe(1)
    expect(trace.types.filter((type) => type !== 'invalidate')).toEqual(['hit', ...Array(9).fill('memoryHit')])
    expect(cache.stats().memory).toMatchObject({ entries: 1 })
    expect(cache.stats().memory.bytes).toBeGreaterThan(7)
  })

  it('what was computed here, or by another instance, is there without a read', async () => {
    const [a, b] = [await openTiered(service), await openTiered(service)]
    let finish!: (value: object) => void
    const led = a.cache.getOrSet('key', () => new Promise<object>((resolve) => (finish = resolve)))
    await a.trace.saw('lead')
    const followed = b.cache.getOrSet('key', () => ({}))
    await b.trace.saw('follow')
    const reads = [a, b].map(({ store }) => store.count('read'))
    finish({ n: 1 })
    expect(await Promise.all([led, followed])).toEqual([{ n: 1 }, { n: 1 }])
    await a.trace.saw('publish')
    for (const { cache } of [a, b]) expect(await cache.getOrSet('key', () => ({}))).toEqual({ n: 1 })
    expect([a, b].map(({ store }) => store.count('read'))).toEqual(reads)
  })

  it("one caller's change never reaches another", async () => {
    const other = await service.open()
    const { cache, trace } = await openTiered(service)
    await other.cache.set('plain', { list: [{ a: 1 }] })
    await other.cache.set('rich', { map: new Map([['a', [1]]]), date: new Date(0) })
    await trace.saw('invalidate', 2)
    const plain = await cache.getOrSet('plain', () => ({ list: [{ a: 0 }] }))
    expect(() => plain.list.push({ a: 2 })).toThrow(TypeError)
    expect(() => {
      ;(plain.list[0] as { a: number }).a = 2
    }).toThrow(TypeError)
    type Rich = { map: Map<string, number[]>; date: Date }
    for (let i = 0; i < 3; i++) {
      const rich = (await cache.get<Rich>('rich')) as Rich
      expect(rich).toEqual({ map: new Map([['a', [1]]]), date: new Date(0) })
      rich.map.get('a')?.push(2)
      rich.date.setTime(5)
    }
    expect(trace.of('memoryHit')).toHaveLength(2)

    // What the loader returned stays its own: memory has another one.
    const own = { list: [1] }
    expect(await cache.getOrSet('own', () => own)).toBe(own)
    await trace.saw('publish')
    own.list.push(2)
    const held = await cache.getOrSet('own', () => own)
    expect(held).toEqual({ list: [1] })
    expect(() => held.list.push(3)).toThrow(TypeError)
    expect(await cache.getOrSet('own', () => own)).toBe(held)
  })

  it('an invalidation, by key or by tag, here or elsewhere, takes it out; other values stay', async () => {
    const other = await service.open()
    const { cache, store, trace } = await openTiered(service)
    const fill = async () => {
      await cache.getOrSet('a', () => 'value', { tags: ['t', 'u'] })
      await cache.getOrSet('b', () => 'value', { tags: ['v'] })
      await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(2))
    }
    for (const [remote, invalidate] of [
      [false, () => cache.delete('a')],
      [false, () => cache.invalidate({ tags: ['u'] })],
      [true, () => other.cache.delete('a')],
      [true, () => other.cache.invalidate({ tags: ['t'] })],
      [true, () => other.cache.set('a', 'set')],
    ] as const) {
      await fill()
      trace.clear()
      await invalidate()
      if (remote) await trace.saw('invalidate')
      expect(cache.stats().memory.entries).toBe(1)
      const reads = store.count('read')
      expect(await cache.get('b')).toBe('value')
      expect(store.count('read')).toBe(reads)
      await cache.delete('a')
    }
    await fill()
    await other.cache.clear()
    await trace.saw('clear')
    expect(cache.stats().memory.entries).toBe(0)
  })

  it.each(['delete', 'invalidate'] as const)(
    'a value that is read while its invalidation (%s) is heard is not kept',
    async (how) => {
      const other = await service.open()
      const { cache, store, trace } = await openTiered(service)
      await other.cache.set('key', 'old', { tags: ['t'] })
      await trace.saw('invalidate')
      trace.clear()
      // (1) A reads, (2) B invalidates, (3) A hears of it, (4) A's reply comes.
      const read = store.after('read')
      const asked = cache.getOrSet('key', () => 'new')
      await read.reached
      if (how === 'delete') await other.cache.delete('key')
      else await other.cache.invalidate({ tags: ['t'] })
      await trace.saw('invalidate')
      read.open()
      expect(await asked).toBe('old')
      expect(cache.stats().memory.entries).toBe(0)
      expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    },
  )

  it('a value whose end was confirmed while its invalidation was heard is not kept', async () => {
    const other = await service.open()
    const { cache, store, trace } = await openTiered(service)
    const end = store.after('end')
    expect(await cache.getOrSet('key', () => 'old', { tags: ['t'] })).toBe('old')
    await end.reached
    await other.cache.invalidate({ tags: ['t'] })
    await trace.saw('invalidate')
    end.open()
    await trace.saw('publish')
    expect(cache.stats().memory.entries).toBe(0)
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
  })

  it('who invalidates has nothing of before in memory from the call on, and when it has returned', async () => {
    const { cache, store } = await openTiered(service)
    await cache.getOrSet('key', () => 'old')
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(1))
    const remove = store.before('remove')
    const invalidated = cache.delete('key')
    await remove.reached
    expect(cache.stats().memory.entries).toBe(0)
    // Read before it is removed, it is not there when the invalidation has returned.
    expect(await cache.getOrSet('key', () => 'new')).toBe('old')
    remove.open()
    await invalidated
    expect(cache.stats().memory.entries).toBe(0)
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
  })

  it('a refresh that was forced is seen by the next caller here', async () => {
    const { cache, store } = await openTiered(service)
    await cache.getOrSet('key', () => 'old')
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(1))
    const end = store.before('end')
    expect(await cache.getOrSet('key', () => 'new', { forceRefresh: true })).toBe('new')
    await end.reached
    expect(cache.stats().memory.entries).toBe(0)
    end.open()
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(1))
    expect(await cache.getOrSet('key', () => 'never')).toBe('new')
  })

  it('is off while messages may be lost, and what was on its way then is not kept', async () => {
    let link!: Link
    const store: Store = {
      name: 'told',
      open(given) {
        link = given
        return service.store.open(given)
      },
    }
    const gated = gatedStore(store)
    const { cache } = await service.open({ ...OPTIONS, store: gated })
    await cache.getOrSet('key', () => 'value')
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(1))
    const read = gated.after('read')
    const asked = cache.getOrSet('other', () => 'value')
    await read.reached
    link.tell({ type: 'inbox', confirmed: false })
    expect(cache.stats().memory.entries).toBe(0)
    const before = gated.count('read')
    expect(await cache.get('key')).toBe('value')
    expect(await cache.get('key')).toBe('value')
    expect(gated.count('read')).toBe(before + 2)
    link.tell({ type: 'inbox', confirmed: true })
    read.open()
    expect(await asked).toBe('value')
    await cache.get('key')
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBeGreaterThan(0))
    expect(await cache.get('key')).toBe('value')
    expect(gated.count('read')).toBe(before + 3)
  })

  it('stale values are not in it: the store says what there is', async () => {
    const { cache, store } = await openTiered(service, { staleWhileRevalidate: 60_000 })
    await cache.set('key', 'old', { ttl: 1 })
    await vi.waitFor(async () => expect((await cache.entry('key'))?.ttl).toBeLessThan(0))
    const reads = store.count('read')
    for (let i = 0; i < 3; i++) expect(await cache.getOrSet('key', () => new Promise(() => undefined))).toBe('old')
    expect(store.count('read')).toBe(reads + 3)
    expect(store.count('claim')).toBe(1)
    expect(cache.stats().memory.entries).toBe(0)
  })

  it('the kill switch is of memory too', async () => {
    let on = true
    const { cache } = await openTiered(service, { enabled: () => on })
    await cache.getOrSet('key', () => 'old')
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(1))
    on = false
    expect(await cache.getOrSet('key', () => 'own')).toBe('own')
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.getMany(['key'])).toEqual([undefined])
  })

  it('a caller who is gone gets its reason, not a value', async () => {
    const { cache } = await openTiered(service)
    await cache.getOrSet('key', () => 'value')
    await vi.waitFor(() => expect(cache.stats().memory.entries).toBe(1))
    await expect(cache.getOrSet('key', () => 'value', { signal: AbortSignal.abort('gone') })).rejects.toBe('gone')
  })
})

describe('the memory tier', () => {
  afterEach(() => void vi.useRealTimers())

  it('keeps a value for its ttl at most, and never longer than it is fresh', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    const store = gatedStore(memoryStore())
    const cache = createCache({ store, ttl: 60_000, memory: { ttl: 5000 } })
    await settled()
    await cache.set('long', 'value')
    await cache.set('short', 'value', { ttl: 2000, staleIfError: 60_000 })
    await cache.getMany(['long', 'short'])
    expect(cache.stats().memory.entries).toBe(2)
    for (const [after, reads] of [
      [0, 0],
      [1999, 0],
      // 'short' is stale now, and read each time.
      [1, 1],
      [2999, 1],
      [1, 2],
      [1, 1],
    ] as const) {
      vi.advanceTimersByTime(after)
      const before = store.count('read')
      await cache.get('long')
      await cache.get('short')
      expect(store.count('read') - before).toBe(reads)
    }
    await cache.close()
  })

  it('has bounds', async () => {
    const cache = createCache({ ttl: 60_000, memory: { maxEntries: 2, maxBytes: 10_000 } })
    const trace = traceOf(cache)
    await settled()
    for (const key of ['a', 'b', 'c']) await cache.getOrSet(key, () => 'x'.repeat(3000), { tags: [key] })
    await trace.saw('publish', 3)
    expect(cache.stats().memory.entries).toBe(2)
    await cache.getOrSet('large', () => 'x'.repeat(20_000))
    await trace.saw('publish', 4)
    expect(cache.stats().memory.bytes).toBeLessThanOrEqual(10_000)
    expect(await cache.get('large')).toHaveLength(20_000)
    await cache.close()
    expect(cache.stats().memory).toEqual({ entries: 0, bytes: 0 })
  })

  it('counts tags, and refuses more places than there can be', async () => {
    const cache = createCache({ ttl: 60_000, memory: { maxBytes: 100_000 } })
    await settled()
    const tags = Array.from({ length: 300 }, (_, i) => `a tag of this entry ${i}`)
    for (let i = 0; i < 10; i++) await cache.getOrSet(`key:${i}`, () => i, { tags })
    await vi.waitFor(() => expect(cache.stats().events.publish).toBe(10))
    expect(cache.stats().memory.entries).toBeLessThanOrEqual(2)
    await cache.close()
    expect(() => createCache({ memory: { maxEntries: 1e9 } })).toThrow('memory.maxEntries must be at most 10000000')
    expect(() => createCache({ memory: [] as object })).toThrow('memory must be { maxBytes, maxEntries, ttl }')
    expect(() => createCache({ memory: { ttl: Infinity } })).toThrow('memory.ttl must be finite')
    expect(() => createCache({ memory: { maxBytes: 0 } })).toThrow('memory.maxBytes must be an integer of at least 1')
  })

  it('gives each caller bytes of its own, whatever a codec makes of them; and one value to all of an immutable one', async () => {
    const raw = { id: 'raw', encode: (value: unknown) => value as Uint8Array, decode: (bytes: Uint8Array) => bytes }
    const once = {
      id: 'once',
      immutable: true,
      encode: raw.encode,
      decode: (bytes: Uint8Array) => ({ size: bytes.length }),
    }
    const later = { id: 'later', encode: raw.encode, decode: async (bytes: Uint8Array) => bytes.length }
    const cache = createCache({ ttl: 60_000, memory: {} })
    const trace = traceOf(cache)
    await settled()
    await cache.set('raw', Buffer.from('abc'), { codec: raw })
    await cache.get('raw')
    for (let i = 0; i < 3; i++) {
      const value = (await cache.get('raw')) as Buffer
      expect(value.toString()).toBe('abc')
      value.fill(0)
    }
    await cache.set('once', Buffer.from('abc'), { codec: once })
    const value = await cache.get('once')
    for (let i = 0; i < 3; i++) expect(await cache.get('once')).toBe(value)
    expect(trace.of('memoryHit')).toHaveLength(6)
    await cache.set('later', Buffer.from('abc'), { codec: later })
    for (let i = 0; i < 3; i++) expect(await cache.get('later')).toBe(3)
    expect(cache.stats().memory.entries).toBe(2)
    await cache.close()
  })

  it('takes a foreign entry with an ill-formed tag as one without tags', async () => {
    const store = memoryStore()
    const cache = createCache({ store, ttl: 60_000, memory: {} })
    await settled()
    const session = store.open({
      namespace: 'atomcache',
      instanceId: 'other',
      commandTimeout: 100,
      tell: () => undefined,
    })
    const header = { stamp: 'A'.repeat(16), codec: 'json', createdAt: Date.now(), ttl: 60_000, ...NO_WINDOWS }
    const entry = encodeEntry({ ...header, tags: ['\ud800'] }, Buffer.from('"theirs"'))
    await session.set('key', entry, 60_000)
    expect(await cache.getMany(['key'])).toEqual(['theirs'])
    expect(await cache.get('key')).toBe('theirs')
    await cache.close()
  })

  it('holds no part of what else was received', async () => {
    const large = Buffer.alloc(1_000_000)
    const inner = memoryStore()
    // As a client does that parses replies out of what was received.
    const store: Store = {
      name: 'sliced',
      open(link) {
        const session = inner.open(link)
        return {
          ...session,
          async read(id) {
            const bytes = await session.read(id)
            if (bytes === undefined) return undefined
            large.set(bytes, 500)
            return large.subarray(500, 500 + bytes.byteLength)
          },
        }
      },
    }
    const cache = createCache({ store, ttl: 60_000, memory: {} })
    await settled()
    await cache.set('key', new Map([['a', 1]]), { tags: ['t'] })
    await cache.get('key')
    large.fill(0)
    expect(await cache.get('key')).toEqual(new Map([['a', 1]]))
    expect((await cache.entry('key'))?.tags).toEqual(['t'])
    expect(cache.stats().events.memoryHit).toBe(2)
    await cache.close()
  })
})

async function settled(): Promise<void> {
  await new Promise(setImmediate)
}
