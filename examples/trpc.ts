// Query procedures, computed once over all instances.
//   curl 'localhost:4000/product.byId?input=%7B%22id%22%3A%2242%22%7D'
//   curl localhost:4000/orders -H 'authorization: ann'
import { initTRPC, TRPCError } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { cached } from 'atomcache/trpc'
import { z } from 'zod'

const { PORT = '4000', REDIS_URL } = process.env

const cache = createCache({ namespace: 'trpc', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })

const t = initTRPC.context<{ user?: { id: string } | undefined }>().create()
const signedIn = t.procedure.use(({ ctx: { user }, next }) => {
  if (user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
  return next({ ctx: { user } })
})

const router = t.router({
  product: t.router({
    byId: t.procedure
      .input(z.object({ id: z.string() }))
      .use(cached({ cache, ttl: 60_000, scope: null }))
      .query(({ input }) => `Product ${input.id}, ${Math.random()}`),
  }),
  orders: signedIn
    .use(cached({ cache, ttl: 30_000, scope: ({ ctx }) => ctx.user.id }))
    .query(({ ctx }) => `Orders of ${ctx.user.id}, ${Math.random()}`),
})

const server = createHTTPServer({
  router,
  // Whatever says who asks: here a header, as a stand-in for real authentication.
  createContext: ({ req: { headers } }) => ({
    user: headers.authorization ? { id: headers.authorization } : undefined,
  }),
})
server.listen(Number(PORT), () => console.log('listening on', server.address()))
