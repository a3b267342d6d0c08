import { TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { type CachedOptions, cached } from '../../../src/adapters/trpc/index.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, t, useTwins } from './twins.ts'

const signedIn = t.procedure.use(({ ctx, next }) => {
  if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'who are you?' })
  return next({ ctx: { account: { id: ctx.user } } })
})

describe.each(STORES)('whose data a tRPC answer is, over $name', ({ make }) => {
  const open = useTwins(make)

  const meWith = (scope: CachedOptions<Context>['scope']) => (bench: Bench) =>
    t.router({
      me: t.procedure.use(cached({ cache: bench.cache, scope })).query(({ ctx }) => bench.run(`user ${ctx.user}`)),
    })

  const ordersOf = ({ cache, run }: Bench) =>
    t.router({
      orders: signedIn
        .use(cached({ cache, scope: ({ ctx }) => ctx.account.id }))
        .query(({ ctx }) => run(`orders of ${ctx.account.id}`)),
    })

  test('two users never see each other’s answers, and a third is refused before the cache', async () => {
    const { a, b, gate, runs } = await open(ordersOf)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const users = Array.from({ length: 20 }, (_, i) => (i % 4 < 2 ? 'ann' : 'bob'))
    const asking = users.map((user, i) => (i % 2 === 0 ? a : b).client({ user }).orders.query())
    await Promise.all([trace.saw('lead', 2), trace.saw('follow', 2), trace.saw('join', 16)])
    gate.open()
    const answers = await Promise.all(asking)
    for (const [i, answer] of answers.entries()) expect(answer).toMatch(new RegExp(`^orders of ${users[i]} by`))
    expect([...runs].sort()).toEqual(['orders of ann', 'orders of bob'])
    await expect(a.client().orders.query()).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED' } })
  })

  test('null is the same for everybody, and so is one string', async () => {
    for (const scope of [null, 'tenant 1', () => null, () => 'tenant 1'] as const) {
      const { a, b, runs } = await open(meWith(scope))
      const trace = traceOf(a.cache)
      const first = await a.client({ user: 'ann' }).me.query()
      await trace.saw('publish')
      expect(await b.client({ user: 'bob' }).me.query()).toBe(first)
      expect(runs).toEqual(['user ann'])
    }
  })

  test('a scope named null is not null', async () => {
    const { a, runs } = await open(meWith(({ ctx }) => ctx.user ?? null))
    await a.client().me.query()
    await a.client({ user: 'null' }).me.query()
    expect(runs).toHaveLength(2)
  })

  test('the function is given the context, the input and the path', async () => {
    const asked: unknown[] = []
    const { a } = await open(
      meWith(({ ctx, input, path }) => {
        asked.push([ctx.user, input, path])
        return null
      }),
    )
    await a.client({ user: 'ann' }).me.query()
    expect(asked).toEqual([['ann', undefined, 'me']])
  })

  test.each<[string, unknown, string]>([
    ['a function that gives undefined', () => undefined, 'scope gave undefined'],
    ['a function that gives an empty string', () => '', 'scope gave an empty string'],
    ['a function that gives a number', () => 7, 'scope gave a number:'],
    ['a promise', async () => 'ann', 'scope gave a promise'],
    ['a promise that rejects', () => Promise.reject(new Error('no account')), 'scope gave a promise'],
    [
      'a function that throws',
      () => {
        throw new Error('no account')
      },
      'scope failed: no account',
    ],
  ])('%s as scope: uncached, and one bypass event', async (_what, scope, reason) => {
    const { a, runs } = await open(meWith(scope as never))
    const trace = traceOf(a.cache)
    for (const user of ['ann', 'bob']) expect(await a.client({ user }).me.query()).toMatch(new RegExp(`^user ${user}`))
    expect(runs).toHaveLength(2)
    expect(trace.events).toEqual(
      Array.from({ length: 2 }, () => ({
        type: 'bypass',
        what: 'tRPC query me',
        reason: expect.stringContaining(reason),
      })),
    )
  })
})
