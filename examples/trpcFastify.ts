// tRPC on Fastify: one middleware for all procedures, which say in their meta how they are cached; and HTTP headers.
//   curl -i 'localhost:4000/trpc/product?input=%7B%22id%22%3A%2242%22%7D'
//   curl -i localhost:4000/trpc/orders -H 'authorization: ann'
import { initTRPC, TRPCError } from '@trpc/server'
import { type FastifyTRPCPluginOptions, fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { assertCacheOrder, type CacheMeta, cacheContext, cachedByMeta, cacheHeaders } from 'atomcache/trpc'
import { fastify } from 'fastify'
import { z } from 'zod'

const { PORT = '4000', REDIS_URL } = process.env
const cache = createCache({ namespace: 'fastify', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })
type Context = { user?: string | undefined }
const t = initTRPC.context<Context>().meta<CacheMeta<Context>>().create()
const byMeta = cachedByMeta({ cache, ttl: 60_000 })
const authed = t.procedure.use(({ ctx, next }) => {
  if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
  return next()
})
const [anybody, signedIn] = [t.procedure.use(byMeta), authed.use(byMeta)] // behind what may refuse
const router = t.router({
  product: anybody
    .meta({ cache: { scope: null } })
    .input(z.object({ id: z.string() }))
    .query(({ input }) => `Product ${input.id}, ${Math.random()}`),
  orders: signedIn
    .meta({ cache: { scope: ({ ctx }) => ctx.user, ttl: 30_000 } })
    .query(({ ctx }) => `Orders of ${ctx.user}, ${Math.random()}`),
})
assertCacheOrder(router)

const app = fastify()
const trpcOptions: FastifyTRPCPluginOptions<typeof router>['trpcOptions'] = {
  router,
  createContext: ({ req }) => ({ user: req.headers.authorization, ...cacheContext() }),
  responseMeta: cacheHeaders({ maxAge: 30 }),
}
app.register(fastifyTRPCPlugin, { prefix: '/trpc', trpcOptions })
console.log('listening on', await app.listen({ port: Number(PORT) }))
