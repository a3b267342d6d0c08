import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { AnyRouter, TRPCError } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { incomingMessageToRequest } from '@trpc/server/adapters/node-http'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import express from 'express'
import { fastify } from 'fastify'
import { type HttpServer, serveHttp } from '../http.ts'

/** What a server is made of. */
export interface Served {
  readonly router: AnyRouter
  createContext(headers: IncomingHttpHeaders): object
  onError(options: { readonly error: TRPCError }): void
}

const PATH = '/trpc'

/** The adapters of tRPC, each in a real server; the URL is that of the router. */
export const HOSTS: Readonly<Record<string, (served: Served) => Promise<HttpServer>>> = {
  async standalone({ router, createContext, onError }) {
    const handler = createHTTPHandler({
      router,
      basePath: `${PATH}/`,
      createContext: ({ req }) => createContext(req.headers),
      onError,
    })
    return at(await serveHttp(handler))
  },

  async fetch({ router, createContext, onError }) {
    const server = await serveHttp(async (request, response) => {
      const answer = await fetchRequestHandler({
        endpoint: PATH,
        req: incomingMessageToRequest(request, response, { maxBodySize: null }),
        router,
        createContext: ({ req }) => createContext(Object.fromEntries(req.headers)),
        onError,
      })
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.flushHeaders()
      const body = answer.body === null ? Readable.from([]) : Readable.fromWeb(answer.body as ReadableStream)
      await pipeline(body, response).catch(() => response.destroy()) // a client that is gone ends it too
    })
    return at(server)
  },

  async Express({ router, createContext, onError }) {
    const app = express()
    app.use(PATH, createExpressMiddleware({ router, createContext: ({ req }) => createContext(req.headers), onError }))
    return at(await serveHttp(app))
  },

  async Fastify({ router, createContext, onError }) {
    const app = fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 5_000 } })
    app.register(fastifyTRPCPlugin, {
      prefix: PATH,
      trpcOptions: {
        router,
        createContext: ({ req }: { req: { headers: IncomingHttpHeaders } }) => createContext(req.headers),
        onError,
      },
    })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return at({ url, [Symbol.asyncDispose]: () => app.close() })
  },
}

function at(server: HttpServer): HttpServer {
  return { url: `${server.url}${PATH}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
