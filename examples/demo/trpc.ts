import { createServer, type Server } from 'node:http'
import { initTRPC, TRPCError } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import type { Cache } from 'atomcache'
import { cached } from 'atomcache/trpc'
import { z } from 'zod'
import type { Countries } from './countries.ts'

const t = initTRPC.create()

function createRouter(cache: Cache, countries: Countries) {
  return t.router({
    countries: t.procedure
      .input(z.object({ region: z.string() }))
      .use(cached({ cache, ttl: 60_000, scope: null }))
      .query(({ input }) => countries.inRegion(input.region)),
    // Cached below: the Yoga servers ask for the same key.
    country: t.procedure
      .input(z.object({ code: z.string() }))
      .query(({ input }) => countries.byCode(input.code).catch(failed)),
  })
}

export type Router = ReturnType<typeof createRouter>

export function createTrpcServer(cache: Cache, countries: Countries): Server {
  return createServer(createHTTPHandler({ router: createRouter(cache, countries) }))
}

function failed(cause: Error): never {
  throw new TRPCError({ code: 'BAD_GATEWAY', message: cause.message, cause })
}
