import { TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CacheHeadersOptions, cached, invalidates } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Twin, t, useTwins } from './twins.ts'

const copied = t.procedure
  .use(({ ctx, next }) => next({ ctx: { ...ctx, account: ctx.user } }))
  .use(({ next }) => next({ ctx: { more: 1 } }))

class Point {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

function routerOf({ cache, run }: Bench) {
  const ask = t.procedure
    .input(z.string().optional())
    .use(cached({ cache, scope: null, ttl: 60_000 }))
    .query(({ input }) => run(`ask ${input}`))
  const byUser = t.procedure.use(cached({ cache, scope: ({ ctx }) => ctx.user, ttl: 30_000 }))
  const createCaller = t.createCallerFactory(t.router({ ask }))
  const near = createCache()
  return t.router({
    ask,
    short: t.procedure.use(cached({ cache, scope: null, ttl: 5000 })).query(() => run('short')),
    mine: byUser.query(({ ctx }) => run(`mine ${ctx.user}`)),
    copied: copied.use(cached({ cache, scope: null, ttl: 60_000 })).query(() => run('copied')),
    byAnswer: t.procedure.use(cached({ cache, scope: null, ttl: () => 60_000 })).query(() => run('byAnswer')),
    endless: t.procedure.use(cached({ cache, scope: null, ttl: Number.POSITIVE_INFINITY })).query(() => run('endless')),
    unkept: t.procedure.use(cached({ cache, scope: null, shouldCache: false })).query(() => run('unkept')),
    untagged: t.procedure
      .use(
        cached({
          cache,
          scope: null,
          tags() {
            throw new Error('no idea')
          },
        }),
      )
      .query(() => run('untagged')),
    point: t.procedure
      .use(cached({ cache, scope: null }))
      .query(async () => ({ point: new Point(await run('point')) })),
    large: t.procedure.use(cached({ cache, scope: null })).query(async () => (await run('large')).padEnd(20_000)),
    off: t.procedure.use(cached({ cache, scope: null, enabled: false })).query(() => run('off')),
    keyless: t.procedure.use(cached({ cache, scope: null, key: () => routerOf })).query(() => run('keyless')),
    fails: t.procedure.use(cached({ cache, scope: null })).query(async () => {
      throw new TRPCError({ code: 'NOT_FOUND', message: await run('fails') })
    }),
    byLanguage: t.procedure
      .use(cached({ cache, scope: null, vary: ({ ctx }) => ctx.user }))
      .query(({ ctx }) => run(`in ${ctx.user}`)),
    byKey: t.procedure
      .use(cached({ cache, scope: null, key: ({ ctx }) => ctx.user }))
      .query(({ ctx }) => run(`to ${ctx.user}`)),
    /** No JSON. */
    big: t.procedure.use(cached({ cache, scope: null, ttl: 60_000 })).query(() => 2n),
    plain: t.procedure.query(() => run('plain')),
    tiered: t.procedure
      .use(cached({ cache: near, scope: null, ttl: 60_000 }))
      .use(cached({ cache, scope: null, ttl: 90_000 }))
      .query(() => run('tiered')),
    /** Uncached, and asks what is public. */
    desk: t.procedure.query(async ({ ctx }) => `${ctx.user}: ${await createCaller(ctx).ask('x')}`),
    /** A user's, and asks what is public. */
    cachedDesk: byUser.query(async ({ ctx }) => `${ctx.user}: ${await createCaller(ctx).ask('x')}`),
    change: t.procedure.use(invalidates({ cache, tags: ['trpc:ask'] })).mutation(() => run('change')),
    ticks: t.procedure.use(cached({ cache, scope: null })).subscription(async function* () {
      yield await run('tick')
    }),
  })
}
type Router = ReturnType<typeof routerOf>

interface Said {
  readonly control: string | null
  readonly status: string | null
  readonly age: string | null
  readonly vary: string | null
}
const NOTHING = { control: null, status: null, age: null }

async function get({ url, cache }: Twin<Router>, path: string, user?: string, headers: object = {}): Promise<Said> {
  const response = await fetch(`${url}/${path}`, {
    headers: { ...headers, ...(user === undefined ? {} : { authorization: user }) },
  })
  await response.text()
  // Flights of procedures that fail end without an event.
  if (response.status === 200) await settled(cache)
  const [control, status, age, vary] = ['cache-control', 'cache-status', 'age', 'vary'].map((name) =>
    response.headers.get(name),
  )
  return { control, status, age, vary } as Said
}

describe.each(STORES)('headers of tRPC answers, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = (headers: CacheHeadersOptions = { maxAge: 10 }) =>
    openTwins(routerOf, { cache: { ...PATIENT, maxEntryBytes: 10_000 }, headers })

  test('a miss, and a hit on the other instance', async () => {
    const { a, b } = await open()
    expect(await get(a, 'ask')).toMatchObject({
      control: 'public, max-age=10',
      status: 'atomcache; fwd=miss; stored; ttl=60',
      age: null,
      vary: expect.stringContaining('Authorization, Cookie'),
    })
    expect(await get(b, 'ask')).toMatchObject({
      control: expect.stringMatching(/^public, max-age=1\d$/),
      status: expect.stringMatching(/^atomcache; hit; ttl=(60|5\d)$/),
      age: expect.stringMatching(/^\d$/),
    })
  })

  test('one that waited for another’s answer', async () => {
    const { a, b, gate } = await open()
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const asking = [a, a, b].map((twin) => get(twin, 'ask'))
    await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
    gate.open()
    const said = await Promise.all(asking)
    const [followed, led] = [
      'private, no-cache: atomcache; fwd=miss; collapsed',
      'public, max-age=10: atomcache; fwd=miss; stored; ttl=60',
    ]
    expect(said.map(({ control, status }) => `${control}: ${status}`).sort()).toEqual([followed, followed, led])
  })

  test.each(['unkept', 'untagged', 'point', 'large'])(
    '%s, which is not kept, is fresh for nobody who waited for it',
    async (path) => {
      const { a, b, gate } = await open()
      const trace = traceOf(a.cache, b.cache)
      gate.shut()
      const asking = [a, a, b].map((twin) => get(twin, path))
      await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
      gate.open()
      for (const { control, status } of await Promise.all(asking)) {
        expect(control).toBe('private, no-cache')
        expect(status).toMatch(/^atomcache; fwd=miss(; collapsed)?$/)
      }
    },
  )

  test('what belongs to somebody is private', async () => {
    const { a, b } = await open()
    expect(await get(a, 'mine', 'ann')).toMatchObject({
      control: 'private, max-age=10',
      status: 'atomcache; fwd=miss; stored; ttl=30',
    })
    expect(await get(b, 'mine', 'ann')).toMatchObject({ control: expect.stringMatching(/^private, max-age=1\d$/) })
  })

  test.each([
    ['mine', 'no scope'],
    ['off', 'disabled'],
    ['keyless', 'no key'],
  ])('%s around the cache: nobody may keep it', async (path, detail) => {
    const { a } = await open()
    expect(await get(a, path)).toMatchObject({
      control: 'no-store',
      status: `atomcache; fwd=bypass; detail="${detail}"`,
    })
  })

  test('what is not kept: each use is asked for', async () => {
    const { a } = await open()
    expect(await get(a, 'unkept')).toMatchObject({
      control: 'private, no-cache',
      status: 'atomcache; fwd=miss',
      age: null,
    })
  })

  test('an answer whose time was made of it has it, and on a hit', async () => {
    const { a, b } = await open()
    expect(await get(a, 'byAnswer')).toMatchObject({
      control: 'public, max-age=10',
      status: 'atomcache; fwd=miss; stored; ttl=60',
      age: null,
    })
    expect(await get(b, 'byAnswer')).toMatchObject({ control: expect.stringMatching(/^public, max-age=1\d$/) })
  })

  test.each(['byLanguage', 'byKey'])(
    '%s, which HTTP caches can’t tell apart: each use is asked for, unless headers are named',
    async (path) => {
      for (const vary of [undefined, []]) {
        const { a, b } = await open({ maxAge: 10, vary })
        for (const twin of [a, b]) expect(await get(twin, path, 'de')).toMatchObject({ control: 'private, no-cache' })
        expect(await get(a, `ask,${path}?batch=1&input={}`, 'de')).toMatchObject({ control: 'private, no-cache' })
      }
      const { a, b } = await open({ maxAge: 10, vary: ['Accept-Language'] })
      for (const twin of [a, b]) {
        expect(await get(twin, path, 'de')).toMatchObject({
          control: expect.stringMatching(/^public, max-age=1\d$/),
          vary: expect.stringMatching(/accept, accept-language$/i),
        })
      }
    },
  )

  test('never longer than it is stored, and less as it gets older', async () => {
    const { a, b } = await open({ maxAge: 3600 })
    expect(await get(a, 'short')).toMatchObject({ control: 'public, max-age=5' })
    let said = await get(b, 'short')
    await expect
      .poll(
        async () => {
          said = await get(b, 'short')
          return Number(said.age)
        },
        { timeout: 10_000, interval: 50 },
      )
      .toBeGreaterThanOrEqual(1)
    const ttl = Number(/hit; ttl=(\d+)/.exec(said.status ?? '')?.[1])
    const maxAge = Number(/max-age=(\d+)/.exec(said.control ?? '')?.[1])
    expect(ttl).toBeLessThanOrEqual(4)
    expect(maxAge - Number(said.age)).toBeLessThanOrEqual(ttl)
    expect(maxAge).toBeLessThanOrEqual(5)
  })

  test('an answer without end has what maxAge says', async () => {
    const { a, b } = await open({ maxAge: 100, staleWhileRevalidate: 20, vary: ['X-Tenant'] })
    expect(await get(a, 'endless')).toMatchObject({
      control: 'public, max-age=100, stale-while-revalidate=20',
      status: 'atomcache; fwd=miss; stored',
      vary: expect.stringContaining('X-Tenant'),
    })
    expect(await get(b, 'endless')).toMatchObject({
      control: expect.stringMatching(/^public, max-age=10\d, stale-while-revalidate=20$/),
      status: 'atomcache; hit',
    })
  })

  test('without maxAge each use is asked for', async () => {
    const { a } = await open({})
    for (const path of ['ask', 'ask', 'short'])
      expect(await get(a, path)).toMatchObject({ control: 'public, no-cache' })
    for (const _ of [1, 2]) expect(await get(a, 'mine', 'ann')).toMatchObject({ control: 'private, no-cache' })
  })

  test('middlewares that copy the context keep what is noted in it', async () => {
    const { a } = await open()
    expect(await get(a, 'copied')).toMatchObject({ control: 'public, max-age=10' })
  })

  test('mutations, subscriptions, streams and what has no cache: nothing is said', async () => {
    const { a } = await open()
    const jsonl = { 'trpc-accept': 'application/jsonl' }
    expect(await get(a, 'plain')).toMatchObject(NOTHING)
    expect(await get(a, 'ask,mine?batch=1&input={}', 'ann', jsonl)).toMatchObject(NOTHING)
    const { headers } = await fetch(`${a.url}/change`, { method: 'POST' })
    expect(['cache-control', 'cache-status'].map((name) => headers.get(name))).toEqual([null, null])
    const ticks = await get(a, 'ticks', undefined, { accept: 'text/event-stream' })
    expect(ticks.status).toBeNull()
    expect(ticks.control).not.toContain('max-age')
    expect(await a.client({ link: 'stream' }).ask.query()).toMatch(/^ask/)
  })

  test.each<[string, string, string]>([
    ['ask,short', 'public, max-age=5', 'atomcache; fwd=miss; stored; ttl=60'],
    ['ask,ask', 'private, no-cache', 'atomcache; fwd=miss; stored; ttl=60'],
    ['ask,mine', 'private, max-age=30', 'atomcache; fwd=miss; stored; ttl=60'],
    ['ask,byAnswer', 'public, max-age=60', 'atomcache; fwd=miss; stored; ttl=60'],
    ['ask,plain', 'no-store', 'atomcache; fwd=bypass; detail="not cached"'],
    ['ask,fails', 'no-store', 'atomcache; fwd=miss; stored; ttl=60'],
    ['ask,nowhere', 'no-store', 'atomcache; fwd=bypass; detail="not cached"'],
    ['ask,off', 'no-store', 'atomcache; fwd=bypass; detail="disabled"'],
    ['off,ask,short', 'no-store', 'atomcache; fwd=bypass; detail="disabled"'],
    ['tiered,plain', 'no-store', 'atomcache; fwd=bypass; detail="not cached"'],
    ['desk,ask', 'no-store', 'atomcache; fwd=bypass; detail="not cached"'],
  ])('a batch has the strictest of all: %s', async (paths, control, status) => {
    const { a } = await open({ maxAge: 3600 })
    const said = await get(a, `${paths}?batch=1&input={}`, 'ann')
    expect(said.control).toBe(control)
    expect(said.status?.replace('collapsed', 'stored')).toBe(status)
  })

  test('a batch of a hit and a miss is said to be a miss, and is as old as its oldest', async () => {
    const { a, b } = await open({ maxAge: 3600 })
    await get(a, 'ask')
    const said = await get(b, 'ask,short?batch=1&input={}')
    expect(said.status).toBe('atomcache; fwd=miss; stored; ttl=5')
    expect(Number(/max-age=(\d+)/.exec(said.control ?? '')?.[1]) - Number(said.age)).toBeLessThanOrEqual(5)
    const hits = await get(a, 'ask,short?batch=1&input={}')
    expect(hits.status).toMatch(/^atomcache; hit; ttl=[0-5]$/)
  })

  test.each([
    ['ask,plain', 'fwd=bypass; detail="not cached"'],
    ['ask,fails', 'fwd=miss'],
    ['ask,off', 'fwd=bypass; detail="disabled"'],
  ])('a batch that nobody may keep is not said to be a hit: %s', async (paths, status) => {
    const { a, b } = await open()
    await get(a, 'ask')
    expect(await get(b, `${paths}?batch=1&input={}`)).toMatchObject({
      control: 'no-store',
      status: `atomcache; ${status}`,
    })
  })

  test('a procedure that fails is not said to be fresh', async () => {
    const { a, b, gate } = await open()
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const asking = [a, a, b].map((twin) => get(twin, 'fails'))
    await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
    gate.open()
    const said = await Promise.all(asking)
    expect(said.map(({ control }) => control)).toEqual(said.map(() => 'no-store'))
    const [followed, led] = ['atomcache; fwd=miss; collapsed', 'atomcache; fwd=miss']
    expect(said.map(({ status }) => status).sort()).toEqual([led, followed, followed])
  })

  test('an answer that can’t be written is an error that nobody may keep', async () => {
    const { a, b } = await open()
    for (const twin of [a, b]) {
      const trace = traceOf(twin.cache)
      const { status, headers } = await fetch(`${twin.url}/big`)
      if (twin === a) await trace.saw('publish')
      expect([status, headers.get('cache-control')]).toEqual([500, 'no-store'])
      expect(headers.get('age')).toBe(twin === a ? null : '0')
      expect(headers.get('cache-status')).not.toContain(',')
    }
  })

  test('a procedure that asks another one is no more public than itself', async () => {
    const { a, b } = await open()
    for (const twin of [a, b]) expect(await get(twin, 'desk', 'ann')).toMatchObject(NOTHING)
    expect(await get(a, 'cachedDesk', 'ann')).toMatchObject({
      control: 'private, max-age=10',
      status: 'atomcache; fwd=miss; stored; ttl=30',
    })
    expect((await get(b, 'cachedDesk', 'ann')).status).toMatch(/^atomcache; hit/)
  })

  test('of two caches in one chain the outer one counts', async () => {
    const { a } = await open()
    expect(await get(a, 'tiered')).toMatchObject({
      control: 'public, max-age=10',
      status: 'atomcache; fwd=miss; stored; ttl=60',
    })
  })
})
