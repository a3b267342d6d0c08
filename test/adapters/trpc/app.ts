import { once } from 'node:events'
import { initTRPC, lazy, TRPCError, tracked } from '@trpc/server'
import { z } from 'zod'
import { type Making, rootOf } from './makings.ts'
import type { Product, Shop } from './shop.ts'
import type { transformer } from './twins.ts'

export type App = ReturnType<typeof appOf>

/** Paths of the routers that are not there at start. */
export const LAZY = ['archive']

/** A shop, with the features of tRPC's documentation. */
export function appOf(making: Making, given: typeof transformer | undefined) {
  const t = rootOf(given)
  const procedures = proceduresOf(t, making)
  const callable = t.mergeRouters(
    t.router({ product: productsOf(t, making, procedures), order: ordersOf(t, making, procedures) }),
    t.router({ output: outputsOf(t, making, procedures) }),
  )
  const createCaller = t.createCallerFactory(callable)
  const { anybody, signedIn } = procedures
  return t.mergeRouters(
    callable,
    t.router({
      failure: failuresOf(t, making, procedures),
      stream: streamsOf(t, making, procedures),
      archive: lazy(async () => archiveOf(t, making, procedures)),
      hello: making
        .query(anybody, { scope: null, vary: ({ ctx }) => ctx.language })
        .query(({ ctx }) => (ctx.language.startsWith('de') ? 'Hallo' : 'Hello')),
      // A procedure that asks others.
      desk: making.query(signedIn, { scope: ({ ctx }) => ctx.account.id }).query(async ({ ctx }) => {
        const caller = createCaller(ctx)
        return { orders: await caller.order.mine(), first: await caller.product.byId({ id: '1' }) }
      }),
      slow: making.query(anybody.input(z.string()), { scope: null }).query(async ({ input, ctx: { shop }, signal }) => {
        if (!shop.slow.has(input)) return `slow ${input}`
        shop.events.emit('slow', input)
        if (signal?.aborted !== true) await once(signal as AbortSignal, 'abort')
        shop.events.emit('left', input)
        throw signal?.reason
      }),
    }),
  )
}

type Root = ReturnType<typeof rootOf>
type Procedures = ReturnType<typeof proceduresOf>

function proceduresOf(t: Root, { base }: Making) {
  const logged = t.procedure.use(async ({ ctx, path, next }) => {
    const result = await next()
    ctx.shop.log.push(`${path} ${result.ok ? 'ok' : result.error.code}`)
    return result
  })
  const account = t.middleware(({ ctx: { user }, next }) => {
    if (user === undefined) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'who are you?' })
    return next({ ctx: { account: { id: user } } })
  })
  const role = account.unstable_pipe(({ ctx, meta, next }) => {
    if (meta?.role === 'admin' && ctx.account.id !== 'root') throw new TRPCError({ code: 'FORBIDDEN' })
    return next({ ctx: { role: meta?.role ?? 'customer' } })
  })
  // One that reads the input before it is parsed.
  const member = account.unstable_pipe(async ({ ctx, getRawInput, next }) => {
    const { success, data } = z.object({ club: z.string() }).safeParse(await getRawInput())
    if (success && !data.club.includes(ctx.account.id)) throw new TRPCError({ code: 'FORBIDDEN', message: data.club })
    return next({ ctx: { club: data?.club ?? 'none' } })
  })
  // A plugin, with a root of its own.
  const plugin = initTRPC.context<{ language: string }>().create()
  const greeting = plugin.procedure
    .input(z.object({ loud: z.boolean().default(false) }))
    .use(({ ctx, next }) => next({ ctx: { greeting: ctx.language === 'de' ? 'Hallo' : 'Hello' } }))
  return {
    anybody: base(logged),
    signedIn: base(logged.use(account)),
    withRole: base(logged.use(role)),
    member: base(logged.use(member)),
    greeting: base(logged.concat(greeting)),
    /** Formats its errors itself. */
    formatted: base(logged.errors(({ error, shape }) => ({ ...shape, data: { ...shape.data, own: error.message } }))),
    unlogged: base(t.procedure),
  }
}

function findProduct({ products }: Shop, id: string) {
  const product = products.get(id)
  if (product === undefined) throw new TRPCError({ code: 'NOT_FOUND', message: `no product ${id}` })
  return product
}

function productsOf(t: Root, { query, mutation }: Making, { anybody, signedIn, greeting }: Procedures) {
  const scope = null
  const Page = z.object({ page: z.number().int().min(1).default(1) })
  const Search = z.object({ text: z.string().transform((text) => text.toLowerCase()), max: z.number().optional() })
  return t.router({
    byId: query(anybody.input(z.object({ id: z.string().trim() })), {
      scope,
      // Of the answer: one middleware of all procedures stands before their inputs.
      tags: ({ data }) => [`Product:${(data as Product).id}`],
    }).query(async ({ input, ctx: { shop } }) => {
      shop.runs.push(`product ${input.id}`)
      await shop.gate.pass()
      return findProduct(shop, input.id)
    }),
    search: query(anybody.input(Page).input(Search), { scope }).query(({ input, ctx }) => ({
      input,
      found: [...ctx.shop.products.values()].filter(({ name }) => name.toLowerCase().includes(input.text)).length,
    })),
    first: query(anybody.input(z.number().int().positive().optional()), { scope }).query(({ input = 1, ctx }) =>
      [...ctx.shop.products.keys()].slice(0, input),
    ),
    since: query(anybody.input(z.coerce.date()), { scope }).query(({ input }) => input),
    // A parser that is a function.
    even: query(anybody.input(evenOf), { scope }).query(({ input }) => input / 2),
    greet: query(greeting.input(z.object({ name: z.string() })), { scope, vary: ({ ctx }) => ctx.language }).query(
      ({ ctx, input }) => `${ctx.greeting} ${input.name}${input.loud ? '!' : ''}`,
    ),
    rename: mutation(signedIn.input(z.object({ id: z.string(), name: z.string().min(1) })), ({ input }) => [
      `Product:${input.id}`,
    ]).mutation(({ input: { id, name }, ctx: { shop } }) => {
      shop.products.set(id, { ...findProduct(shop, id), name })
      return shop.products.get(id)
    }),
    photo: mutation(signedIn.input(z.instanceof(FormData)), () => ['Photos']).mutation(async ({ input, ctx }) => {
      const photo = input.get('photo')
      return { by: ctx.account.id, title: input.get('title'), text: photo instanceof Blob ? await photo.text() : null }
    }),
  })
}

function evenOf(value: unknown): number {
  if (typeof value !== 'number' || value % 2 !== 0) throw new Error(`${value} is not even`)
  return value
}

function ordersOf(t: Root, { query }: Making, { signedIn, withRole, member }: Procedures) {
  return t.router({
    mine: query(signedIn, { scope: ({ ctx }) => ctx.account.id }).query(({ ctx }) => {
      ctx.shop.runs.push(`orders of ${ctx.account.id}`)
      return [`${ctx.account.id}'s order`]
    }),
    all: query(withRole.meta({ role: 'admin' }), { scope: ({ ctx }) => ctx.role }).query(({ ctx }) => ctx.role),
    role: query(withRole, { scope: ({ ctx }) => ctx.role }).query(({ ctx }) => ctx.role),
    ofClub: query(member.input(z.object({ club: z.string() })), { scope: ({ ctx }) => ctx.club }).query(
      ({ ctx }) => `orders of ${ctx.club}`,
    ),
  })
}

function outputsOf(t: Root, { query, mutation }: Making, { anybody }: Procedures) {
  const scope = null
  return t.router({
    stripped: query(anybody.output(z.object({ name: z.string() })), { scope }).query(() => ({
      ...{ secret: 'of the house' },
      name: 'Apple',
    })),
    transformed: query(anybody.output(z.date().transform((date) => date.getUTCFullYear())), { scope }).query(
      () => new Date('2024-02-29'),
    ),
    wrong: query(anybody.output(z.object({ name: z.string() })), { scope }).query(() => ({ name: 1 as unknown as '' })),
    wrongMutation: mutation(anybody.output(z.string()), () => []).mutation(() => 1 as unknown as string),
    nothing: query(anybody, { scope }).query(() => undefined),
    null: query(anybody, { scope }).query(() => null),
    falsy: query(anybody.input(z.enum(['', '0', 'false'])), { scope }).query(
      ({ input }) => ({ '': '', 0: 0, false: false })[input],
    ),
    rich: query(anybody, { scope }).query(() => ({
      at: new Date(0),
      none: undefined,
      list: [1, null],
      text: 'ü\u2028',
    })),
  })
}

const CODES = ['NOT_FOUND', 'CONFLICT', 'TOO_MANY_REQUESTS', 'UNAUTHORIZED', 'FORBIDDEN', 'PAYLOAD_TOO_LARGE'] as const

function failuresOf(t: Root, { query, mutation }: Making, { anybody, formatted }: Procedures) {
  const scope = null
  return t.router({
    code: query(anybody.input(z.enum(CODES)), { scope }).query(({ input }) => {
      throw new TRPCError({ code: input, message: `it is ${input}`, cause: new RangeError('deep') })
    }),
    plain: query(anybody, { scope }).query(() => {
      throw new RangeError('out of bounds')
    }),
    text: query(anybody, { scope }).query(() => {
      throw 'a text'
    }),
    formatted: query(formatted.input(z.string().min(3)), { scope }).query(async ({ input, ctx: { shop } }) => {
      shop.runs.push(`formatted ${input}`)
      await shop.gate.pass()
      throw new TRPCError({ code: 'CONFLICT', message: input })
    }),
    mutation: mutation(anybody.input(z.enum(CODES)), () => ['never']).mutation(({ input }) => {
      throw new TRPCError({ code: input })
    }),
  })
}

function streamsOf(t: Root, { query }: Making, { anybody, signedIn, unlogged }: Procedures) {
  const scope = null
  return t.router({
    counted: query(unlogged.input(z.number()), { scope }).query(async function* ({ input }) {
      for (let i = 1; i <= input; i++) yield i
    }),
    later: query(anybody, { scope }).query(() => ({ now: 'now', later: Promise.resolve('later') })),
    ticks: signedIn
      .input(z.object({ lastEventId: z.coerce.number().optional(), until: z.number() }))
      .subscription(async function* ({ input, ctx: { shop, account } }) {
        for (let i = (input.lastEventId ?? 0) + 1; i <= input.until; i++) yield tracked(String(i), `${account.id} ${i}`)
        shop.events.emit('closed', account.id)
      }),
    endless: anybody.input(z.string()).subscription(async function* ({ input, ctx: { shop }, signal }) {
      try {
        yield 1
        if (signal?.aborted !== true) await once(signal as AbortSignal, 'abort')
      } finally {
        shop.events.emit('closed', input)
      }
    }),
    broken: anybody.subscription(async function* () {
      yield 1
      throw new TRPCError({ code: 'BAD_REQUEST', message: 'no more' })
    }),
  })
}

function archiveOf(t: Root, { query }: Making, { anybody, signedIn }: Procedures) {
  return t.router({
    year: query(anybody.input(z.number()), { scope: null }).query(({ input }) => `the year ${input}`),
    deep: t.router({
      mine: query(signedIn, { scope: ({ ctx }) => ctx.account.id }).query(
        ({ ctx }) => `of ${ctx.account.id}, long ago`,
      ),
    }),
  })
}
