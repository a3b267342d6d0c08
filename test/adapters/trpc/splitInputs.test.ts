import { initTRPC, TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CacheMeta, cached, cachedByMeta } from '../../../src/adapters/trpc/index.ts'
import { PATIENT } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, useTwins } from './twins.ts'

const t = initTRPC.context<Context>().meta<CacheMeta<Context>>().create()
const Shop = z.object({ shop: z.string().trim() })
const Page = z.object({ page: z.number().int().min(1) })

/** Part of the input is parsed before the cache, and part behind it. */
function routerOf({ cache, run }: Bench) {
  const ofShop = t.procedure.input(Shop)
  return t.router({
    cached: ofShop
      .use(cached({ cache, scope: null }))
      .input(Page)
      .query(({ input }) => run(`${input.shop} ${input.page}`)),
    byMeta: ofShop
      .use(cachedByMeta({ cache, scope: null }))
      .meta({ cache: {} })
      .input(Page)
      .query(({ input }) => run(`${input.shop} ${input.page}`)),
    twice: ofShop
      .use(cached({ cache, scope: null, ttl: 60_000 }))
      .input(Page)
      .use(cached({ cache, scope: null }))
      .query(({ input }) => run(`${input.shop} ${input.page}`)),
    again: ofShop
      .use(cached({ cache, scope: null }))
      .input(z.object({ shop: z.string() }))
      .query(({ input }) => run(`<${input.shop}>`)),
    resolver: ofShop.use(cached({ cache, scope: null })).query(async (opts) => {
      const { getRawInput } = opts as unknown as { getRawInput(): Promise<{ page: number }> }
      return run(`s ${(await getRawInput()).page}`)
    }),
    own: ofShop
      .use(cached({ cache, scope: null, key: ({ input }) => input.shop }))
      .input(Page)
      .query(({ input }) => run(`${input.shop} ${input.page}`)),
    fails: ofShop
      .use(cached({ cache, scope: null }))
      .input(Page)
      .query(async ({ input }) => {
        throw new TRPCError({ code: 'CONFLICT', message: await run(`page ${input.page}`) })
      }),
  })
}

describe.each(STORES)('inputs that are parsed on both sides of the cache, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = () => openTwins(routerOf, { cache: PATIENT })

  test.each(['cached', 'byMeta', 'twice'] as const)('%s: each page has its own answer, and is kept', async (path) => {
    const { a, b, runs } = await open()
    const trace = traceOf(a.cache, b.cache)
    const first: string[] = []
    for (const twin of [a, b]) {
      for (const page of [1, 2]) first.push(await twin.client()[path].query({ shop: 's', page }))
    }
    expect(first.map((text) => text.slice(0, 3))).toEqual(['s 1', 's 2', 's 1', 's 2'])
    // Each instance learns it from the first run of its own, and tells.
    const told = {
      type: 'bypass',
      what: `tRPC query ${path}`,
      reason: expect.stringContaining('read behind the cache'),
    }
    expect(trace.of('bypass')).toEqual([told, told])
    await expect.poll(() => trace.of('publish').length).toBeGreaterThan(0)
    const pages = [1, 2, 3, 1, 2, 3]
    for (const page of pages) await a.client()[path].query({ shop: 's', page })
    await expect
      .poll(async () => {
        const before = runs.length
        for (const page of pages) expect(await b.client()[path].query({ shop: 's', page })).toMatch(`s ${page} by`)
        return runs.length - before
      })
      .toBe(0)
  })

  test('at once, before an instance has learned it: nobody gets the page of another', async () => {
    const { a, b, gate } = await open()
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const pages = [1, 2, 3, 4]
    const asking = pages.flatMap((page) => [a, b].map((twin) => twin.client().cached.query({ shop: 's', page })))
    await Promise.all([gate.holds(1), trace.saw('join', 6), trace.saw('follow')])
    gate.open()
    const answers = await Promise.all(asking)
    expect(answers.map((text) => text.slice(0, 3))).toEqual(pages.flatMap((page) => [`s ${page}`, `s ${page}`]))
  })

  test('an input that the second parser refuses is refused alone', async () => {
    const { a } = await open()
    const client = a.client({ link: 'batch' })
    const [bad, good] = await Promise.allSettled([
      client.cached.query({ shop: 's', page: 0 }),
      client.cached.query({ shop: 's', page: 1 }),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { data: { code: 'BAD_REQUEST' } } })
    expect(good).toMatchObject({ status: 'fulfilled', value: expect.stringMatching(/^s 1/) })
  })

  test('an error of the procedure is that of the own page', async () => {
    const { a, b } = await open()
    for (const twin of [a, b, a]) {
      for (const page of [1, 2]) {
        const asked = twin.client().fails.query({ shop: 's', page })
        await expect(asked).rejects.toMatchObject({
          message: expect.stringMatching(new RegExp(`^page ${page} by`)),
          data: { code: 'CONFLICT' },
        })
      }
    }
  })

  test('one member that both parse: the second sees it as it was sent', async () => {
    const { a } = await open()
    for (const shop of ['x', ' x', 'x ', 'x', ' x']) {
      expect(await a.client().again.query({ shop })).toMatch(`<${shop}>`)
    }
  })

  test('a resolver that reads what was sent', async () => {
    const { a } = await open()
    for (const page of [1, 2, 1, 2]) {
      expect(await a.client().resolver.query({ shop: 's', page } as never)).toMatch(`s ${page}`)
    }
  })

  test('who says key has said what is in it', async () => {
    const { a, runs } = await open()
    const trace = traceOf(a.cache)
    const first = await a.client().own.query({ shop: 's', page: 1 })
    await trace.saw('publish')
    expect(await a.client().own.query({ shop: 's ', page: 2 })).toBe(first)
    expect(runs).toHaveLength(1)
    expect(trace.of('bypass')).toEqual([])
  })
})
