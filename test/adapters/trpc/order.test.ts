import { initTRPC, lazy, TRPCError } from '@trpc/server'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { z } from 'zod'
import {
  assertCacheOrder,
  type CacheMeta,
  type CacheOrderOptions,
  cached,
  cachedByMeta,
  invalidates,
} from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../trace.ts'
import { type Context, t as plain, useTwins } from './twins.ts'

const t = initTRPC.context<Context>().meta<CacheMeta<Context>>().create()
const cache = createCache()
afterAll(() => cache.close())

const auth = t.middleware(function signedIn({ ctx, next }) {
  if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
  return next({ ctx: { account: { id: ctx.user } } })
})
const measure = t.middleware(async function measure({ next }) {
  return next()
})
const open = () => cached<Context, CacheMeta<Context>, object, unknown>({ cache, scope: null })
const byMeta = () => cachedByMeta<Context, CacheMeta<Context>, object, unknown>({ cache })
const answer = () => 1
const Id = z.object({ id: z.string() })

/** What it says of a router, a line for each. */
function said(router: Parameters<typeof assertCacheOrder>[0], options?: CacheOrderOptions): string[] {
  try {
    assertCacheOrder(router, options)
    return []
  } catch (error) {
    const [first, ...lines] = (error as Error).message.split('\n')
    expect(first).toBe('assertCacheOrder:')
    return lines
  }
}

const behind = (path: string, names: string) =>
  `- ${path}: behind its cache stands ${names}: a hit is answered without it, so put the cache behind it, or name it in \`harmless\` if that makes no difference`

describe('the leak', () => {
  const openTwins = useTwins(() => redisStore(inject('redisUrl')))

  test('a cache in front of what authenticates serves one user’s data to anybody, and assertCacheOrder names it', async () => {
    const { a, b } = await openTwins((bench) =>
      plain.router({
        orders: plain.procedure
          .use(cached({ cache: bench.cache, scope: null }))
          .use(function signedIn({ ctx, next }) {
            if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
            return next()
          })
          .query(({ ctx }) => bench.run(`orders of ${ctx.user}`)),
      }),
    )
    const trace = traceOf(a.cache)
    await expect(b.client().orders.query()).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED' } })
    await a.client({ user: 'ann' }).orders.query()
    await trace.saw('publish')
    expect(await b.client().orders.query()).toMatch(/^orders of ann/)
    expect(said(a.router)).toEqual([behind('orders', 'signedIn')])
  })
})

describe('assertCacheOrder', () => {
  test('is content with the right order', () => {
    const router = t.router({
      plain: t.procedure.use(auth).query(answer),
      open: t.procedure.use(open()).query(answer),
      guarded: t.procedure.use(measure).use(auth).use(open()).query(answer),
      parsed: t.procedure.input(Id).use(open()).output(z.number()).query(answer),
      later: t.procedure
        .use(open())
        .input(Id)
        .input(z.object({ page: z.number() }))
        .output(z.number())
        .query(answer),
      split: t.procedure
        .input(Id)
        .use(open())
        .input(z.object({ page: z.number() }))
        .query(answer),
      formatted: t.procedure
        .errors(({ shape }) => shape)
        .use(open())
        .query(answer),
      tiers: t.procedure.use(open()).use(byMeta()).query(answer),
      change: t.procedure
        .use(byMeta())
        .use(invalidates({ cache, tags: [] }))
        .use(auth)
        .mutation(answer),
      meta: t.procedure
        .use(auth)
        .use(byMeta())
        .meta({ cache: { scope: 'x' } })
        .query(answer),
      unsaid: t.procedure.use(byMeta()).use(auth).query(answer),
    })
    expect(said(router)).toEqual([])
  })

  test('names a cache behind another one, whose scope and tags do not count on its hits', async () => {
    const own = cached<Context, CacheMeta<Context>, object, unknown>({ cache, scope: ({ ctx }) => ctx.user })
    const router = t.router({
      mine: t.procedure
        .use(open())
        .use(own)
        .query(({ ctx }) => `of ${ctx.user}`),
      meta: t.procedure
        .use(open())
        .use(byMeta())
        .meta({ cache: { scope: 'x' } })
        .query(answer),
    })
    expect(await router.createCaller({ user: 'ann' }).mine()).toBe('of ann')
    expect(await router.createCaller({ user: 'bob' }).mine()).toBe('of ann') // the leak
    expect(said(router)).toEqual([behind('mine', 'another cache'), behind('meta', 'another cache')])
    expect(said(router, { harmless: [own] })).toEqual([behind('meta', 'another cache')])
  })

  test('names what does nothing where it stands', () => {
    const caching = t.procedure.use(open()).use(auth)
    const meta = t.procedure.meta({ cache: { scope: null } })
    async function* ticks() {
      yield 1
    }
    const router = t.router({
      change: caching.mutation(answer),
      ticks: caching.subscription(ticks),
      changeByMeta: meta.use(byMeta()).mutation(answer),
      ticksByMeta: meta.subscription(ticks),
      unread: meta.query(answer),
      both: meta.use(open()).query(answer),
      asks: t.procedure
        .use(open())
        .use(invalidates({ cache, tags: [] }))
        .use(auth)
        .query(answer),
    })
    const never = (type: string) => `a ${type} is never cached: make it a query, or take that out`
    const unread = 'its meta.cache does nothing: `.use()` what cachedByMeta returned'
    expect(said(router)).toEqual([
      `- change: its \`cached\` does nothing: ${never('mutation')}`,
      `- ticks: its \`cached\` does nothing: ${never('subscription')}`,
      `- changeByMeta: its meta.cache does nothing: ${never('mutation')}`,
      `- ticksByMeta: its meta.cache does nothing: ${never('subscription')}`,
      `- unread: ${unread}`,
      `- both: ${unread}`,
      '- asks: `invalidates` does nothing for a query: make it a mutation, or take that out',
      behind('asks', 'signedIn'),
    ])
  })

  test('names .errors(), which forms nothing for those who wait', () => {
    const formatted = t.procedure
      .use(open())
      .errors(({ shape }) => shape)
      .query(answer)
    expect(said(t.router({ formatted }))).toEqual([behind('formatted', '.errors()')])
  })

  test('names every procedure, and all that stands behind', () => {
    const base = t.procedure.use(open())
    const router = t.router({
      auth: base.use(auth).query(answer),
      context: base.use(({ next }) => next({ ctx: { more: 1 } })).query(answer),
      both: base.use(measure).input(Id).use(auth).query(answer),
      right: t.procedure.use(auth).use(open()).query(answer),
      between: t.procedure.use(open()).use(auth).use(open()).query(answer),
      meta: t.procedure
        .use(byMeta())
        .use(auth)
        .meta({ cache: { scope: null } })
        .query(answer),
      disabled: t.procedure
        .use(cached({ cache, scope: null, enabled: false }))
        .use(auth)
        .query(answer),
    })
    expect(said(router)).toEqual([
      behind('auth', 'signedIn'),
      behind('context', 'a middleware without a name (number 2 of its chain)'),
      behind('both', 'measure, signedIn'),
      behind('between', 'signedIn, another cache'),
      behind('meta', 'signedIn'),
      behind('disabled', 'signedIn'),
    ])
  })

  test('sees through pipes', () => {
    const front = t.middleware(open()).unstable_pipe(measure).unstable_pipe(auth)
    const back = auth.unstable_pipe(open() as never)
    const router = t.router({
      front: t.procedure.use(front).query(answer),
      behindIt: t.procedure.use(open()).use(measure.unstable_pipe(auth)).query(answer),
      back: t.procedure.use(back).query(answer),
    })
    expect(said(router)).toEqual([behind('front', 'measure, signedIn'), behind('behindIt', 'measure, signedIn')])
  })

  test('sees through concat', () => {
    const guard = t.procedure.use(auth)
    const caching = t.procedure.use(open())
    const router = t.router({
      right: guard.concat(caching).query(answer),
      wrong: caching.concat(guard).query(answer),
    })
    expect(said(router)).toEqual([behind('wrong', 'signedIn')])
  })

  test('sees nested and merged routers, by their whole path', () => {
    const wrong = t.procedure.use(open()).use(auth).query(answer)
    const router = t.mergeRouters(
      t.router({ shop: t.router({ product: { byId: wrong }, list: t.procedure.query(answer) }) }),
      t.router({ user: t.router({ me: wrong }) }),
    )
    expect(said(router)).toEqual([behind('shop.product.byId', 'signedIn'), behind('user.me', 'signedIn')])
  })

  test('names lazy routers, until they are loaded, but for those that are checked elsewhere', async () => {
    const archive = t.router({ year: t.procedure.use(open()).use(auth).query(answer) })
    const routerOf = () =>
      t.router({
        archive: lazy(async () => archive),
        deep: t.router({ old: lazy(async () => t.router({ fine: t.procedure.query(answer) })) }),
      })
    const unseen = (path: string) =>
      `- ${path}: a lazy router, whose procedures are not there yet: check it where it is loaded, and name it in \`lazy\``
    expect(said(routerOf())).toEqual([unseen('archive'), unseen('deep.old')])
    expect(said(routerOf(), { lazy: ['deep.old'] })).toEqual([unseen('archive')])
    expect(said(routerOf(), { lazy: ['deep.old', 'archive'] })).toEqual([])
    const loaded = routerOf()
    const caller = t.createCallerFactory(loaded)({ user: 'ann' })
    await Promise.all([caller.archive.year(), caller.deep.old.fine()])
    expect(said(loaded)).toEqual([behind('archive.year', 'signedIn')])
    expect(said(loaded, { lazy: ['archive'] })).toEqual([behind('archive.year', 'signedIn')])
    expect(said(archive)).toEqual([behind('year', 'signedIn')])
  })

  test('lets the harmless stand behind: a middleware, one with a pipe, a function', () => {
    const count = async ({ next }: { next(): Promise<never> }) => next()
    const base = t.procedure.use(open())
    const router = t.router({
      measured: base.use(measure).query(answer),
      piped: base.use(measure.unstable_pipe(measure)).query(answer),
      counted: base.use(count as never).query(answer),
      auth: base.use(measure).use(auth).query(answer),
    })
    expect(said(router, { harmless: [measure, count] })).toEqual([behind('auth', 'signedIn')])
    expect(said(router, { harmless: [measure.unstable_pipe(auth), count] })).toEqual([])
  })

  test('names each bad meta.cache of a query', () => {
    const procedure = t.procedure.use(byMeta())
    const router = t.router({
      scopeless: procedure.meta({ cache: { ttl: 1000 } }).query(answer),
      flag: procedure.meta({ cache: true as never }).query(answer),
      misspelt: procedure.meta({ cache: { scope: null, tll: 1 } as never }).query(answer),
      fine: procedure.meta({ cache: { scope: null } }).query(answer),
    })
    expect(said(router)).toEqual([
      expect.stringMatching(/^- scopeless: meta.cache needs scope/),
      '- flag: meta.cache must be an object of options, got true',
      expect.stringMatching(/^- misspelt: meta.cache has no option "tll"/),
    ])
  })

  test.each([
    [{ harmles: [] }, 'assertCacheOrder has no option "harmles"; it has harmless, lazy'],
    [{ harmless: measure }, 'harmless must be a list of middlewares, got an object'],
    [{ harmless: [measure, undefined] }, 'harmless must be a list of middlewares, got undefined at 1'],
    [{ harmless: ['measure'] }, 'harmless must be a list of middlewares, got "measure" at 0'],
    [{ lazy: 'archive' }, 'lazy must be a list of paths, got "archive"'],
    [{ lazy: [7] }, 'lazy must be a list of paths, got 7 at 0'],
    [{ lazy: ['archiv'] }, 'lazy names "archiv", which is no lazy router; there is archive, old.years'],
  ])('refuses %o', (bad, message) => {
    const unseen = lazy(async () => t.router({}))
    const router = t.router({ archive: unseen, old: { years: unseen } })
    expect(() => assertCacheOrder(router, bad as never)).toThrow(new TypeError(message))
  })

  test('a name in lazy where no router is lazy', () => {
    expect(() => assertCacheOrder(t.router({}), { lazy: ['archive'] })).toThrow(
      new TypeError('lazy names "archive", which is no lazy router; there is none'),
    )
  })

  test.each([[{}], [undefined], [null], [() => t.router({})]])('what is no router is refused: %o', (bad) => {
    expect(() => assertCacheOrder(bad as never)).toThrow(/^router must be what t\.router\(\) returned, got /)
  })
})
