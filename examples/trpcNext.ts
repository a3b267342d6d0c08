// A route handler of Next.js, app/api/trpc/[trpc]/route.ts: all instances of the site compute a product once.
//   curl 'localhost:3000/api/trpc/product?input=%7B%22id%22%3A%2242%22%7D'
import { initTRPC, TRPCError } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { assertCacheOrder, cached } from 'atomcache/trpc'
import { z } from 'zod'

const { REDIS_URL } = process.env
const cache = createCache({ namespace: 'next', store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL) })

const t = initTRPC.context<{ user: string | null }>().create()
const signedIn = t.procedure.use(({ ctx: { user }, next }) => {
  if (user === null) throw new TRPCError({ code: 'UNAUTHORIZED' })
  return next({ ctx: { user } })
})
const router = t.router({
  product: t.procedure
    .input(z.object({ id: z.string() }))
    .use(cached({ cache, ttl: 60_000, scope: null }))
    .query(({ input }) => `Product ${input.id}, ${Math.random()}`),
  orders: signedIn
    .use(cached({ cache, ttl: 30_000, scope: ({ ctx }) => ctx.user }))
    .query(({ ctx }) => `Orders of ${ctx.user}, ${Math.random()}`),
})
assertCacheOrder(router)

// Whatever says who asks: here a header, as a stand-in for real authentication.
const createContext = ({ req }: { req: Request }) => ({ user: req.headers.get('authorization') })
const answer = (req: Request) => fetchRequestHandler({ endpoint: '/api/trpc', req, router, createContext })

export { answer as GET, answer as POST }
