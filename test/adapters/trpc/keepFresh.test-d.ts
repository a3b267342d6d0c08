// Checked by `npm run typecheck`, and never run: each statement is a fact about types.
import { initTRPC, lazy } from '@trpc/server'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { cached, type KeptFresh, keepFresh, type QueryInput, type QueryPath } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'

interface Context {
  readonly user: string
}

const cache = createCache()
const t = initTRPC.context<Context>().create()
const products = t.router({
  byId: t.procedure
    .input(z.object({ id: z.string().transform(Number) }))
    .use(cached({ cache, scope: null }))
    .query(({ input }) => input.id),
  search: t.procedure.input(z.string().optional()).query(() => []),
  rename: t.procedure.mutation(() => true),
})
const router = t.router({
  home: t.procedure.use(cached({ cache, scope: null })).query(() => 'home'),
  product: products,
  plain: { deep: { hello: t.procedure.query(() => 'hello') } },
  archive: lazy(async () => products),
  ticks: t.procedure.subscription(async function* () {
    yield 1
  }),
})
type Router = typeof router

// Each query, in routers of any depth and kind; neither mutations nor subscriptions.
expectTypeOf<QueryPath<Router>>().toEqualTypeOf<
  'home' | 'product.byId' | 'product.search' | 'plain.deep.hello' | 'archive.byId' | 'archive.search'
>()

// The input is what clients send.
expectTypeOf<QueryInput<Router, 'product.byId'>>().toEqualTypeOf<{ id: string }>()
expectTypeOf<QueryInput<Router, 'archive.byId'>>().toEqualTypeOf<{ id: string }>()

const createContext = () => ({ user: 'system' })
expectTypeOf(keepFresh({ cache, router, path: 'home', createContext })).toEqualTypeOf<KeptFresh>()
keepFresh({ cache, router, path: 'product.byId', input: { id: '1' }, createContext: async () => createContext() })
keepFresh({ cache, router, path: 'product.search', createContext })
keepFresh({ cache, router, path: 'product.search', input: 'x', createContext })
keepFresh({ cache, router, path: 'archive.byId', input: { id: '1' }, createContext })
// @ts-expect-error it needs an input
keepFresh({ cache, router, path: 'product.byId', createContext })
// @ts-expect-error the parsed one is not what is sent
keepFresh({ cache, router, path: 'product.byId', input: { id: 1 }, createContext })
// @ts-expect-error it has none
keepFresh({ cache, router, path: 'home', input: 'x', createContext })
// @ts-expect-error there is no such query
keepFresh({ cache, router, path: 'product.byName', createContext })
// @ts-expect-error a mutation
keepFresh({ cache, router, path: 'product.rename', createContext })
// @ts-expect-error a context without a user
keepFresh({ cache, router, path: 'home', createContext: () => ({}) })
// @ts-expect-error there is no request to make it of
keepFresh({ cache, router, path: 'home' })

// Options of freshness see the call, and what it gave.
t.procedure.input(z.object({ id: z.number() })).use(
  cached({
    cache,
    scope: null,
    staleWhileRevalidate: 1000,
    staleIfError: 1000,
    softTimeout: 100,
    jitter: 0.1,
    earlyRefresh: { beta: 2 },
    negativeTtl: 100,
    isNegative({ ctx, input, data, path }) {
      expectTypeOf(ctx.user).toEqualTypeOf<string>()
      expectTypeOf(input).toEqualTypeOf<{ id: number }>()
      expectTypeOf(data).toEqualTypeOf<unknown>()
      expectTypeOf(path).toEqualTypeOf<string>()
      return data === null
    },
    isOutage(error) {
      expectTypeOf(error).toEqualTypeOf<unknown>()
      return true
    },
    errorTtl(error) {
      expectTypeOf(error).toEqualTypeOf<unknown>()
      return 5
    },
  }),
)
// @ts-expect-error ms as text
t.procedure.use(cached({ cache, scope: null, staleWhileRevalidate: '1m' }))
// @ts-expect-error a promise
t.procedure.use(cached({ cache, scope: null, isNegative: async () => true }))
