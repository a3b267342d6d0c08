import { TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { type CachedOptions, cached } from '../../../src/adapters/trpc/index.ts'
import { PATIENT } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, t, useTwins } from './twins.ts'

const slowWith =
  (options: Partial<CachedOptions<Context>>) =>
  ({ cache, run }: Bench) =>
    t.router({
      slow: t.procedure.use(cached({ cache, scope: null, ...options })).query(() => run('slow')),
      fails: t.procedure.use(cached({ cache, scope: null, ...options })).query(async () => {
        throw new TRPCError({ code: 'CONFLICT', message: await run('fails') })
      }),
    })

describe.each(STORES)('waiting for the answer of another call, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = async (options: Partial<CachedOptions<Context>>) => {
    const twins = await openTwins(slowWith(options), { cache: PATIENT })
    return { ...twins, trace: traceOf(twins.a.cache, twins.b.cache) }
  }

  test('after waitTimeout each instance runs the procedure, and nobody fails', async () => {
    const { a, b, gate, runs, trace } = await open({ waitTimeout: 100 })
    gate.shut()
    const asking = [a, b, a].map((twin) => twin.client().slow.query())
    await gate.holds(2)
    await trace.saw('waitTimeout', 2)
    gate.open()
    for (const answer of await Promise.all(asking)) expect(answer).toMatch(/^slow by [AB]\d$/)
    expect(runs.length).toBeLessThanOrEqual(3)
    expect(new Set(trace.of('waitTimeout').map(({ policy }) => policy))).toEqual(new Set(['load']))
  })

  test("onWaitTimeout 'throw': who has waited so long is told, and the leader is answered", async () => {
    const { a, b, gate, runs, trace, errors } = await open({ waitTimeout: 100, onWaitTimeout: 'throw' })
    gate.shut()
    const led = a.client().slow.query()
    await gate.holds(1)
    for (const twin of [a, b]) {
      await expect(twin.client().slow.query()).rejects.toMatchObject({
        message: expect.stringContaining('waited 100 ms for another caller'),
        data: { code: 'TIMEOUT', httpStatus: 408, path: 'slow' },
      })
    }
    gate.open()
    expect(await led).toBe('slow by A1')
    expect(runs).toEqual(['slow'])
    expect(trace.of('waitTimeout').map(({ policy }) => policy)).toEqual(['throw', 'throw'])
    expect(errors.map(({ code }) => code)).toEqual(['TIMEOUT', 'TIMEOUT'])
  })

  test.each<[string, Partial<CachedOptions<Context>>, boolean]>([
    ['says yes', { shareError: () => true }, true],
    ['says no', { shareError: () => false }, false],
    [
      'sees the TRPCError',
      {
        shareError: (error) =>
          error instanceof TRPCError && error.code === 'CONFLICT' && error.message === 'fails by A1',
      },
      true,
    ],
    [
      'throws',
      {
        shareError() {
          throw new Error('no idea')
        },
      },
      false,
    ],
  ])(
    'a shareError that %s: who waits in the other instance is told the error, or asks itself',
    async (_what, options, told) => {
      const { a, b, gate, runs, trace } = await open(options)
      gate.shut()
      const asking = [a.client().fails.query()]
      await gate.holds(1)
      asking.push(b.client().fails.query())
      await trace.saw('follow')
      gate.open()
      const failures = await Promise.allSettled(asking)
      const reasons = failures.map((failure) => (failure.status === 'rejected' ? failure.reason : undefined))
      expect(reasons.map(({ message, data }) => [message, data.code])).toEqual([
        ['fails by A1', 'CONFLICT'],
        [told ? 'fails by A1' : 'fails by B2', 'CONFLICT'],
      ])
      expect(runs).toHaveLength(told ? 1 : 2)
    },
  )

  test('a shareError that says yes to everything tells nobody what speaks of another one’s rights', async () => {
    const { a, b, gate, trace } = await openTwins(
      ({ cache, run }) =>
        t.router({
          refuses: t.procedure.use(cached({ cache, scope: null, shareError: () => true })).query(async () => {
            throw new TRPCError({ code: 'FORBIDDEN', message: await run('refused') })
          }),
        }),
      { cache: PATIENT },
    ).then((twins) => ({ ...twins, trace: traceOf(twins.a.cache, twins.b.cache) }))
    gate.shut()
    const asking = [a.client().refuses.query()]
    await gate.holds(1)
    asking.push(a.client().refuses.query(), b.client().refuses.query())
    await Promise.all([trace.saw('join'), trace.saw('follow')])
    gate.open()
    const failures = await Promise.allSettled(asking)
    expect(new Set(failures.map((failure) => failure.status === 'rejected' && failure.reason.message)).size).toBe(3)
  })
})
