// As a package of a monorepo has it, whose declarations are emitted: each type in them must be one that can be named.
import { initTRPC } from '@trpc/server'
import { assertCacheOrder, cacheContext, cached, cacheHeaders, keepFresh, publicQueries } from 'atomcache/trpc'
import { createCache } from '../../../src/index.ts'

export const createContext = async ({ user }: { user?: string }) => ({ user, ...cacheContext() })
export const t = initTRPC.context<typeof createContext>().create()
export const cache = createCache()
export const base = t.procedure.use(cached({ cache, scope: ({ ctx }) => ctx.user }))
export const router = t.router({ me: base.query(({ ctx }) => ctx.user) })
export const responseMeta = cacheHeaders()
export const keep = () => keepFresh({ cache, router, path: 'me', createContext: () => createContext({}) })
export const start = () => {
  assertCacheOrder(router)
  return publicQueries({ cache, router, paths: [] })
}
