import { TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cached, type ProcedureCacheOptions } from '../../../src/adapters/trpc/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { get } from './freshBench.ts'
import { type Bench, type Context, t, useTwins } from './twins.ts'

const MINUTE = 60_000

function routerOf({ cache, run }: Bench) {
  const find = (options: Partial<ProcedureCacheOptions<Context, { id: string }>>) =>
    t.procedure
      .input(z.object({ id: z.string() }))
      .use(cached({ cache, scope: null, ttl: MINUTE, tags: ({ input }) => [`Thing:${input.id}`], ...options }))
  return t.router({
    found: find({ negativeTtl: 5000 }).query(async ({ input }) => {
      await run('found')
      return input.id === 'none' ? null : input.id
    }),
    listed: find({
      negativeTtl: 5000,
      isNegative: ({ data, input, path }) =>
        (data as unknown[]).length === 0 && input.id === 'none' && path === 'listed',
    }).query(async ({ input }) => {
      await run('listed')
      return input.id === 'some' ? ['x'] : []
    }),
    ended: find({ negativeTtl: 0 }).query(async () => {
      await run('ended')
      return null
    }),
    missing: find({ errorTtl: MINUTE }).query(async () => {
      throw new TRPCError({ code: 'NOT_FOUND', message: await run('missing') })
    }),
    refused: find({ errorTtl: MINUTE }).query(async () => {
      throw new TRPCError({ code: 'FORBIDDEN', message: await run('refused') })
    }),
    byError: find({
      errorTtl: (error) => (error instanceof TRPCError && error.code === 'CONFLICT' ? MINUTE : 0),
    }).query(async ({ input }) => {
      throw new TRPCError({ code: input.id as 'CONFLICT', message: await run('byError') })
    }),
    plain: find({}).query(({ input }) => input.id),
    spread: find({ jitter: 1 }).query(() => run('spread')),
  })
}

const of = (path: string, id: string) => `${path}?input=${encodeURIComponent(JSON.stringify({ id }))}`

describe.each(STORES)('negative and failed answers of tRPC procedures, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = async (cache: object = {}) => {
    const twins = await openTwins(routerOf, { cache: { ...PATIENT, ...cache }, headers: { maxAge: 3600 } })
    return { ...twins, trace: traceOf(twins.a.cache, twins.b.cache) }
  }

  test.each([
    ['found', 'none', 5],
    ['found', 'x', 60],
    ['listed', 'none', 5],
    ['listed', 'some', 60],
    ['listed', 'other', 60],
  ])('%s of %s is fresh for %i seconds, and no HTTP cache has it for longer', async (path, id, seconds) => {
    const { a, b, runs, trace } = await open()
    expect(await get(a, of(path, id))).toMatchObject({
      status: `atomcache; fwd=miss; stored; ttl=${seconds}`,
      control: `public, max-age=${seconds}`,
    })
    await trace.saw('publish')
    const hit = await get(b, of(path, id))
    const ttl = Number(/^atomcache; hit; ttl=(\d+)$/.exec(hit.status ?? '')?.[1])
    expect(ttl).toBeGreaterThanOrEqual(seconds - 3)
    expect(ttl).toBeLessThanOrEqual(seconds)
    const maxAge = Number(/max-age=(\d+)/.exec(hit.control ?? '')?.[1])
    expect(maxAge - (hit.age ?? 0)).toBeLessThanOrEqual(ttl)
    expect(runs).toHaveLength(1)
  })

  test('a negativeTtl of 0 is told to who waits, and not kept', async () => {
    const { a, b, runs } = await open()
    for (const twin of [a, b]) {
      expect(await get(twin, of('ended', 'x'))).toMatchObject({ status: 'atomcache; fwd=miss', data: null })
      await settled(twin.cache)
    }
    expect(runs).toHaveLength(2)
  })

  test('what createCache says of negative values holds for answers', async () => {
    const { a } = await open({ negativeTtl: 7000, isNegative: (value: unknown) => value === 'none' })
    expect((await get(a, of('plain', 'none'))).status).toBe('atomcache; fwd=miss; stored; ttl=7')
    expect((await get(a, of('plain', 'x'))).status).toBe('atomcache; fwd=miss; stored; ttl=60')
  })

  test('an error that is stored is answered with its code in both instances, until its tag is invalidated', async () => {
    const { a, b, runs, trace } = await open()
    expect(await get(a, of('missing', 'x'))).toMatchObject({ code: 404, data: 'NOT_FOUND', control: 'no-store' })
    await trace.saw('publish')
    for (const twin of [b, a]) {
      const said = await get(twin, of('missing', 'x'))
      expect(said).toMatchObject({ code: 404, data: 'NOT_FOUND', control: 'no-store', age: expect.any(Number) })
      expect(said.status).toMatch(/^atomcache; hit; ttl=(60|5\d)$/)
    }
    await expect(b.client().missing.query({ id: 'x' })).rejects.toMatchObject({
      message: 'missing by A1',
      data: { code: 'NOT_FOUND', httpStatus: 404, path: 'missing' },
    })
    expect(runs).toHaveLength(1)
    await b.cache.invalidate({ tags: ['trpc:missing'] })
    await expect(a.client().missing.query({ id: 'x' })).rejects.toThrow('missing by A2')
  })

  test('what speaks of rights is never stored', async () => {
    const { a, b, runs } = await open()
    for (const twin of [a, b]) {
      expect((await get(twin, of('refused', 'x'))).data).toBe('FORBIDDEN')
      expect(twin.cache.stats().events.publish).toBe(0)
    }
    expect(runs).toHaveLength(2)
  })

  test('errorTtl sees the TRPCError itself', async () => {
    const { a, b, runs, trace } = await open()
    await get(a, of('byError', 'CONFLICT'))
    await trace.saw('publish')
    await get(b, of('byError', 'CONFLICT'))
    expect(runs).toHaveLength(1)
    await get(a, of('byError', 'NOT_FOUND'))
    await get(b, of('byError', 'NOT_FOUND'))
    expect(runs).toHaveLength(3)
    expect(trace.of('policyError')).toEqual([])
  })

  test('with jitter, no HTTP cache has it for longer than it is kept', async () => {
    const { a, b } = await open()
    const ttls = new Set<number>()
    for (let id = 0; id < 5; id++) {
      const said = await get(a, of('spread', String(id)))
      await settled(a.cache)
      const ttl = Number(/stored; ttl=(\d+)/.exec(said.status ?? '')?.[1] ?? 0)
      ttls.add(ttl)
      if (ttl >= 1) expect(said.control).toBe(`public, max-age=${ttl}`)
      const left = Number(/hit; ttl=(\d+)/.exec((await get(b, of('spread', String(id)))).status ?? '')?.[1] ?? 0)
      expect(left).toBeLessThanOrEqual(ttl)
    }
    expect(ttls.size).toBeGreaterThan(1)
  })
})
