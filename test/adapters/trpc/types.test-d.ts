// Checked by `npm run typecheck`, and never run: each statement is a fact about types.
import { createTRPCClient, httpLink } from '@trpc/client'
import { type inferRouterInputs, type inferRouterOutputs, initTRPC, TRPCError } from '@trpc/server'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { type Call, cached } from '../../../src/adapters/trpc/index.ts'
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

// The scope sees the context as the middlewares in front of it left it, and nothing of the caller's is optional there.
signedIn.use(
  cached({
    cache,
    scope: ({ ctx, input, path }) => {
      expectTypeOf(ctx.user).toEqualTypeOf<{ readonly id: string }>()
      expectTypeOf(ctx.roles).toEqualTypeOf<readonly ['buyer']>()
      expectTypeOf(ctx.requestId).toEqualTypeOf<number>()
      expectTypeOf(path).toEqualTypeOf<string>()
      expectTypeOf<typeof input>().not.toBeAny()
      return ctx.user.id
    },
  }),
)

// Without them, it does not.
t.procedure.use(
  cached({
    cache,
    scope: ({ ctx }) => {
      expectTypeOf(ctx).toExtend<Context>()
      expectTypeOf<Context>().toExtend<typeof ctx>()
      expectTypeOf(ctx.user).toEqualTypeOf<Context['user']>()
      return ctx.user?.id
    },
  }),
)

// @ts-expect-error ctx.user may be undefined here
t.procedure.use(cached({ cache, scope: ({ ctx }) => ctx.user.id }))

// Behind .input() the input is the parsed one; behind two, both.
signedIn
  .input(Order)
  .input(z.object({ shop: z.enum(['a', 'b']) }))
  .use(
    cached({
      cache,
      scope: ({ input }) => {
        expectTypeOf(input).toEqualTypeOf<{ id: number; at?: Date | undefined; shop: 'a' | 'b' }>()
        return input.shop
      },
    }),
  )

// Behind the cache everything is as without it: context and input of the resolver, and of later middlewares.
const plain = signedIn.input(Order)
const withCache = plain.use(cached({ cache, ttl: 1000, scope: ({ ctx }) => ctx.user.id }))
plain.query(({ ctx, input }) => {
  withCache.query((behind) => {
    expectTypeOf(behind.ctx).toEqualTypeOf<typeof ctx>()
    expectTypeOf(behind.input).toEqualTypeOf<typeof input>()
    expectTypeOf(behind.input.id).toEqualTypeOf<number>()
    expectTypeOf(behind.ctx.user.id).toEqualTypeOf<string>()
  })
})
withCache.use(({ ctx, next }) => {
  expectTypeOf(ctx.roles).toEqualTypeOf<readonly ['buyer']>()
  return next({ ctx: { more: 1 } })
})

// So are the types of the router's inputs and outputs, and of its clients.
const answer = () => ({ at: new Date(), list: [1n], kind: 'order' as const })
const routerOf = () =>
  t.router({
    without: signedIn.input(Order).query(answer),
    with: signedIn
      .input(Order)
      .use(cached({ cache, scope: null }))
      .query(answer),
    before: signedIn
      .use(cached({ cache, scope: 'tenant' }))
      .input(Order)
      .query(answer),
    checked: t.procedure
      .output(z.object({ kind: z.string() }))
      .use(cached({ cache, scope: null }))
      .query(answer),
    checkedBehind: t.procedure
      .use(cached({ cache, scope: null }))
      .output(z.object({ kind: z.string() }))
      .query(answer),
  })
type Router = ReturnType<typeof routerOf>
type Inputs = inferRouterInputs<Router>
type Outputs = inferRouterOutputs<Router>

expectTypeOf<Inputs['with']>().toEqualTypeOf<Inputs['without']>()
expectTypeOf<Inputs['before']>().toEqualTypeOf<Inputs['without']>()
expectTypeOf<Inputs['with']['id']>().toEqualTypeOf<string>()
expectTypeOf<Outputs['with']>().toEqualTypeOf<Outputs['without']>()
expectTypeOf<Outputs['before']>().toEqualTypeOf<Outputs['without']>()
expectTypeOf<Outputs['with']['kind']>().toEqualTypeOf<'order'>()
expectTypeOf<Outputs['checked']>().toEqualTypeOf<{ kind: string }>()
expectTypeOf<Outputs['checkedBehind']>().toEqualTypeOf<{ kind: string }>()

const client = createTRPCClient<Router>({ links: [httpLink({ url: '' })] })
expectTypeOf(client.with.query).toEqualTypeOf<typeof client.without.query>()
expectTypeOf(client.before.query).toEqualTypeOf<typeof client.without.query>()

// A scope written elsewhere, for any procedure whose context has a user.
const byUser = ({ ctx }: Call<{ user: { id: string } }, unknown>) => ctx.user.id
signedIn.use(cached({ cache, scope: byUser }))
signedIn.input(Order).use(cached({ cache, scope: byUser }))
// @ts-expect-error its context may have none
t.procedure.use(cached({ cache, scope: byUser }))

// It goes with mutations and subscriptions, where it lets everything pass.
signedIn
  .input(Order)
  .use(cached({ cache, scope: null }))
  .mutation(({ input }) => input.id)
signedIn.use(cached({ cache, scope: null })).subscription(async function* ({ ctx }) {
  yield ctx.user.id
})

// What a scope is not.
// @ts-expect-error it has to be said
t.procedure.use(cached({ cache }))
// @ts-expect-error a number
t.procedure.use(cached({ cache, scope: 7 }))
// @ts-expect-error a function that gives a number
t.procedure.use(cached({ cache, scope: ({ ctx }) => ctx.requestId }))
// @ts-expect-error a promise
t.procedure.use(cached({ cache, scope: async () => 'ann' }))
// @ts-expect-error a property that the context does not have
t.procedure.use(cached({ cache, scope: ({ ctx }) => ctx.usr?.id }))
// @ts-expect-error the cache is missing
t.procedure.use(cached({ scope: null }))
// @ts-expect-error a misspelt option
t.procedure.use(cached({ cache, scope: null, tll: 1 }))
// @ts-expect-error ms as text
t.procedure.use(cached({ cache, scope: null, ttl: '1m' }))

// Everything that is a function of the call sees the narrowed context and the parsed input; what is about the answer, it too.
signedIn.input(Order).use(
  cached({
    cache,
    scope: null,
    key({ ctx, input, path }) {
      expectTypeOf(ctx.user.id).toEqualTypeOf<string>()
      expectTypeOf(input).toEqualTypeOf<{ id: number; at?: Date | undefined }>()
      expectTypeOf(path).toEqualTypeOf<string>()
      return [input.id]
    },
    vary({ ctx, input }) {
      expectTypeOf(ctx.roles).toEqualTypeOf<readonly ['buyer']>()
      expectTypeOf(input.id).toEqualTypeOf<number>()
      return ctx.requestId
    },
    enabled({ ctx, input }) {
      expectTypeOf(ctx.user.id).toEqualTypeOf<string>()
      expectTypeOf(input.id).toEqualTypeOf<number>()
      return true
    },
    tags({ input, ctx, data, path }) {
      expectTypeOf(ctx.user.id).toEqualTypeOf<string>()
      expectTypeOf(input.id).toEqualTypeOf<number>()
      expectTypeOf(data).toEqualTypeOf<unknown>()
      return [`Order:${input.id}`, `User:${ctx.user.id}`, path]
    },
    ttl({ ctx, input, data }) {
      expectTypeOf(ctx.user.id).toEqualTypeOf<string>()
      expectTypeOf(input.id).toEqualTypeOf<number>()
      expectTypeOf(data).toEqualTypeOf<unknown>()
      return input.id
    },
    shouldCache: ({ ctx, input, data }) => data !== null && input.id > 0 && ctx.roles.length > 0,
  }),
)
// @ts-expect-error a property that the input does not have
signedIn.input(Order).use(cached({ cache, scope: null, tags: ({ input }) => [input.name] }))
// @ts-expect-error a property that the context does not have
signedIn.use(cached({ cache, scope: null, tags: ({ ctx }) => [ctx.account] }))
// @ts-expect-error numbers are no tags
signedIn.input(Order).use(cached({ cache, scope: null, tags: ({ input }) => [input.id] }))
// @ts-expect-error a promise
signedIn.use(cached({ cache, scope: null, tags: async () => ['Order'] }))
// @ts-expect-error not yes or no
signedIn.use(cached({ cache, scope: null, enabled: ({ ctx }) => ctx.user.id }))
// @ts-expect-error the input is there as the parser left it
signedIn.input(Order).use(cached({ cache, scope: ({ input }) => input.id }))
