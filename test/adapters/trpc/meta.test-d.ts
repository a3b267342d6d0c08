// Checked by `npm run typecheck`, and never run: each statement is a fact about types.
import { type inferRouterInputs, type inferRouterOutputs, initTRPC, TRPCError } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import {
  type CacheMeta,
  cacheContext,
  cachedByMeta,
  cacheHeaders,
  invalidates,
} from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'

interface Context {
  readonly user?: { readonly id: string }
  readonly requestId: number
}

const cache = createCache()
const t = initTRPC.context<Context>().create()
const signedIn = t.procedure.use(({ ctx, next }) => {
  if (ctx.user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
  return next({ ctx: { user: ctx.user, roles: ['buyer'] as const } })
})
const Order = z.object({ id: z.string().transform(Number), at: z.date().optional() })
const answer = () => ({ at: new Date(), list: [1n], kind: 'order' as const })

// The tags of a mutation see the narrowed context and the parsed input; its types are as without.
const rename = signedIn.input(Order).use(
  invalidates({
    cache,
    tags({ input, ctx, data, path }) {
      expectTypeOf(ctx.user.id).toEqualTypeOf<string>()
      expectTypeOf(input).toEqualTypeOf<{ id: number; at?: Date | undefined }>()
      expectTypeOf(data).toEqualTypeOf<unknown>()
      return [`Order:${input.id}`, path]
    },
  }),
)
rename.mutation(({ ctx, input }) => {
  expectTypeOf(ctx.user.id).toEqualTypeOf<string>()
  expectTypeOf(input.id).toEqualTypeOf<number>()
})
const mutations = t.router({ without: signedIn.input(Order).mutation(answer), with: rename.mutation(answer) })
type Mutations = typeof mutations
expectTypeOf<inferRouterInputs<Mutations>['with']>().toEqualTypeOf<inferRouterInputs<Mutations>['without']>()
expectTypeOf<inferRouterOutputs<Mutations>['with']>().toEqualTypeOf<inferRouterOutputs<Mutations>['without']>()
// @ts-expect-error tags are missing
signedIn.use(invalidates({ cache }))
// @ts-expect-error a property that the input does not have
signedIn.input(Order).use(invalidates({ cache, tags: ({ input }) => [input.name] }))
// @ts-expect-error neither of the two
signedIn.use(invalidates({ cache, tags: [], onInvalidateError: 'ignore' }))

// In a meta the context is that of the root, and the input is not known.
interface Meta extends CacheMeta<Context> {
  readonly role?: 'admin'
}
const m = initTRPC.context<Context>().meta<Meta>().create()
const byMeta = m.procedure.use(
  cachedByMeta({
    cache,
    ttl: 1000,
    scope({ ctx, input }) {
      expectTypeOf(ctx.user).toEqualTypeOf<Context['user']>()
      expectTypeOf(input).toEqualTypeOf<unknown>()
      return ctx.user?.id
    },
  }),
)
byMeta.meta({ role: 'admin' })
byMeta.meta({
  cache: {
    scope({ ctx }) {
      expectTypeOf(ctx).toEqualTypeOf<Context>()
      return ctx.user?.id
    },
    tags({ data, input, path }) {
      expectTypeOf(data).toEqualTypeOf<unknown>()
      expectTypeOf(input).toEqualTypeOf<unknown>()
      return [path]
    },
  },
})
byMeta
  .meta({ cache: {} })
  .input(Order)
  .query(({ ctx, input }) => {
    expectTypeOf(ctx.requestId).toEqualTypeOf<number>()
    expectTypeOf(input.id).toEqualTypeOf<number>()
  })
// @ts-expect-error a misspelt option
byMeta.meta({ cache: { tll: 1 } })
// @ts-expect-error not an object
byMeta.meta({ cache: true })
// @ts-expect-error ms as text
byMeta.meta({ cache: { ttl: '1m' } })
// @ts-expect-error the cache is that of the middleware
byMeta.meta({ cache: { cache } })
// @ts-expect-error the cache is missing
m.procedure.use(cachedByMeta({ scope: null }))

// What notes the outcomes goes into any context, and what reads them is a responseMeta.
const noted = initTRPC.context<Context & ReturnType<typeof cacheContext>>().create()
noted.procedure.query(({ ctx }) => expectTypeOf(ctx.requestId).toEqualTypeOf<number>())
createHTTPHandler({ router: noted.router({}), createContext: () => ({ requestId: 1, ...cacheContext() }) })
createHTTPHandler({
  router: t.router({}),
  createContext: () => ({ requestId: 1, ...cacheContext() }),
  responseMeta: cacheHeaders({ maxAge: 60 }),
})
