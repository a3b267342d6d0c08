import { expect, expectTypeOf, it } from 'vitest'
import { type CacheOptions, type SetOptions, StoreError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { type GatedStep, gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

/** Nothing here is about time: a busy machine may take its own, and no lease ends. */
const PATIENT: Partial<CacheOptions> = { commandTimeout: 5000, leaseTtl: 60_000 }

const TAGGED: SetOptions = { tags: ['x'] }

onEveryStore((service) => {
  const open = (options: Partial<CacheOptions> = {}) => service.open({ ...PATIENT, ...options })

  async function openGated() {
    const gates = gatedStore(service.store)
    return { gates, ...(await open({ store: gates })) }
  }

  it('a value set with tags is stored with them, told, and goes with them', async () => {
    const [a, b] = [await open(), await open()]
    expect(await a.cache.set('array', 1, { tags: ['x', 'y'] })).toBe(true)
    expect(await a.cache.set('function', { id: 7 }, { tags: ({ id }) => ['x', `of ${id}`] })).toBe(true)
    expect((await b.cache.entry('array'))?.tags).toEqual(['x', 'y'])
    expect((await b.cache.entry('function'))?.tags).toEqual(['x', 'of 7'])
    expect(a.trace.events).toEqual([
      { type: 'set', key: 'array' },
      { type: 'set', key: 'function' },
    ])
    await b.trace.saw('invalidate', 2)
    expect(b.trace.of('invalidate').map(({ keys, tags }) => ({ keys, tags }))).toEqual([
      { keys: ['array'], tags: [] },
      { keys: ['function'], tags: [] },
    ])
    await b.cache.invalidate({ tags: ['x'] })
    expect(await a.cache.getMany(['array', 'function'])).toEqual([undefined, undefined])
    expect(await a.cache.set('array', 2, { tags: ['x'] })).toBe(true)
    expect(await b.cache.get('array')).toBe(2)
  })

  it('setMany gives each value its tags', async () => {
    const { cache } = await open()
    const tags = (value: unknown) => [`of ${String(value)}`]
    const pairs = [1, 2, 1].map((value, i) => [`key ${i}`, value] as const)
    expect(await cache.setMany(pairs, { tags })).toEqual([true, true, true])
    await cache.invalidate({ tags: ['of 1'] })
    expect(await cache.getMany(['key 0', 'key 1', 'key 2'])).toEqual([undefined, 2, undefined])
  })

  it('types: a function of what is set', async () => {
    const { cache } = await open()
    await cache.set('key', 5, {
      tags(value) {
        expectTypeOf(value).toEqualTypeOf<number>()
        return [String(value)]
      },
    })
    // @ts-expect-error strings
    await expect(cache.set('key', 5, { tags: [5] })).rejects.toThrow('tags[0] must be a string, got number')
  })

  it.for<[GatedStep, 'tag' | 'key']>([
    ['index', 'tag'],
    ['index', 'key'],
    ['end', 'tag'],
    ['end', 'key'],
  ])('false: before its %s somebody invalidated its %s', async ([step, what]) => {
    const { cache, trace, gates } = await openGated()
    const other = await open()
    await cache.set('key', 'before', TAGGED)
    trace.clear()
    const gate = gates.before(step)
    const writing = cache.set('key', 'late', TAGGED)
    await gate.reached
    await other.cache.invalidate(what === 'tag' ? { tags: ['x'] } : { keys: ['key'] })
    gate.open()
    expect(await writing).toBe(false)
    expect(await other.cache.has('key')).toBe(false)
    expect(trace.of('set')).toEqual([])
    expect(trace.of('storeFault')).toEqual([])
    // The flight that it took is over, too: nobody waits for a minute's lease.
    expect(await other.cache.getOrSet('key', () => 'new')).toBe('new')
  })

  it('an invalidation before the call does not count, nor does one of another tag', async () => {
    const { cache, gates } = await openGated()
    const other = await open()
    await cache.invalidate({ tags: ['x'] })
    const gate = gates.before('index')
    const writing = cache.set('key', 'value', TAGGED)
    await gate.reached
    await other.cache.invalidate({ tags: ['y'], keys: ['other'] })
    gate.open()
    expect(await writing).toBe(true)
    expect(await other.cache.get('key')).toBe('value')
  })

  it('of many, those lose whose tags were invalidated', async () => {
    const { cache, trace, gates } = await openGated()
    const other = await open()
    const ends = [gates.before('end'), gates.before('end'), gates.before('end')]
    const pairs = [1, 2, 3].map((value) => [`key ${value}`, value] as const)
    const writing = cache.setMany(pairs, { tags: (value) => [`of ${String(value)}`] })
    await Promise.all(ends.map(({ reached }) => reached))
    await other.cache.invalidate({ tags: ['of 1', 'of 3'] })
    for (const end of ends) end.open()
    expect(await writing).toEqual([false, true, false])
    expect(trace.of('set')).toEqual([{ type: 'set', key: 'key 2' }])
    expect(await other.cache.getMany(['key 1', 'key 2', 'key 3'])).toEqual([undefined, 2, undefined])
  })

  it('it fences the leader; who waits gets what is set', async () => {
    const [a, b, c] = [await open(), await open(), await open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    expect(await c.cache.set('key', 'set', TAGGED)).toBe(true)
    expect(await followed).toBe('set')
    run.finish('computed')
    expect(await led).toBe('computed')
    await a.trace.saw('fenced')
    expect(await c.cache.get('key')).toBe('set')
    expect(b.trace.of('followed')[0]?.outcome).toBe('again')
    expect(origin.runs).toHaveLength(1)
  })

  it('while it is under way others wait for it as for a leader', async () => {
    const { cache, gates } = await openGated()
    const other = await open()
    const end = gates.before('end')
    const writing = cache.set('key', 'set', TAGGED)
    await end.reached
    const waiting = other.cache.getOrSet('key', () => 'computed')
    await other.trace.saw('follow')
    end.open()
    expect(await writing).toBe(true)
    expect(await waiting).toBe('set')
    expect(other.trace.of('followed')[0]?.outcome).toBe('value')
  })

  it('who waits for one that loses claims again, and computes', async () => {
    const { cache, gates } = await openGated()
    const other = await open()
    const index = gates.before('index')
    const writing = cache.set('key', 'late', TAGGED)
    await index.reached
    const waiting = other.cache.getOrSet('key', () => 'computed')
    await other.trace.saw('follow')
    // Before its id is listed: the invalidation does not find the flight, which ends itself.
    await cache.invalidate({ tags: ['x'] })
    index.open()
    expect(await writing).toBe(false)
    expect(await waiting).toBe('computed')
    await other.trace.saw('publish')
    expect(await cache.get('key')).toBe('computed')
  })

  it('of two at once the later one wins', async () => {
    const { cache, gates } = await openGated()
    const other = await open()
    const end = gates.before('end')
    const first = cache.set('key', 1, TAGGED)
    await end.reached
    expect(await other.cache.set('key', 2, TAGGED)).toBe(true)
    end.open()
    expect(await first).toBe(false)
    expect(await cache.get('key')).toBe(2)
    const untagged = gates.before('end')
    const third = cache.set('key', 3, TAGGED)
    await untagged.reached
    expect(await other.cache.set('key', 4)).toBe(true)
    untagged.open()
    expect(await third).toBe(false)
    expect(await cache.get('key')).toBe(4)
  })

  it('without tags no invalidation of a tag can win over it', async () => {
    const { cache, gates } = await openGated()
    const other = await open()
    const gate = gates.before('set')
    const writing = cache.set('key', 'value')
    await gate.reached
    await other.cache.invalidate({ tags: ['x'] })
    gate.open()
    expect(await writing).toBe(true)
    expect(gates.count('take') + gates.count('index')).toBe(0)
  })

  it.for<GatedStep>(['take', 'index', 'end', 'announce'])(
    'where the store does not confirm its %s it rejects',
    async (step) => {
      const { cache, trace, gates } = await openGated()
      const other = await open()
      gates.fails(new StoreError('UNREACHABLE', `no ${step}`), step)
      await expect(cache.set('key', 'lost', TAGGED)).rejects.toMatchObject({
        code: 'UNCONFIRMED',
        keys: ['key'],
        tags: [],
        message: `set was not confirmed by the store (key): no ${step}`,
      })
      expect(trace.of('set')).toEqual([])
      if (step !== 'end') {
        // What it took it gave back: nobody waits for a minute's lease.
        expect(await other.cache.getOrSet('key', () => 'computed')).toBe(step === 'announce' ? 'lost' : 'computed')
      }
      gates.heals()
      expect(await cache.set('key', 'stored', TAGGED)).toBe(true)
      expect(await other.cache.get('key')).toBe('stored')
    },
  )

  it.for<GatedStep>(['take', 'index'])(
    'a %s whose reply is late is given back: nobody waits for its lease',
    async (step) => {
      const gates = gatedStore(service.store)
      const { cache, trace } = await open({ store: gates, commandTimeout: 500 })
      const other = await open()
      const late = gates.after(step)
      const rejected = cache.set('key', 'lost', TAGGED)
      await expect(rejected).rejects.toMatchObject({ code: 'UNCONFIRMED', cause: { code: 'TIMEOUT' } })
      // The lease is a minute.
      expect(await other.cache.getOrSet('key', () => 'computed')).toBe('computed')
      late.open()
      await other.trace.saw('publish')
      expect(await cache.get('key')).toBe('computed')
      expect(trace.of('set')).toEqual([])
    },
  )

  it('what its tags can not be is said before anything is written', async () => {
    const { cache, trace, gates } = await openGated()
    const failed = new Error('a bug in tags')
    await expect(
      cache.set('key', 1, {
        tags() {
          throw failed
        },
      }),
    ).rejects.toBe(failed)
    const wrong: readonly [tags: unknown, message: string][] = [
      [() => 'x', 'tags must be an array of strings, got string'],
      [() => undefined, 'tags must be an array of strings, got undefined'],
      [() => [null], 'tags[0] must be a string, got null'],
      [() => ['x', '\ud800'], 'tags[1] is not well-formed Unicode: it has half of a surrogate pair'],
      [async () => ['x'], 'tags returned a promise: it must answer at once'],
    ]
    for (const [tags, message] of wrong) {
      const rejected = cache.setMany(
        [
          ['key', 1],
          ['other', 2],
        ],
        { tags } as SetOptions,
      )
      await expect(rejected).rejects.toThrow(TypeError)
      await expect(rejected).rejects.toThrow(message)
    }
    expect(trace.events).toEqual([])
    expect(gates.count('take') + gates.count('set')).toBe(0)
  })

  it('more tags than maxTags are refused, as many are stored', async () => {
    const { cache, trace } = await open({ maxTags: 3 })
    const tags = ['a', 'b', 'c', 'd']
    await expect(cache.set('key', 1, { tags })).rejects.toThrow(
      new RangeError("the value of key can't be stored: 4 tags are more than maxTags (3)"),
    )
    await expect(cache.setMany([['key', 1]], { tags: () => tags })).rejects.toThrow(RangeError)
    expect(await cache.set('key', 1, { tags: tags.slice(1) })).toBe(true)
    expect((await cache.entry('key'))?.tags).toEqual(['b', 'c', 'd'])
    expect(trace.of('uncacheable')).toEqual([])
  })
})
