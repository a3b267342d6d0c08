import { once } from 'node:events'
import { TRPCClientError } from '@trpc/client'
import { initTRPC, TRPCError } from '@trpc/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, type Twins, t, useTwins } from './twins.ts'

const failingOf = ({ cache, run }: Bench) =>
  t.router({
    trpc: t.procedure
      .input(z.enum(['NOT_FOUND', 'TOO_MANY_REQUESTS', 'UNAUTHORIZED', 'FORBIDDEN']))
      .use(cached({ cache, scope: null }))
      .query(async ({ input }) => {
        throw new TRPCError({ code: input, message: await run(input) })
      }),
    plain: t.procedure.use(cached({ cache, scope: null })).query(async () => {
      throw new RangeError(await run('plain'))
    }),
    aborts: t.procedure.use(cached({ cache, scope: null })).query(async ({ ctx, signal }) => {
      const served = await run('aborts')
      if (ctx.user !== 'leaver') return served
      // As `fetch` and database clients do that were given the signal.
      if (signal?.aborted !== true) await once(signal as AbortSignal, 'abort')
      throw signal?.reason
    }),
  })

type Failing = ReturnType<typeof failingOf>

describe.each(STORES)('errors of tRPC procedures, over $name', ({ make }) => {
  const open = useTwins(make)

  test.each([
    ['NOT_FOUND', 404],
    ['TOO_MANY_REQUESTS', 429],
  ] as const)('%s reaches those who wait in both instances with its code, and is not stored', async (code, status) => {
    const twins = await open(failingOf)
    const failures = await failuresOfFour(twins, (client) => client.trpc.query(code))
    expect(failures.map(({ message }) => message)).toEqual(Array.from({ length: 4 }, () => `${code} by A1`))
    expect(failures.map(({ data }) => [data?.code, data?.httpStatus, data?.path])).toEqual(
      Array.from({ length: 4 }, () => [code, status, 'trpc']),
    )
    expect(twins.errors.map((error) => [error.constructor, error.code])).toEqual(
      Array.from({ length: 4 }, () => [TRPCError, code]),
    )
    await expect(twins.b.client().trpc.query(code)).rejects.toThrow(`${code} by B2`)
  })

  test('an error that is no TRPCError is an INTERNAL_SERVER_ERROR for all', async () => {
    const failures = await failuresOfFour(await open(failingOf), (client) => client.plain.query())
    expect(failures.map(({ message, data }) => [message, data?.code])).toEqual(
      Array.from({ length: 4 }, () => ['plain by A1', 'INTERNAL_SERVER_ERROR']),
    )
  })

  test.each(['UNAUTHORIZED', 'FORBIDDEN'] as const)(
    '%s is told to nobody else: who waits asks for itself',
    async (code) => {
      const twins = await open(failingOf)
      const failures = await failuresOfFour(twins, (client) => client.trpc.query(code))
      expect(failures.map(({ data }) => data?.code)).toEqual(Array.from({ length: 4 }, () => code))
      const own = failures.map(({ message }) => message)
      expect(own.filter((message) => message === `${code} by A1`)).toHaveLength(1)
      expect(new Set(own).size).toBe(4)
    },
  )

  test('the abort of a procedure whose client left is told to nobody else', async () => {
    const { a, b, gate } = await open(failingOf)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const away = new AbortController()
    const led = a.client({ user: 'leaver' }).aborts.query(undefined, { signal: away.signal })
    await gate.holds(1)
    const others = [a.client().aborts.query(), b.client().aborts.query()]
    await Promise.all([trace.saw('join'), trace.saw('follow')])
    away.abort()
    await expect(led).rejects.toThrow(/abort/i)
    gate.open()
    for (const answer of await Promise.all(others)) expect(answer).toMatch(/^aborts by/)
  })

  test('the leader’s own client gets the error as it is, with its cause for errorFormatter', async () => {
    const formatted = initTRPC.context<Context>().create({
      errorFormatter: ({ shape, error }) => ({ ...shape, cause: error.cause?.message }),
    })
    const { a } = await open(({ cache }) =>
      formatted.router({
        fails: formatted.procedure.use(cached({ cache, scope: null })).query(() => {
          throw new TRPCError({ code: 'CONFLICT', message: 'taken', cause: new Error('by ann') })
        }),
      }),
    )
    await expect(a.client().fails.query()).rejects.toMatchObject({ message: 'taken', shape: { cause: 'by ann' } })
  })
})

describe.each(STORES)('errors of parsers behind the cache, over $name', ({ make }) => {
  const open = useTwins(make)
  const formatted = initTRPC.context<Context>().create({
    errorFormatter: ({ shape, error }) => ({
      ...shape,
      data: { ...shape.data, issues: error.cause instanceof z.ZodError ? error.cause.issues.length : undefined },
    }),
  })
  const parsing = ({ cache, run }: Bench) => {
    const query = formatted.procedure.use(cached({ cache, scope: null }))
    const slow = async (what: string) => {
      await run(what)
      return false
    }
    return formatted.router({
      input: query.input(z.string().refine(() => slow('input'))).query(() => 'x'),
      output: query.output(z.string().refine(() => slow('output'))).query(() => 'x'),
    })
  }

  test.each([
    ['input', 'BAD_REQUEST'],
    ['output', 'INTERNAL_SERVER_ERROR'],
  ] as const)('%s: the issues are formatted in both instances', async (path, code) => {
    const { a, b, gate } = await open(parsing)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const asking = [a, a, b, b].map(({ client }) => client()[path].query('x' as never))
    await Promise.all([gate.holds(1), trace.saw('join', 2), trace.saw('follow')])
    gate.open()
    for (const failed of await Promise.allSettled(asking))
      expect(failed).toMatchObject({ status: 'rejected', reason: { data: { code, issues: 1 } } })
    expect(trace.of('lead')).toHaveLength(1)
    expect(trace.of('alone')[0]).toMatchObject({ reason: 'unshareable' })
  })
})

describe('while Redis is away, tRPC', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis[Symbol.asyncDispose]())
  const open = useTwins(() => redisStore(redis.url))

  test('answers each caller, and tells the fault', async () => {
    const { a, b, runs } = await open(({ cache, run }) =>
      t.router({ now: t.procedure.use(cached({ cache, scope: null })).query(() => run('now')) }),
    )
    const trace = traceOf(a.cache, b.cache)
    await a.client().now.query()
    await trace.saw('publish')
    await redis.kill()
    for (const twin of [a, b, a]) expect(await twin.client().now.query()).toMatch(/^now by/)
    expect(runs).toHaveLength(4)
    expect(trace.of('alone').map(({ reason }) => reason)).toEqual(['store', 'store', 'store'])
    expect(trace.of('storeFault').length).toBeGreaterThan(0)
  })
})

type Failure = { message: string; data: { code: string; httpStatus: number; path?: string } | null | undefined }

/** One leads at A, two join it there, one follows at B; what each of the four is told. */
async function failuresOfFour(
  { a, b, gate }: Twins<Failing>,
  ask: (client: ReturnType<Twins<Failing>['a']['client']>) => Promise<unknown>,
): Promise<Failure[]> {
  const trace = traceOf(a.cache, b.cache)
  gate.shut()
  const asking = [ask(a.client())]
  await gate.holds(1)
  for (const twin of [a, a, b]) asking.push(ask(twin.client()))
  await Promise.all([trace.saw('join', 2), trace.saw('follow')])
  gate.open()
  return (await Promise.allSettled(asking)).map((settled) => {
    if (settled.status === 'fulfilled') throw new Error(`it answered ${String(settled.value)}`)
    if (!(settled.reason instanceof TRPCClientError)) throw settled.reason
    return settled.reason as Failure
  })
}
