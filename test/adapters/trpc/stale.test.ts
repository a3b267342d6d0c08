import { TRPCError } from '@trpc/server'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cached, cachedByMeta, type ProcedureCacheOptions } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { PATIENT } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { get, getFirst, getStale } from './freshBench.ts'
import { type Bench, type Context, t, useTwins } from './twins.ts'

/** What the procedures of both instances do from now on. */
const AT_FIRST = {
  ttl: 30,
  fails: undefined as TRPCError['code'] | undefined,
  /** Whether a middleware behind the cache reads what the client sent. */
  reads: false,
  slow: Promise.resolve(),
}
let world = { ...AT_FIRST }
afterEach(() => {
  world = { ...AT_FIRST }
})

const STALE_HIT = /^atomcache; hit; ttl=(-\d+|0)$/
const FALLBACK = /^atomcache; fwd=stale; ttl=(-\d+|0); detail="answered stale"$/
const HOUR = 3_600_000
const WINDOWS: ProcedureCacheOptions<Context> = { scope: null, ttl: () => world.ttl, tags: ['thing'] }

function routerOf({ cache, run }: Bench) {
  const near = createCache()
  const thing = (options: Partial<ProcedureCacheOptions<Context>>, what: string) =>
    t.procedure.use(cached({ cache, ...WINDOWS, ...options })).query(async () => {
      const served = await run(what)
      if (world.fails !== undefined) throw new TRPCError({ code: world.fails, message: served })
      return served
    })
  const reading = (options: Partial<ProcedureCacheOptions<Context>>) =>
    t.procedure
      .input(z.object({ id: z.string() }))
      .use(cached({ cache, ...WINDOWS, ...options }))
      .use(async ({ getRawInput, next }) => {
        if (world.reads) await getRawInput()
        return next()
      })
      .query(({ input }) => run(`reading ${input.id}`))
  const meta = t.procedure.use(cachedByMeta({ cache, ...WINDOWS, staleWhileRevalidate: HOUR }))
  return t.router({
    swr: thing({ staleWhileRevalidate: HOUR }, 'swr'),
    byMeta: meta.meta({ cache: {} } as never).query(() => run('byMeta')),
    sie: thing({ staleIfError: HOUR }, 'sie'),
    soft: thing({ staleIfError: HOUR, softTimeout: 50 }, 'soft'),
    choosy: thing(
      { staleIfError: HOUR, isOutage: (error) => error instanceof TRPCError && error.code === 'NOT_FOUND' },
      'choosy',
    ),
    tiered: t.procedure
      .use(cached({ cache, ...WINDOWS, staleWhileRevalidate: HOUR }))
      .use(cached({ cache: near, scope: null, ttl: 60_000 }))
      .query(() => run('tiered')),
    slow: t.procedure.use(cached({ cache, scope: null, ttl: 60_000 })).query(async () => {
      await world.slow
      return run('slow')
    }),
    reading: reading({ staleWhileRevalidate: HOUR }),
    readingIfError: reading({ staleIfError: HOUR }),
  })
}

describe.each(STORES)('stale answers of tRPC procedures, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = async (cache: object = {}) => {
    const twins = await openTwins(routerOf, { cache: { ...PATIENT, ...cache }, headers: { maxAge: 10 } })
    return { ...twins, trace: traceOf(twins.a.cache, twins.b.cache) }
  }

  test.each(['swr', 'byMeta'])('%s: all are answered at once, while one instance refreshes it', async (path) => {
    const { a, b, gate, runs, trace } = await open()
    const first = await getFirst(a as never, path, trace)
    world.ttl = 60_000
    gate.shut()
    const stale = await getStale(b as never, path, trace)
    expect(stale).toMatchObject({ data: first.data, control: 'private, no-cache', age: expect.any(Number) })
    expect(stale.status).toMatch(STALE_HIT)
    await gate.holds(1)
    for (const said of await Promise.all([a, b, a, b, a].map((twin) => get(twin, path))))
      expect(said.data).toBe(first.data)
    expect(runs).toHaveLength(2)
    gate.open()
    await trace.saw('publish', 2)
    for (const twin of [b, a]) {
      await expect.poll(async () => (await get(twin, path)).data).toBe(`${path} by B2`)
      expect((await get(twin, path)).status).toMatch(/^atomcache; hit; ttl=(60|5\d)$/)
    }
    expect(runs).toHaveLength(2)
    expect(trace.of('lead')).toHaveLength(2)
  })

  test('what is stale since long is no fresher for its age', async () => {
    const { a, b, trace } = await open()
    world.ttl = 1000
    await getFirst(a as never, 'swr', trace)
    const said = await getStale(b as never, 'swr', trace)
    expect(said.control).toBe('private, no-cache')
    expect(said.age).toBeGreaterThanOrEqual(1)
  })

  test('a refresh that ends before the batch it was begun by changes nothing of the answer', async () => {
    const { a, trace } = await open()
    world.ttl = 0.01
    const first = await getFirst(a as never, 'tiered', trace)
    world.ttl = 60_000
    let letGo: () => void = () => undefined
    world.slow = new Promise((resolve) => {
      letGo = resolve
    })
    const asked = get(a, 'tiered,slow?batch=1&input={}')
    await trace.saw('publish', 2)
    letGo()
    expect(await asked).toMatchObject({
      data: [first.data, 'slow by A2'],
      control: 'private, no-cache', // and not what the inner cache has said of the refresh
      status: 'atomcache; fwd=miss; stored; ttl=60',
      age: expect.any(Number),
    })
    expect(trace.of('refresh')).toHaveLength(1)
  })

  test('a refresh that fails is nobody’s answer, and told as an event', async () => {
    const { a, runs, errors, trace } = await open()
    const first = await getFirst(a as never, 'swr', trace)
    world.fails = 'INTERNAL_SERVER_ERROR'
    expect((await getStale(a as never, 'swr', trace)).data).toBe(first.data)
    await trace.saw('loaderError')
    const ran = runs.length
    expect((await get(a, 'swr')).data).toBe(first.data)
    expect(trace.of('loaderError')[0]?.error).toBeInstanceOf(TRPCError)
    expect(errors).toEqual([])
    expect(runs).toHaveLength(ran) // it rests
  })

  test('what was too old is computed anew, and said to be', async () => {
    const { a, b, trace } = await open()
    await getFirst(a as never, 'sie', trace)
    world.ttl = 60_000
    let said = await get(b, 'sie')
    while (said.status?.includes('hit')) said = await get(b, 'sie')
    expect(said).toMatchObject({
      data: 'sie by B2',
      control: 'public, max-age=10',
      status: 'atomcache; fwd=stale; stored; ttl=60',
      age: undefined,
    })
  })

  test.each(['INTERNAL_SERVER_ERROR', 'TIMEOUT', 'TOO_MANY_REQUESTS'] as const)(
    '%s is hidden behind the stale answer, and for a while nothing is tried again',
    async (code) => {
      const { a, b, runs, errors, trace } = await open()
      const first = await getFirst(a as never, 'sie', trace)
      world.fails = code
      const said = await getStale(b as never, 'sie', trace)
      expect(said).toMatchObject({
        code: 200,
        data: first.data,
        control: 'private, no-cache',
        status: expect.stringMatching(FALLBACK),
        age: expect.any(Number),
      })
      const again = await get(b, 'sie')
      expect(again).toMatchObject({ data: first.data, status: expect.stringMatching(STALE_HIT) })
      expect(runs).toHaveLength(2)
      expect(errors).toEqual([])
      expect(trace.of('stale').map(({ reason }) => reason)).toEqual(['error', 'error'])
    },
  )

  test.each(['NOT_FOUND', 'FORBIDDEN', 'BAD_REQUEST', 'CLIENT_CLOSED_REQUEST'] as const)(
    '%s is no outage: it is the answer',
    async (code) => {
      const { a, b, errors, trace } = await open()
      await getFirst(a as never, 'sie', trace)
      world.fails = code
      await expect.poll(async () => (await get(b, 'sie')).data).toBe(code)
      expect(errors[0]).toBeInstanceOf(TRPCError)
      expect(trace.of('stale')).toEqual([])
    },
  )

  test('isOutage sees the TRPCError itself', async () => {
    const { a, b, trace } = await open()
    const first = await getFirst(a as never, 'choosy', trace)
    world.fails = 'NOT_FOUND'
    expect((await getStale(b as never, 'choosy', trace)).data).toBe(first.data)
    world.fails = 'INTERNAL_SERVER_ERROR'
    await expect.poll(async () => (await get(a, 'choosy')).data).toBe('INTERNAL_SERVER_ERROR')
  })

  test('after softTimeout the stale answer is given, and the new one when it is there', async () => {
    const { a, b, gate, runs, trace } = await open()
    const first = await getFirst(a as never, 'soft', trace)
    world.ttl = 60_000
    gate.shut()
    const said = await getStale(b as never, 'soft', trace)
    expect(said.data).toBe(first.data)
    expect(said.status).toMatch(FALLBACK)
    expect(trace.of('stale')[0]?.reason).toBe('softTimeout')
    // While that one is under way nobody waits for it again, and the other instance does not begin a second one.
    expect((await get(b, 'soft')).data).toBe(first.data)
    expect((await get(a, 'soft')).data).toBe(first.data)
    expect(runs).toHaveLength(2)
    gate.open()
    await trace.saw('publish', 2)
    await expect.poll(async () => (await get(a, 'soft')).data).toBe('soft by B2')
  })

  test('a refresh that reads more of the input than is in the key is not kept, and the next key has it', async () => {
    const { a, b, trace } = await open()
    const path = `reading?input=${encodeURIComponent('{"id":"1"}')}`
    const first = await getFirst(a as never, path, trace)
    world.reads = true
    world.ttl = 60_000
    expect((await getStale(b as never, path, trace)).data).toBe(first.data)
    await trace.saw('bypass')
    expect(trace.of('bypass')[0]?.reason).toContain('its input is read behind the cache too')
    expect((await get(b, path)).data).toBe('reading 1 by B3')
    await expect.poll(async () => (await get(b, path)).status).toMatch(/hit; ttl=/)
    expect((await get(b, path)).data).toBe('reading 1 by B3')
  })

  test('nor does a stale answer take the place of one that has read more', async () => {
    const { a, b, trace } = await open()
    const path = `readingIfError?input=${encodeURIComponent('{"id":"1"}')}`
    const first = await getFirst(a as never, path, trace)
    world.reads = true
    let said = await get(b, path)
    while (said.data === first.data && said.status?.includes('hit')) said = await get(b, path)
    expect(said).toMatchObject({ data: 'reading 1 by B2', control: 'no-store' })
    expect(trace.of('stale')).toEqual([])
  })

  test('what is said at createCache holds for procedures too', async () => {
    const { a, b, trace } = await open({ staleWhileRevalidate: HOUR })
    const first = await getFirst(a as never, 'sie', trace)
    world.fails = 'INTERNAL_SERVER_ERROR'
    const said = await getStale(b as never, 'sie', trace)
    expect(said).toMatchObject({ data: first.data, status: expect.stringMatching(STALE_HIT) })
  })
})
