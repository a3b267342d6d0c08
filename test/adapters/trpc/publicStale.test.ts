import { TRPCError } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { afterEach, expect, inject, test } from 'vitest'
import { cached, publicQueries } from '../../../src/adapters/trpc/index.ts'
import { type CacheOptions, createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { settled } from '../graphql/market.ts'
import { serveHttp } from '../http.ts'
import { traceOf } from '../trace.ts'
import { get } from './freshBench.ts'
import { t } from './twins.ts'

const HOUR = 3_600_000
const open: AsyncDisposable[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
})

/** Two instances that answer by bytes; `asked` has what tRPC was asked for. */
async function openPair(options: CacheOptions) {
  const namespace = testNamespace('public-stale')
  const asked: string[] = []
  const world = { ttl: 60_000, fails: false, runs: 0 }
  async function openOne() {
    const cache = createCache({ commandTimeout: 5000, ...options, store: redisStore(inject('redisUrl')), namespace })
    open.push(cache)
    await cache.ready()
    const router = t.router({
      thing: t.procedure.use(cached({ cache, scope: null, ttl: () => world.ttl })).query(() => {
        world.runs++
        if (world.fails) throw new TRPCError({ code: 'INTERNAL_SERVER_ERROR', message: 'it is down' })
        return `thing ${world.runs}`
      }),
    })
    const handler = createHTTPHandler({
      router,
      createContext({ req }) {
        asked.push(req.url ?? '')
        return { user: undefined }
      },
    })
    const handle = publicQueries({ cache, router, paths: ['thing'], maxAge: 10, staleIfError: 30 }).node(handler)
    const server = await serveHttp(handle)
    open.push(server)
    return { url: server.url, cache }
  }
  const [a, b] = [await openOne(), await openOne()]
  return { a, b, asked, world, trace: traceOf(a.cache, b.cache) }
}

test.each<[string, CacheOptions]>([
  ['negative', { negativeTtl: 0, isNegative: (value) => typeof value === 'object' }],
  ['failed', { errorTtl: HOUR }],
  ['stale', { staleWhileRevalidate: HOUR, staleIfError: HOUR, softTimeout: 1 }],
  ['early', { earlyRefresh: { beta: 1000 } }],
])('what createCache says of %s values is not said of whole answers', async (_what, options) => {
  const { a, b, asked, trace } = await openPair(options)
  const first = await get(a, 'thing')
  await settled(a.cache)
  expect(first).toMatchObject({ control: 'public, max-age=10, stale-if-error=30' })
  expect(await get(b, 'thing')).toMatchObject({
    data: first.data,
    status: expect.stringMatching(/^atomcache; hit; ttl=(60|5\d)$/),
  })
  expect(asked).toHaveLength(1)
  expect(trace.of('policyError')).toEqual([])
})

test('a stale answer of a procedure does not become a fresh one for everybody', async () => {
  const { a, b, asked, world, trace } = await openPair({ staleIfError: HOUR })
  world.ttl = 20
  const first = await get(a, 'thing')
  await settled(a.cache)
  world.fails = true
  while (trace.of('stale').length === 0) expect((await get(b, 'thing')).data).toBe(first.data)
  const before = asked.length
  for (const twin of [a, b, a]) {
    const said = await get(twin, 'thing')
    expect(said).toMatchObject({ code: 200, data: first.data })
    expect(said.status ?? '').not.toContain('atomcache')
    expect(said.control ?? '').not.toContain('max-age')
  }
  expect(asked).toHaveLength(before + 3) // none was kept
})

test('while it is revalidated tRPC answers, and then the bytes are kept again', async () => {
  const { a, b, asked, world, trace } = await openPair({ staleWhileRevalidate: HOUR })
  world.ttl = 20
  await get(a, 'thing')
  await settled(a.cache)
  world.ttl = 60_000
  while (trace.of('stale').length === 0) await get(b, 'thing')
  let said = await get(b, 'thing')
  while (!said.status?.includes('atomcache')) said = await get(b, 'thing')
  expect(said.data).toBe('thing 2')
  await settled(a.cache, b.cache)
  const before = asked.length
  for (const twin of [a, b]) {
    expect(await get(twin, 'thing')).toMatchObject({
      data: 'thing 2',
      status: expect.stringContaining('atomcache; hit'),
    })
  }
  expect(asked).toHaveLength(before)
  expect(world.runs).toBe(2)
})

test('a failure is not kept for everybody where errors are stored', async () => {
  const { a, b, world, trace } = await openPair({ errorTtl: HOUR })
  world.fails = true
  expect((await get(a, 'thing')).code).toBe(500)
  await trace.saw('publish')
  expect((await get(b, 'thing')).code).toBe(500)
  expect(world.runs).toBe(1)
  expect(trace.of('publish')).toHaveLength(1) // the procedure's
  await a.cache.invalidate({ tags: ['trpc:thing'] })
  world.fails = false
  expect((await get(b, 'thing')).data).toBe('thing 2')
})

test('an answer that is made of an older one is as old as that', async () => {
  const { a, b, world } = await openPair({})
  await get(a, 'thing')
  await settled(a.cache)
  while (((await get(b, 'thing')).age ?? 0) < 1);
  const said = await get(b, 'thing,thing?batch=1&input={}')
  expect(said.data).toEqual(['thing 1', 'thing 1'])
  expect(said.status).toMatch(/^atomcache; fwd=miss; stored; ttl=5\d$/)
  expect(said.age).toBeGreaterThanOrEqual(1)
  expect(said.control).toBe(`public, max-age=${10 + (said.age ?? 0)}, stale-if-error=30`)
  expect(world.runs).toBe(1)
})
