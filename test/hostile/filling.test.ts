import { initTRPC, TRPCError } from '@trpc/server'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { cachedDirectiveTypeDefs } from '../../src/adapters/graphql/directive.ts'
import { cached } from '../../src/adapters/trpc/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { serveYoga as serveFields } from '../adapters/graphql/fields/serving.ts'
import { market, settled } from '../adapters/graphql/market.ts'
import { serveYoga } from '../adapters/graphql/serveYoga.ts'
import { type Shop, useTown } from '../adapters/graphql/shop.ts'
import { traceOf } from '../adapters/trace.ts'
import { type Bench, type Context, useTwins } from '../adapters/trpc/twins.ts'

const raw = new Redis(inject('redisUrl'))
afterAll(() => raw.disconnect())

const make = () => redisStore(inject('redisUrl'))
const t = initTRPC.context<Context>().create()
const PATIENT = { commandTimeout: 5000 }

/** How many answers are stored in the namespace. */
async function entriesOf({ namespace }: { readonly namespace: string }): Promise<number> {
  const keys = await raw.keys(`${namespace}:{*}`)
  return keys.filter((key) => key.endsWith('}')).length
}

describe('a client who varies an argument', () => {
  const open = useTwins(make)
  const routerOf = ({ cache, run }: Bench) =>
    t.router({
      find: t.procedure
        .use(cached({ cache, scope: ({ ctx }) => ctx.user ?? null, tags: ['Found'] }))
        .input((input) => String(input))
        .query(({ input }) => run(`find ${input}`)),
      other: t.procedure.use(cached({ cache, scope: null })).query(() => run('other')),
      fails: t.procedure
        .use(cached({ cache, scope: null, errorTtl: 60_000 }))
        .input((input) => String(input))
        .query(({ input }) => {
          throw new TRPCError({ code: 'NOT_FOUND', message: `no ${input}` })
        }),
    })

  test('has as many answers stored as maxNewKeys says: all others are computed, and told', async () => {
    const { a, runs } = await open(routerOf, { cache: { ...PATIENT, maxNewKeys: { perScope: 5 } } })
    const trace = traceOf(a.cache)
    const client = a.client({ user: 'ann' })
    const ask = async (id: number) => expect(await client.find.query(`${id}`)).toMatch(new RegExp(`^find ${id} by A`))
    for (let id = 0; id < 20; id++) await ask(id)
    await settled(a.cache)
    expect([trace.of('publish').length, trace.of('share').length, await entriesOf(a.cache)]).toEqual([5, 15, 5])
    expect(trace.of('tooManyKeys')).toHaveLength(15)
    expect(trace.of('tooManyKeys')[0]).toEqual({
      type: 'tooManyKeys',
      key: expect.stringContaining('find'),
      shape: 'tRPC query find',
      limit: 'perScope',
      most: 5,
    })
    expect(runs).toHaveLength(20)
    // What is stored is answered as ever, and who else asks has his own.
    for (let id = 0; id < 5; id++) await ask(id)
    expect(runs).toHaveLength(20)
    await a.client({ user: 'bob' }).find.query('1')
    await a.client().other.query()
    await settled(a.cache)
    expect(await entriesOf(a.cache)).toBe(7)
  })

  test('is counted by procedure with perOperation, whoever says to ask', async () => {
    const { a } = await open(routerOf, { cache: { ...PATIENT, maxNewKeys: { perOperation: 3 } } })
    const trace = traceOf(a.cache)
    for (let i = 0; i < 10; i++) await a.client({ user: `user ${i}` }).find.query('1')
    await a.client().other.query()
    await settled(a.cache)
    expect(await entriesOf(a.cache)).toBe(4)
    expect(new Set(trace.of('tooManyKeys').map(({ limit }) => limit))).toEqual(new Set(['perOperation']))
  })

  test('nor does it store more errors', async () => {
    const { a } = await open(routerOf, { cache: { ...PATIENT, maxNewKeys: { perScope: 2 } } })
    const trace = traceOf(a.cache)
    for (let id = 0; id < 6; id++) await expect(a.client().fails.query(`${id}`)).rejects.toThrow(`no ${id}`)
    await expect.poll(() => trace.of('publish').length).toBe(2)
    expect([trace.of('tooManyKeys').length, await entriesOf(a.cache)]).toEqual([4, 2])
  })

  test('is answered in one run where many ask beyond the limit at once', async () => {
    const { a, b, gate, runs } = await open(routerOf, { cache: { ...PATIENT, maxNewKeys: { perScope: 1 } } })
    const trace = traceOf(a.cache, b.cache)
    await a.client().find.query('first')
    gate.shut()
    const asking = [a, a, b].map((twin) => twin.client().find.query('second'))
    await Promise.all([gate.holds(1), trace.saw('follow'), trace.saw('join')])
    gate.open()
    expect(new Set(await Promise.all(asking)).size).toBe(1)
    expect(runs).toHaveLength(2)
  })

  test('what is refreshed is no key more', async () => {
    const cache = { ...PATIENT, staleWhileRevalidate: 60_000, maxNewKeys: { perScope: 1, window: 1 } }
    const { a, runs } = await open(
      ({ cache, run }) =>
        t.router({
          find: t.procedure
            .use(cached({ cache, scope: null, ttl: 1 }))
            .input((input) => String(input))
            .query(({ input }) => run(`find ${input}`)),
        }),
      { cache },
    )
    const trace = traceOf(a.cache)
    await a.client().find.query('1')
    await settled(a.cache)
    await expect.poll(() => a.client().find.query('1'), { timeout: 5000 }).toBe('find 1 by A2')
    await settled(a.cache)
    expect([trace.of('tooManyKeys'), runs.length > 1]).toEqual([[], true])
  })
})

describe.each([
  { what: 'whole responses', serve: serveYoga },
  { what: 'single fields', serve: serveFields },
])('a client who varies a variable, over $what', ({ serve }) => {
  const open = useTown(serve, make)
  const schema = market(
    `${cachedDirectiveTypeDefs} type Query { find(word: String): String @cached(scope: PUBLIC) }`,
    () => ({
      Query: { find: (_parent, { word }: { word: string }) => word },
    }),
  )
  const QUERY = 'query ($word: String) { find(word: $word) }'

  async function fill(shop: Shop, queryOf: (i: number) => string): Promise<void> {
    for (let i = 0; i < 8; i++) {
      const { body } = await shop.ask(queryOf(i), { variables: { word: `w${i}` } })
      expect(Object.values(body.data ?? {})).toEqual([`w${i}`])
    }
    await settled(shop.cache)
  }

  test.each([{ perScope: 3 }, { perOperation: 3 }])('has no more stored than %o', async (maxNewKeys) => {
    const { shops } = await open({ schema, session: () => null, cache: { ...PATIENT, maxNewKeys } })
    const trace = traceOf(shops[0].cache)
    await fill(shops[0], () => QUERY)
    expect([await entriesOf(shops[0].cache), trace.of('tooManyKeys').length]).toEqual([3, 5])
  })

  test('nor with another document each time', async () => {
    const { shops } = await open({ schema, session: () => null, cache: { ...PATIENT, maxNewKeys: { perScope: 3 } } })
    await fill(shops[0], (i) => `query ($word: String) { a${i}: find(word: $word) }`)
    expect(await entriesOf(shops[0].cache)).toBe(3)
  })
})
