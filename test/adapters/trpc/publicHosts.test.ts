import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import express from 'express'
import { fastify } from 'fastify'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cacheContext, cached, cacheHeaders, publicQueries } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { createGate } from '../gate.ts'
import { type HttpServer, serveHttp } from '../http.ts'

const t = initTRPC.create()

function openShop() {
  const cache = createCache()
  const contexts: string[] = []
  const router = t.router({
    product: t.router({ first: t.procedure.use(cached({ cache, scope: null, ttl: 60_000 })).query(() => 'Apple') }),
    plain: t.procedure.query(() => 'plain'),
    change: t.procedure.mutation(() => 'changed'),
  })
  const createContext = ({ req }: { req: { url?: string | undefined } }) => {
    contexts.push(String(req.url))
    return {}
  }
  const answers = (basePath: string) => publicQueries({ cache, router, paths: ['product.first'], basePath, maxAge: 10 })
  return { cache, contexts, router, createContext, answers, [Symbol.asyncDispose]: () => cache.close() }
}
type Shop = ReturnType<typeof openShop>

const HOSTS: Record<string, (shop: Shop) => Promise<HttpServer>> = {
  async 'around an Express application'({ router, createContext, answers }) {
    const app = express().use('/trpc', createExpressMiddleware({ router, createContext }))
    return serveHttp(answers('/trpc').node(app))
  },
  async 'in an Express application'({ router, createContext, answers }) {
    const listener = createHTTPHandler({ router, createContext })
    return serveHttp(express().use('/trpc', answers('/').node(listener)))
  },
  async 'around Fastify'({ router, createContext, answers }) {
    const app = fastify({
      forceCloseConnections: true,
      serverFactory: (handler) => createServer(answers('/trpc').node(handler)),
    })
    app.register(fastifyTRPCPlugin, { prefix: '/trpc', trpcOptions: { router, createContext } })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { url, [Symbol.asyncDispose]: () => app.close() }
  },
}

describe.each(Object.entries(HOSTS))('public queries %s', (_host, serve) => {
  test('are answered with bytes, and all others by tRPC', async () => {
    await using shop = openShop()
    await using server = await serve(shop)
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${server.url}/trpc/${path}`, { headers })
      const [status, etag] = ['cache-status', 'etag'].map((name) => response.headers.get(name))
      return { code: response.status, status, etag, text: await response.text() }
    }
    const first = await get('product.first')
    expect(first).toMatchObject({ code: 200, status: 'atomcache; fwd=miss; stored; ttl=60' })
    expect(JSON.parse(first.text)).toEqual({ result: { data: 'Apple' } })
    const hit = { ...first, status: expect.stringMatching(/^atomcache; hit; ttl=/) }
    expect(await get('product.first')).toEqual(hit)
    expect(await get('product.first', { 'if-none-match': String(first.etag) })).toEqual({ ...hit, code: 304, text: '' })
    expect(shop.contexts).toHaveLength(1)
    expect(await get('plain')).toMatchObject({ code: 200, status: null, text: expect.stringContaining('plain') })
    expect((await get('product.none')).code).toBe(404)
    const changed = await fetch(`${server.url}/trpc/change`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    })
    expect(await changed.json()).toEqual({ result: { data: 'changed' } })
    expect((await fetch(server.url)).status).toBe(404)
  })
})

describe('public queries, and what stands around them', () => {
  type Around = (listener: RequestListener) => RequestListener
  async function openServer(
    shop: Shop,
    { front = (listener) => listener, behind = (listener) => listener }: { front?: Around; behind?: Around },
  ) {
    const { router, createContext } = shop
    const server = await serveHttp(front(shop.answers('/').node(behind(createHTTPHandler({ router, createContext })))))
    const get = (headers: Record<string, string> = {}) => fetch(`${server.url}/product.first`, { headers })
    return { get, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  }

  test('what CORS in front of them says stays: other origins have other answers', async () => {
    await using shop = openShop()
    await using server = await openServer(shop, {
      front: (listener) => (request, response) => {
        response.setHeader('access-control-allow-origin', String(request.headers.origin)).setHeader('vary', 'Origin')
        listener(request, response)
      },
    })
    for (const origin of ['https://a.example', 'https://b.example']) {
      const { headers } = await server.get({ origin })
      expect(['access-control-allow-origin', 'cache-control', 'vary'].map((name) => headers.get(name))).toEqual([
        origin,
        'public, max-age=10',
        'Origin, trpc-accept, accept',
      ])
    }
    expect(shop.contexts).toHaveLength(1)
  })

  test('an answer with a cookie of its client is never public, whoever sets it', async () => {
    let visitors = 0
    const setCookie = (response: ServerResponse) => response.setHeader('set-cookie', `visitor=${++visitors}`)
    const front: Around = (listener) => (request, response) => {
      setCookie(response)
      listener(request, response)
    }
    /** As sessions do: when the head of the answer is written. */
    const behind: Around = (listener) => (request: IncomingMessage, response) => {
      const { writeHead } = response
      let set = false
      response.writeHead = function hooked(this: ServerResponse, ...args: never[]) {
        if (!set) setCookie(response)
        set = true
        return writeHead.apply(this, args as never)
      } as never
      listener(request, response as never)
    }
    for (const around of [{ front }, { behind }]) {
      await using shop = openShop()
      await using server = await openServer(shop, around)
      visitors = 0
      for (const visitor of [1, 2]) {
        const response = await server.get()
        expect(response.headers.get('set-cookie')).toBe(`visitor=${visitor}`)
        expect(response.headers.get('cache-control') ?? '').not.toContain('public')
        expect(await response.json()).toEqual({ result: { data: 'Apple' } })
      }
    }
  })

  test('a listener that throws is not asked twice, and its client is told at once', async () => {
    await using shop = openShop()
    let asked = 0
    await using server = await openServer(shop, {
      behind: (listener) => (request, response) => {
        if (++asked === 1) throw new Error('of the listener')
        listener(request, response)
      },
    })
    await expect(server.get()).rejects.toThrow('fetch failed')
    expect(asked).toBe(1)
    expect((await server.get()).status).toBe(200)
  })

  test('a handler of Requests that rejects is not asked twice; the fields of one that answers stay', async () => {
    await using shop = openShop()
    const { router } = shop
    let asked = 0
    const handle = shop.answers('/').fetch(async (req) => {
      if (++asked === 1) throw new Error('of the handler')
      const responseMeta = () => ({ headers: new Headers({ 'x-own': 'yes', vary: 'Origin' }) })
      return fetchRequestHandler({ endpoint: '/', req, router, responseMeta })
    })
    const get = () => handle(new Request('http://localhost/product.first'))
    await expect(get()).rejects.toThrow('of the handler')
    expect(asked).toBe(1)
    const { headers } = await get()
    expect(['x-own', 'vary'].map((name) => headers.get(name))).toEqual(['yes', 'trpc-accept, accept, Origin'])
    expect((await get()).headers.get('cache-status')).toMatch(/^atomcache; hit/)
  })

  test('cacheHeaders beside them says nothing against them', async () => {
    await using shop = openShop()
    const { router } = shop
    let contexts = 0
    const createContext = () => ({ ...cacheContext(), count: ++contexts })
    const listener = createHTTPHandler({ router, createContext, responseMeta: cacheHeaders() })
    await using server = await serveHttp(shop.answers('/').node(listener))
    for (const _ of [1, 2]) await (await fetch(`${server.url}/product.first`)).text()
    expect(contexts).toBe(1)
  })

  test('a query that reads its input behind its cache and asks another one is not kept in the name of that', async () => {
    await using cache = createCache()
    const open = () => cached({ cache, scope: null, ttl: 60_000 })
    let version = 1
    const other = t.router({ inner: t.procedure.use(open()).query(() => 'inner') })
    const router = t.router({
      outer: t.procedure
        .input(z.object({ id: z.string().optional() }).default({}))
        .use(open())
        .input(z.object({ more: z.string().optional() }).default({}))
        .query(async () => `${await other.createCaller({}).inner()} ${version}`),
    })
    const listener = createHTTPHandler({ router })
    await using server = await serveHttp(publicQueries({ cache, router, paths: ['outer'] }).node(listener))
    const get = async () => (await fetch(`${server.url}/outer`)).json()
    expect(await get()).toEqual({ result: { data: 'inner 1' } })
    version = 2
    await cache.invalidate({ tags: ['trpc:outer'] })
    expect(await get()).toEqual({ result: { data: 'inner 2' } })
  })

  test('paths with another separator are known', async () => {
    await using cache = createCache()
    const slashed = initTRPC.create({ pathSeparator: '~' })
    const first = slashed.procedure.use(cached({ cache, scope: null, ttl: 60_000 })).query(() => 'Apple')
    const router = slashed.router({ product: slashed.router({ first }) })
    const listener = createHTTPHandler({ router })
    await using server = await serveHttp(publicQueries({ cache, router, paths: ['product.first'] }).node(listener))
    const get = async () => (await fetch(`${server.url}/product~first`)).headers.get('cache-status')
    expect([await get(), await get()]).toEqual(['atomcache; fwd=miss; stored; ttl=60', expect.stringContaining('hit')])
  })

  test('an answer that was invalidated on its way is not announced as one that may be kept', async () => {
    await using shop = openShop()
    const gate = createGate()
    await using server = await openServer(shop, {
      behind: (listener) => (request, response) => {
        const { end } = response
        response.end = function held(this: ServerResponse, ...args: never[]) {
          void gate.pass().then(() => end.apply(response, args as never))
          return response
        } as never
        listener(request, response)
      },
    })
    gate.shut()
    const asked = server.get()
    await gate.holds(1)
    await shop.cache.invalidate({ tags: ['trpc:product.first'] })
    gate.open()
    const { headers } = await asked
    expect(['cache-control', 'cache-status', 'etag'].map((name) => headers.get(name))).toEqual([null, null, null])
    const next = await server.get()
    expect(next.headers.get('cache-status')).toBe('atomcache; fwd=miss; stored; ttl=60')
  })
})
