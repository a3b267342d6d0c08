import { type AnyRouter, initTRPC, TRPCError } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { z } from 'zod'
import { cacheContext, cached, cacheHeaders, invalidates, publicQueries } from '../../src/adapters/trpc/index.ts'
import { type Cache, createCache, type Store } from '../../src/index.ts'
import { serveHttp } from '../adapters/http.ts'
import { transformer } from '../adapters/trpc/twins.ts'

interface Context {
  readonly user: string | null
}

/** The same server several times: without a cache, with `cached`, and with the bytes of public queries as well. */
export interface TrpcTwins extends AsyncDisposable {
  readonly plain: string
  readonly cached: Readonly<Record<string, string>>
}

/** All that is answered is told by the input and the user. */
const said = (what: string, input: unknown) => ({ what, input, text: JSON.stringify(input) ?? 'nothing' })

const anything = (input: unknown) => input

function rootOf(rich: boolean) {
  return initTRPC.context<Context>().create({ isDev: false, ...(rich ? { transformer } : {}) })
}

function routerOf(cache: Cache | undefined, rich: boolean): AnyRouter {
  const t = rootOf(rich)
  const { procedure } = t
  const whose = ({ ctx }: { ctx: Context }) => ctx.user || null
  const keeping = <B>(builder: B, scope: null | typeof whose): B =>
    cache === undefined ? builder : ((builder as typeof procedure).use(cached({ cache, scope })) as B)
  const own = keeping(procedure, whose)
  const everybodys = keeping(procedure, null)
  return t.router({
    any: everybodys.input(anything).query(({ input }) => said('any', input)),
    back: everybodys.input(anything).query(({ input }) => input ?? null),
    parsed: keeping(procedure.input(z.object({ id: z.string().trim(), n: z.number().optional() })), null).query(
      ({ input }) => said('parsed', input),
    ),
    late: everybodys.input(z.object({ id: z.coerce.string() })).query(({ input }) => said('late', input)),
    nested: t.router({ mine: own.input(anything).query(({ ctx, input }) => said(`mine of ${ctx.user}`, input)) }),
    fails: everybodys.input(anything).query(({ input }) => {
      throw new TRPCError({ code: 'CONFLICT', message: `no ${typeof input}` })
    }),
    throws: everybodys.query(() => {
      throw new Error('down')
    }),
    write: (cache === undefined ? procedure : procedure.use(invalidates({ cache, tags: ['any'] })))
      .input(anything)
      .mutation(({ input }) => said('write', input)),
  })
}

export const PATHS = ['any', 'back', 'parsed', 'late', 'nested.mine', 'fails', 'throws', 'write']

export async function openTrpcTwins(store: Store, namespace: string, rich: boolean): Promise<TrpcTwins> {
  const open: AsyncDisposable[] = []

  async function serve(name: string): Promise<string> {
    const cache =
      name === 'plain'
        ? undefined
        : createCache({ store, namespace: `${namespace}-${name}`, ttl: 60_000, commandTimeout: 5000 })
    if (cache !== undefined) {
      open.push(cache)
      await cache.ready()
    }
    const router = routerOf(cache, rich)
    const handler = createHTTPHandler({
      router,
      createContext: ({ req }) => ({ user: req.headers.authorization ?? null, ...cacheContext() }),
      ...(cache === undefined ? {} : { responseMeta: cacheHeaders({ maxAge: 60 }) }),
    })
    const paths = ['any', 'back', 'late', 'fails', 'throws']
    const server = await serveHttp(
      name === 'bytes' && cache !== undefined ? publicQueries({ cache, router, paths }).node(handler) : handler,
    )
    open.push(server)
    return server.url
  }

  const [plain, middleware, bytes] = [await serve('plain'), await serve('middleware'), await serve('bytes')]
  return {
    plain,
    cached: { 'the middleware': middleware, 'public bytes': bytes },
    async [Symbol.asyncDispose]() {
      await Promise.all(open.map((each) => each[Symbol.asyncDispose]()))
    },
  }
}
