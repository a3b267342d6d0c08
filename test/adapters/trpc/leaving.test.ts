import { TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { PATIENT } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, t, useTwins } from './twins.ts'

const routerOf = ({ cache, run }: Bench) =>
  t.router({
    quick: t.procedure.use(cached({ cache, scope: null })).query(() => 'quick'),
    slow: t.procedure
      .input((given) => String(given))
      .use(cached({ cache, scope: null }))
      .query(({ input }) => run(`slow ${input}`)),
  })

describe.each(STORES)('a client that leaves, over $name', ({ make }) => {
  const open = useTwins(make)

  test('in the middle of a stream leaves each flight of it; who waits for one of them is answered', async () => {
    const { a, b, gate, runs, errors } = await open(routerOf, { cache: PATIENT })
    const trace = traceOf(a.cache, b.cache)
    const away = new AbortController()
    const { signal } = away
    gate.shut()
    const leaver = a.client({ link: 'stream' })
    const quick = leaver.quick.query(undefined, { signal })
    const slow = ['1', '2', '3'].map((name) => leaver.slow.query(name, { signal }))
    expect(await quick).toBe('quick') // the others are on their way yet
    await gate.holds(3)
    const others = [a, b].map((twin) => twin.client({ link: 'stream' }).slow.query('2'))
    await Promise.all([trace.saw('join'), trace.saw('follow')])
    away.abort()
    for (const { status } of await Promise.allSettled(slow)) expect(status).toBe('rejected')
    await expect.poll(() => a.cache.stats().flights).toBe(1)
    await expect.poll(() => errors.map(({ code }) => code)).toEqual(Array(3).fill('CLIENT_CLOSED_REQUEST'))
    gate.open()
    expect(await Promise.all(others)).toEqual(['slow 2 by A2', 'slow 2 by A2'])
    await expect.poll(() => a.cache.stats().flights + b.cache.stats().flights).toBe(0)
    expect(runs).toHaveLength(3)
  })

  test('on the server is told so, with its reason', async () => {
    const { a, gate } = await open(routerOf, { cache: PATIENT })
    gate.shut()
    const away = new AbortController()
    const asked = a.router.createCaller({ user: undefined }, { signal: away.signal }).slow('1')
    await gate.holds(1)
    away.abort(new Error('gone'))
    const error = await asked.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TRPCError)
    expect(error).toMatchObject({ code: 'CLIENT_CLOSED_REQUEST', message: 'gone', cause: away.signal.reason })
    gate.open()
  })
})
