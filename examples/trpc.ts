// Query procedures, computed once over all instances; examples/trpcClient.ts asks them.
//   curl 'localhost:4000/product.byId?input=%7B%22id%22%3A%2242%22%7D'
//   curl localhost:4000/orders -H 'authorization: ann'
import { initTRPC, TRPCError } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { assertCacheOrder, cached, invalidates } from 'atomcache/trpc'
import { z } from 'zod'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({ namespace: 'trpc', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })
const t = initTRPC.context<{ user?: string | undefined }>().create()
const signedIn = t.procedure.use(({ ctx: { user }, next }) => {
  if (user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
  return next({ ctx: { user } })
})
const router = t.router({
  product: t.router({
    byId: t.procedure
      .input(z.object({ id: z.string() }))
      .use(cached({ cache, ttl: 60_000, scope: null, tags: ({ input }) => [`Product:${input.id}`] }))
      .query(({ input }) => `Product ${input.id}, ${Math.random()}`),
    rename: signedIn
      .input(z.object({ id: z.string(), name: z.string() }))
      .use(invalidates({ cache, tags: ({ input }) => [`Product:${input.id}`] })) // before the answer leaves
      .mutation(({ input }) => input),
  }),
  orders: signedIn
    .use(cached({ cache, ttl: 30_000, scope: ({ ctx }) => ctx.user }))
    .query(({ ctx }) => `Orders of ${ctx.user}, ${Math.random()}`),
})
assertCacheOrder(router) // a hit skips what stands behind the cache: nothing there may refuse
export type AppRouter = typeof router

// Whatever says who asks: here a header, as a stand-in for real authentication.
const server = createHTTPServer({ router, createContext: ({ req }) => ({ user: req.headers.authorization }) })
server.listen(Number(PORT), () => console.log('listening on', server.address()))
