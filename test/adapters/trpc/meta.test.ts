import { initTRPC } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CacheMeta, cached, cachedByMeta, type ProcedureCacheOptions } from '../../../src/adapters/trpc/index.ts'
import type { Cache } from '../../../src/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, type Twin, useTwins } from './twins.ts'

interface Meta extends CacheMeta<Context> {
  readonly role?: string
}
const t = initTRPC.context<Context>().meta<Meta>().create()
const Id = z.object({ id: z.coerce.string() })

type Options = ProcedureCacheOptions<Context, { id: string }>

/** Both ways to say how a procedure is cached. */
const WAYS = {
  cached: (cache: Cache, options: Options) => t.procedure.input(Id).use(cached({ cache, ...options })),
  cachedByMeta: (cache: Cache, options: Options) =>
    t.procedure
      .meta({ role: 'any', cache: options as never })
      .input(Id)
      .use(cachedByMeta({ cache })),
}

describe.each(STORES)('caching by meta, over $name', ({ make }) => {
  const open = useTwins(make)

  test.each<[string, Options, number]>([
    ['scope: null', { scope: null }, 2],
    ['a scope', { scope: ({ ctx }) => ctx.user }, 4],
    ['no scope known', { scope: () => undefined }, 8],
    ['key', { scope: null, key: () => 'one' }, 1],
    ['vary', { scope: null, vary: ({ ctx, path, input }) => [ctx.user, path, input] }, 4],
    ['ttl 0', { scope: null, ttl: ({ input, data }) => (input.id === '1' && data !== undefined ? 0 : 1e6) }, 5],
    ['shouldCache', { scope: null, shouldCache: ({ input }) => input.id === '2' }, 5],
    ['disabled', { scope: null, enabled: ({ ctx }) => ctx.user === 'ann' }, 6],
  ])('it caches as cached does: %s', async (_what, options, count) => {
    const events: string[][] = []
    for (const way of [WAYS.cached, WAYS.cachedByMeta]) {
      const { a, b, runs } = await open(
        ({ cache, run }) => t.router({ ask: way(cache, options).query(({ input }) => run(input.id)) }),
        { cache: PATIENT },
      )
      const trace = traceOf(a.cache, b.cache)
      for (const twin of [a, b]) {
        for (const user of ['ann', 'bob']) {
          for (const id of ['1', '2']) {
            await twin.client({ user }).ask.query({ id })
            await settled(a.cache, b.cache)
          }
        }
      }
      expect(runs).toHaveLength(count)
      events.push(trace.events.map(({ type }) => type))
    }
    expect(events[1]).toEqual(events[0])
  })

  const routerOf = ({ cache, run }: Bench) => {
    const procedure = t.procedure.use(
      cachedByMeta({ cache, scope: ({ ctx }) => ctx.user, ttl: 60_000, tags: ['Default'] }),
    )
    const named = (path: string) => () => run(path)
    return t.router({
      plain: procedure.query(named('plain')),
      other: procedure.meta({ role: 'buyer' }).query(named('other')),
      none: procedure.meta({ cache: undefined }).query(named('none')),
      defaults: procedure.meta({ cache: {} }).query(named('defaults')),
      shared: procedure.meta({ cache: { scope: null } }).query(named('shared')),
      tagged: procedure.meta({ cache: { tags: ({ path }) => [`own ${path}`] } }).query(named('tagged')),
      unsaid: procedure.meta({ cache: { ttl: undefined, tags: undefined } }).query(named('unsaid')),
      lost: procedure.meta({ cache: { scope: undefined as never } }).query(named('lost')),
      change: procedure.meta({ cache: {} }).mutation(named('change')),
      ticks: procedure.meta({ cache: {} }).subscription(async function* () {
        yield await run('tick')
      }),
    })
  }
  type Routes = ReturnType<typeof routerOf>
  type Path = 'plain' | 'other' | 'none' | 'defaults' | 'shared' | 'tagged' | 'unsaid' | 'lost'
  const ask = async ({ cache, client }: Twin<Routes>, path: Path, user = 'ann') => {
    const answer = await client({ user })[path].query()
    await settled(cache)
    return answer
  }

  test.each(['plain', 'other', 'none'] as const)('a procedure without meta.cache passes: %s', async (path) => {
    const { a, b, runs } = await open(routerOf, { cache: PATIENT })
    const trace = traceOf(a.cache, b.cache)
    for (const twin of [a, b]) await ask(twin, path)
    expect(runs).toEqual([path, path])
    expect(trace.events).toEqual([])
  })

  test('mutations and subscriptions pass, whatever their meta says', async () => {
    const { a, runs } = await open(routerOf, { cache: PATIENT })
    const trace = traceOf(a.cache)
    for (const _ of [1, 2]) {
      await a.client({ user: 'ann' }).change.mutate()
      const stream = await fetch(`${a.url}/ticks`, { headers: { accept: 'text/event-stream', authorization: 'ann' } })
      expect(await stream.text()).toContain('data: "tick by A')
    }
    expect(runs).toEqual(['change', 'tick', 'change', 'tick'])
    expect(trace.events).toEqual([])
  })

  test('what the meta does not say the options of the middleware do', async () => {
    const { a, b, runs } = await open(routerOf, { cache: PATIENT })
    for (const path of ['defaults', 'unsaid'] as const) {
      const before = runs.length
      expect(await ask(b, path)).toBe(await ask(a, path))
      await ask(a, path, 'bob')
      await b.cache.invalidate({ tags: ['Default'] })
      await ask(a, path)
      expect(runs).toHaveLength(before + 3)
    }
  })

  test('what it says counts', async () => {
    const { a, b, runs } = await open(routerOf, { cache: PATIENT })
    await ask(a, 'shared')
    await ask(b, 'shared', 'bob')
    expect(runs).toEqual(['shared'])
    await ask(a, 'tagged')
    await b.cache.invalidate({ tags: ['Default'] })
    await ask(a, 'tagged')
    expect(runs).toEqual(['shared', 'tagged'])
    await b.cache.invalidate({ tags: ['own tagged'] })
    await ask(a, 'tagged')
    expect(runs).toEqual(['shared', 'tagged', 'tagged'])
  })

  test('a scope that is undefined is not known, also where the middleware has one', async () => {
    const { a, runs } = await open(routerOf, { cache: PATIENT })
    const trace = traceOf(a.cache)
    for (const _ of [1, 2]) await ask(a, 'lost')
    expect(runs).toEqual(['lost', 'lost'])
    expect(trace.events).toMatchObject([
      { type: 'bypass', reason: expect.stringMatching(/^scope must be .* got undefined$/) },
    ])
  })

  test.each<[string, unknown, string]>([
    ['scope in neither', { ttl: 5 }, 'meta.cache needs scope: a string or a function that says whose data it is'],
    [
      'a bad ttl',
      { scope: null, ttl: -1 },
      'ttl must be greater than 0 (ms), Infinity, or a function of the value, got -1',
    ],
    ['bad tags', { scope: null, tags: 'Product' }, 'tags must be an array of strings, got string'],
    ['a bad scope', { scope: 7 }, 'scope must be a non-empty string, null, or a function that returns one, got number'],
    ['a misspelt option', { scope: null, tll: 5 }, 'meta.cache has no option "tll"; it has scope, ttl, tags'],
    ['another cache', { scope: null, cache: {} }, 'meta.cache has no option "cache"'],
    ['true', true, 'meta.cache must be an object of options, got true'],
    ['null', null, 'meta.cache must be an object of options, got null'],
    ['a number', 60, 'meta.cache must be an object of options, got 60'],
    ['a text', '60s', 'meta.cache must be an object of options, got "60s"'],
    ['a list', [60], 'meta.cache must be an object of options, got an array'],
    ['a function', () => 60, 'meta.cache must be an object of options, got a function'],
  ])('%s: answered uncached, and one bypass event for all calls', async (_what, said, reason) => {
    const { a, runs } = await open(
      ({ cache, run }) => {
        const procedure = t.procedure.use(cachedByMeta({ cache }))
        return t.router({ ask: procedure.meta({ cache: said as never }).query(() => run('ask')) })
      },
      { cache: PATIENT },
    )
    const trace = traceOf(a.cache)
    for (const _ of [1, 2, 3]) expect(await a.client().ask.query()).toMatch(/^ask by A/)
    expect(runs).toHaveLength(3)
    expect(trace.events).toEqual([{ type: 'bypass', what: 'tRPC query ask', reason: expect.stringContaining(reason) }])
  })

  test.each([true, null, 60])('%o is not taken for the defaults', async (said) => {
    const { a, runs } = await open(
      ({ cache, run }) => {
        const procedure = t.procedure.use(cachedByMeta({ cache, scope: null }))
        return t.router({ ask: procedure.meta({ cache: said as never }).query(() => run('ask')) })
      },
      { cache: PATIENT },
    )
    for (const _ of [1, 2]) await a.client().ask.query()
    expect(runs).toHaveLength(2)
  })
})
