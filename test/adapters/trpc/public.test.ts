import { once } from 'node:events'
import { type IncomingMessage, type RequestListener, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { createTRPCClient, httpBatchLink } from '@trpc/client'
import { initTRPC, TRPCError } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { z } from 'zod'
import { cached, invalidates, publicQueries } from '../../../src/adapters/trpc/index.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { createGate } from '../gate.ts'
import { serveHttp } from '../http.ts'
import { traceOf } from '../trace.ts'

interface Context {
  readonly user: string | undefined
}

const t = initTRPC.context<Context>().create()
const PATHS = ['product', 'products', 'fails', 'cookie']

function routerOf(cache: Cache, run: (what: string) => Promise<string>) {
  const query = t.procedure
    .input(z.object({ id: z.string() }))
    .use(cached({ cache, ttl: 60_000, scope: null, tags: ({ input }) => [`Product:${input.id}`] }))
  const all = t.procedure.use(cached({ cache, ttl: 60_000, scope: null, tags: ['Product:1', 'Product:2'] }))
  return t.router({
    product: query.query(({ input }) => run(`product ${input.id}`)),
    products: all.query(() => run('products')),
    cookie: all.query(() => run('cookie')),
    fails: all.query(async () => {
      throw new TRPCError({ code: 'CONFLICT', message: await run('fails') })
    }),
    mine: t.procedure
      .use(cached({ cache, ttl: 60_000, scope: ({ ctx }) => ctx.user }))
      .query(({ ctx }) => run(`mine ${ctx.user}`)),
    rename: t.procedure
      .input(z.object({ id: z.string() }))
      .use(invalidates({ cache, tags: ({ input }) => [`Product:${input.id}`] }))
      .mutation(({ input }) => run(`rename ${input.id}`)),
  })
}
type Router = ReturnType<typeof routerOf>

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

const open: AsyncDisposable[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
})

type Serve = (router: Router, cache: Cache, context: (authorization: string | undefined) => Context) => RequestListener

const SERVERS: { server: string; serve: Serve }[] = [
  {
    server: 'standalone',
    serve: (router, cache, context) =>
      publicQueries({ cache, router, paths: PATHS, maxAge: 10 }).node(
        createHTTPHandler({
          router,
          createContext: ({ req }) => context(req.headers.authorization),
          responseMeta: ({ paths }) => (paths?.includes('cookie') ? { headers: { 'set-cookie': 'a=b' } } : {}),
        }),
      ),
  },
  {
    server: 'fetch',
    serve: (router, cache, context) => {
      const handle = publicQueries({ cache, router, paths: PATHS, maxAge: 10 }).fetch((req) =>
        fetchRequestHandler({
          endpoint: '/',
          req,
          router,
          createContext: () => context(req.headers.get('authorization') ?? undefined),
          responseMeta: ({ paths }) => (paths?.includes('cookie') ? { headers: { 'set-cookie': 'a=b' } } : {}),
        }),
      )
      return async (incoming, response) => {
        const body = incoming.method === 'POST' ? await buffer(incoming) : null
        const headers = new Headers(
          Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]),
        )
        const answer = await handle(
          new Request(`http://localhost${incoming.url}`, { method: incoming.method ?? 'GET', headers, body }),
        )
        response
          .writeHead(answer.status, Object.fromEntries(answer.headers))
          .end(Buffer.from(await answer.arrayBuffer()))
      }
    },
  },
]

describe.each(SERVERS)('public queries, by $server', ({ serve }) => {
  async function openTwins() {
    const namespace = testNamespace('public')
    const runs: string[] = []
    const contexts: unknown[] = []
    const gate = createGate()
    async function openTwin(name: string) {
      const cache = createCache({ store: redisStore(inject('redisUrl')), namespace })
      open.push(cache)
      await cache.ready()
      const router = routerOf(cache, async (what) => {
        const served = `${what} by ${name}${runs.push(what)}`
        await gate.pass()
        return served
      })
      const context = (user: string | undefined) => {
        contexts.push(user)
        return { user }
      }
      const server = await serveHttp(serve(router, cache, context))
      open.push(server)
      const get = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
        const sent = request(server.url + path, { agent: false, headers }).end()
        const [response] = (await once(sent, 'response')) as [IncomingMessage]
        return {
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: (await buffer(response)).toString(),
        }
      }
      return {
        cache,
        get,
        url: server.url,
        client: createTRPCClient<Router>({ links: [httpBatchLink({ url: server.url })] }),
      }
    }
    const [a, b] = await Promise.all([openTwin('A'), openTwin('B')])
    return { a, b, runs, contexts, gate, trace: traceOf(a.cache, b.cache) }
  }
  const path = (name: string, input?: unknown) =>
    `/${name}${input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`}`

  test('are answered with the bytes of the first answer, on both instances, and tRPC is not asked', async () => {
    const { a, b, runs, contexts, trace } = await openTwins()
    const first = await a.get(path('product', { id: '1' }))
    await trace.saw('publish', 2)
    for (const twin of [a, b]) {
      const { status, headers, text } = await twin.get(path('product', { id: '1' }), { authorization: 'ann' })
      expect([status, text]).toEqual([200, first.text])
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'public, max-age=10',
        'cache-status': expect.stringMatching(/^atomcache; hit; ttl=(59|60)$/),
        etag: first.headers.etag,
        vary: 'trpc-accept, accept',
        age: '0',
      })
      const again = await twin.get(path('product', { id: '1' }), { 'if-none-match': String(headers.etag) })
      expect([again.status, again.text, again.headers.etag]).toEqual([304, '', headers.etag])
    }
    expect(JSON.parse(first.text)).toEqual({ result: { data: 'product 1 by A1' } })
    expect(first.headers['cache-status']).toBe('atomcache; fwd=miss; stored; ttl=60')
    expect([runs, contexts]).toEqual([['product 1'], [undefined]])
  })

  test('that many ask for at once run once', async () => {
    const { a, b, runs, gate, trace } = await openTwins()
    gate.shut()
    const answers = [a, b, a, b].map((twin) => twin.get(path('products')))
    await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
    gate.open()
    const said: unknown[] = []
    for (const { text, headers } of await Promise.all(answers)) {
      expect(JSON.parse(text).result.data).toMatch(/^products by [AB]1$/)
      said.push(`${headers['cache-control']}: ${headers['cache-status']}`)
    }
    expect(runs).toEqual(['products'])
    // Who waited does not know whether it is kept.
    const followed = 'public, no-cache: atomcache; fwd=miss; collapsed'
    expect(said.sort()).toEqual([
      'public, max-age=10: atomcache; fwd=miss; stored; ttl=60',
      followed,
      followed,
      followed,
    ])
  })

  test('go with their tags: a mutation on the other instance is seen at once, in batches too', async () => {
    const { a, b, runs, trace } = await openTwins()
    const ask = (twin: typeof a) => Promise.all([twin.client.product.query({ id: '2' }), twin.client.products.query()])
    const first = await ask(a)
    await trace.saw('publish', 3)
    expect(await ask(b)).toEqual(first)
    await b.client.rename.mutate({ id: '2' })
    const second = await ask(a)
    expect(second).toEqual(
      ['product 2', 'products'].map((what) => expect.stringMatching(new RegExp(`^${what} by A[45]$`))),
    )
    expect([...runs].sort()).toEqual(['product 2', 'product 2', 'products', 'products', 'rename 2'])
  })

  test('failures, cookies, and all that is not public are tRPC’s affair', async () => {
    const { a, runs, contexts } = await openTwins()
    for (const _ of [1, 2]) {
      expect((await a.get(path('fails'))).status).toBe(409)
      expect((await a.get(path('cookie'))).headers['set-cookie']).toEqual(['a=b'])
      expect((await a.get(path('mine'), { authorization: 'ann' })).text).toContain('mine ann')
      expect((await a.get('/product,mine?batch=1&input={"0":{"id":"7"}}', { authorization: 'bob' })).text).toContain(
        'mine bob',
      )
      expect((await a.get(path('product', { id: 7 }))).status).toBe(400)
      expect((await a.get('/nothing')).status).toBe(404)
      expect((await a.get('/products?batch=1', { 'trpc-accept': 'application/jsonl' })).headers.etag).toBeUndefined()
    }
    expect(contexts).toHaveLength(14)
    expect([...runs].sort()).toEqual(['cookie', 'fails', 'fails', 'mine ann', 'mine bob', 'product 7', 'products'])
  })

  test('whose first client leaves are answered to the others', async () => {
    const { a, b, gate, trace } = await openTwins()
    gate.shut()
    const sent = request(a.url + path('products'), { agent: false }).end()
    sent.on('error', () => undefined)
    await gate.holds(1)
    const other = b.get(path('products'))
    await trace.saw('follow')
    sent.destroy()
    gate.open()
    expect(JSON.parse((await other).text).result.data).toMatch(/^products by/)
  })
})

describe('the options of publicQueries', () => {
  const cache = createCache()
  const open_ = t.procedure.use(cached({ cache, scope: null }))
  const auth = t.middleware(function signedIn({ ctx, next }) {
    if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
    return next()
  })
  const router = t.router({
    open: open_.query(() => 1),
    guarded: t.procedure
      .use(auth)
      .use(cached({ cache, scope: null }))
      .query(() => 1),
    own: t.procedure.use(cached({ cache, scope: 'tenant' })).query(() => 1),
    varied: t.procedure.use(cached({ cache, scope: null, vary: ({ ctx }) => ctx.user })).query(() => 1),
    both: t.procedure
      .use(cached({ cache, scope: 'tenant' }))
      .use(cached({ cache, scope: null }))
      .query(() => 1),
    elsewhere: t.procedure.use(cached({ cache: createCache(), scope: null })).query(() => 1),
    plain: t.procedure.query(() => 1),
    change: open_.mutation(() => 1),
  })

  test.each([
    ['guarded', 'guarded: before its cache stands signedIn'],
    ['own', 'own: it has no cache with `scope: null`'],
    ['varied', 'varied: it has no cache with `scope: null`, and neither key, vary nor enabled'],
    ['both', 'both: before its cache stands'],
    ['elsewhere', 'elsewhere: it has another cache: give publicQueries that one'],
    ['plain', 'plain: it has no cache'],
    ['change', 'change: there is no such query'],
    ['toString', 'toString: there is no such query'],
  ])('refuse the path %s', (path, message) => {
    expect(() => publicQueries({ cache, router, paths: ['open', path] })).toThrow(message)
  })

  test.each([
    [{ paths: [] }, /^publicQueries needs paths/],
    [{ paths: undefined }, /^publicQueries needs paths/],
    [{ maxAge: -1 }, 'maxAge must be at least 0 (s), got -1'],
    [{ basePath: 5 }, "basePath must be a path such as '/trpc', got 5"],
    [{ path: ['open'] }, 'publicQueries has no option "path"'],
  ])('refuse %j', (bad, message) => {
    expect(() => publicQueries({ cache, router, paths: ['open'], ...bad } as never)).toThrow(message)
  })
})
