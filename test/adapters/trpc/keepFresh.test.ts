import { initTRPC, lazy, TRPCError, type TRPCQueryProcedure } from '@trpc/server'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cached, keepFresh } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { get } from './freshBench.ts'
import { type Bench, type Context, type Twin, t, useTwins } from './twins.ts'

const QUICK = 600
/** Long enough for a busy machine to be in time. */
const STEADY = 2000
const nobody = () => ({ user: undefined })

type AnyCount = TRPCQueryProcedure<{ input: number; output: string; meta: unknown }>

function routerOf({ cache, run }: Bench) {
  const quick = cached<Context, object, object, unknown>({ cache, scope: null, ttl: QUICK })
  const lasting = (options: object = {}) => cached<Context, object, object, unknown>({ cache, scope: null, ...options })
  const signedIn = t.procedure.use(({ ctx, next }) => {
    if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
    return next()
  })
  const deep = () =>
    t.router({
      item: t.procedure
        .input(z.object({ id: z.string().transform(Number) }))
        .use(lasting() as never)
        .query(({ input }) => run(`item ${input.id}`)),
      wipe: t.procedure.use(lasting()).mutation(() => run('wipe')),
    })
  const count: AnyCount = t.procedure
    .input(z.number())
    .use(lasting() as never)
    .query(async ({ input }) =>
      input === 0 ? run('count') : `${input}, ${await countFrom({ user: undefined }).count(input - 1)}`,
    )
  const countFrom = t.createCallerFactory(t.router({ count }))
  const createCaller = t.createCallerFactory(t.router({ deep: deep() }))
  return t.router({
    quick: t.procedure.use(quick).query(() => run('quick')),
    steady: t.procedure.use(lasting({ ttl: STEADY })).query(() => run('steady')),
    deep: deep(),
    late: lazy(async () => deep()),
    mine: t.procedure.use(cached({ cache, scope: ({ ctx }) => ctx.user ?? null, ttl: QUICK })).query(() => run('mine')),
    guarded: signedIn.use(lasting()).query(() => run('guarded')),
    uncached: t.procedure.query(() => run('uncached')),
    off: t.procedure.use(lasting({ enabled: false })).query(() => run('off')),
    failing: t.procedure.use(lasting()).query(async () => {
      throw new TRPCError({ code: 'CONFLICT', message: await run('failing') })
    }),
    /** What is in front of the cache sees what it gives, and must get nothing. */
    checked: t.procedure
      .output(z.string())
      .use(lasting())
      .query(() => run('checked')),
    /** Asks itself. */
    count,
    /** Asks others, and they are cached as ever. */
    made: t.procedure
      .use(lasting())
      .query(async () => `made of ${await createCaller(nobody()).deep.item({ id: '7' })}`),
  })
}
type Router = ReturnType<typeof routerOf>

describe.each(STORES)('queries that are kept fresh, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const kept: Disposable[] = []
  afterEach(() => {
    for (const one of kept.splice(0)) one[Symbol.dispose]()
  })
  const open = async () => {
    const twins = await openTwins(routerOf, { cache: { ...PATIENT, ttl: 60_000 }, headers: {} })
    return { ...twins, trace: traceOf(twins.a.cache, twins.b.cache) }
  }
  type Path = Parameters<typeof keepFresh<Router, never>>[0]
  function keep({ cache, router }: Twin<Router>, path: string, more: object = {}) {
    const one = keepFresh({ cache, router, path, createContext: nobody, ...more } as unknown as Path)
    kept.push(one)
    return one
  }

  test('over two instances by one at a time, without a request, before it ends: each request is a hit', async () => {
    const { a, b, runs, trace } = await open()
    const at: number[] = []
    for (const { cache } of [a, b]) cache.on('publish', () => at.push(performance.now()))
    for (const twin of [a, b]) keep(twin, 'steady')
    await trace.saw('publish')
    await settled(a.cache, b.cache)
    while (trace.of('publish').length < 3) {
      for (const twin of [a, b]) expect((await get(twin, 'steady')).status).toMatch(/^atomcache; hit; ttl=[0-2]$/)
    }
    await settled(a.cache, b.cache)
    expect(runs.length).toBe(trace.of('publish').length)
    const pauses = at.slice(1).map((each, i) => each - (at[i] as number))
    expect(Math.min(...pauses)).toBeGreaterThan(STEADY / 4)
    expect(trace.of('keepFresh')).toEqual([])
    expect(trace.of('miss')).toEqual([])
  })

  test('what was stopped is not refreshed any more, and the other instance goes on', async () => {
    const { a, b, runs, trace } = await open()
    const one = keep(a, 'quick')
    await trace.saw('publish')
    one.stop()
    keep(b, 'quick')
    await trace.saw('publish', 4)
    await settled(a.cache, b.cache)
    expect(runs).toHaveLength(4)
    expect(a.cache.stats().events.publish).toBe(1)
    expect(b.cache.stats().events.publish).toBe(3)
  })

  test('it is the entry of those who ask: the path and input of a request', async () => {
    const { a, b, runs, trace } = await open()
    keep(a, 'deep.item', { input: { id: '1' } })
    await trace.saw('publish')
    expect(await b.client().deep.item.query({ id: '1' })).toBe('item 1 by A1')
    expect(runs).toEqual(['item 1'])
  })

  test('what was invalidated is computed anew at once', async () => {
    const { a, b, trace } = await open()
    keep(a, 'deep.item', { input: { id: '1' } })
    await trace.saw('publish')
    await settled(a.cache)
    await b.cache.invalidate({ tags: ['trpc:deep.item'] })
    await trace.saw('publish', 2)
    expect(await b.client().deep.item.query({ id: '1' })).toBe('item 1 by A2')
  })

  test('a query of a lazy router', async () => {
    const { a, b, runs, trace } = await open()
    keep(a, 'late.item', { input: { id: '1' } })
    await trace.saw('publish')
    expect(await b.client().late.item.query({ id: '1' })).toBe('item 1 by A1')
    expect(runs).toHaveLength(1)
  })

  test('what its procedure asks for is cached as ever, and what stands in front of the cache harms nothing', async () => {
    const { a, b, runs, trace } = await open()
    keep(a, 'made')
    keep(a, 'checked')
    await trace.saw('publish', 3)
    expect(await b.client().made.query()).toMatch(/^made of item 7 by A/)
    expect(await b.client().checked.query()).toMatch(/^checked by A/)
    expect(await b.client().deep.item.query({ id: '7' })).toMatch(/^item 7 by A/)
    expect(runs).toHaveLength(2)
    expect(trace.of('keepFresh')).toEqual([])
  })

  test('a query that asks itself', async () => {
    const { a, b, runs, trace } = await open()
    keep(a, 'count', { input: 2 })
    await trace.saw('publish', 3)
    for (const [input, said] of [
      [2, '2, 1, count by A1'],
      [1, '1, count by A1'],
      [0, 'count by A1'],
    ] as const) {
      expect(await b.client().count.query(input)).toBe(said)
    }
    expect(runs).toHaveLength(1)
    expect(trace.of('keepFresh')).toEqual([])
  })

  test('createContext makes the context of each attempt', async () => {
    const { a, b, trace } = await open()
    keep(a, 'guarded', { createContext: async () => ({ user: 'system' }) })
    await trace.saw('publish')
    expect(await b.client({ user: 'ann' }).guarded.query()).toBe('guarded by A1')
  })

  test.each<[string, object, string | RegExp, number]>([
    [
      'mine',
      { createContext: () => ({ user: 'ann' }) },
      "mine is somebody's own: only what has scope null is kept fresh",
      0,
    ],
    ['guarded', {}, 'UNAUTHORIZED', 0],
    ['off', {}, 'off is not cached: disabled', 0],
    ['uncached', {}, 'it was answered without the cache', 1],
    ['failing', {}, 'failing by A1', 1],
    ['late.wipe', {}, 'the router has no query late.wipe', 0],
    ['late.nothing', {}, 'the router has no query late.nothing', 0],
    ['deep.item', { input: { id: 7 } }, /expected string/i, 0],
    [
      'quick',
      {
        createContext() {
          throw new Error('no context')
        },
      },
      'no context',
      0,
    ],
  ])('%s, which can’t be: an event, and another attempt later', async (path, more, message, ran) => {
    const { a, runs, trace } = await open()
    keep(a, path, more)
    await trace.saw('keepFresh')
    const [{ what, error, retryIn } = { what: '', error: undefined, retryIn: 0 }] = trace.of('keepFresh')
    expect(what).toBe(`tRPC query ${path}`)
    expect((error as Error).message).toMatch(message)
    expect(retryIn).toBeGreaterThan(700)
    expect(runs).toHaveLength(ran)
    expect(trace.of('publish')).toEqual([])
  })
})

const t0 = initTRPC.create()
const cache = createCache({ ttl: 1000 })
const router = t0.router({
  one: t0.procedure.use(cached({ cache, scope: null })).query(() => 1),
  change: t0.procedure.mutation(() => 1),
})

test.each<[object | undefined, string]>([
  [undefined, 'cache must be what createCache() returned'],
  [{}, 'cache must be what createCache() returned'],
  [{ cache, path: 'one', createContext: nobody }, 'router must be what t.router() returned, got undefined'],
  [{ cache, router, path: 'two', createContext: nobody }, 'path must be that of a query of the router, got "two"'],
  [
    { cache, router, path: 'change', createContext: nobody },
    'path must be that of a query of the router, got "change"',
  ],
  [{ cache, router, path: 7, createContext: nobody }, 'path must be that of a query of the router, got 7'],
  [{ cache, router, path: 'one' }, 'createContext must be a function that returns a context, got undefined'],
  [
    { cache, router, path: 'one', createContext: nobody, ttl: 5 },
    'keepFresh has no option "ttl"; it has cache, router, path, input, createContext',
  ],
])('keepFresh refuses bad options (%#)', (bad, message) => {
  expect(() => keepFresh(bad as never)).toThrow(new TypeError(message))
})
