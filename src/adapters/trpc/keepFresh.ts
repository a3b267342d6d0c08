import type {
  AnyTRPCProcedure,
  AnyTRPCQueryProcedure,
  AnyTRPCRouter,
  inferProcedureInput,
  inferRouterContext,
} from '@trpc/server'
import type { Cache } from '../../core/cache.ts'
import { known, show } from '../../core/checks.ts'
import { internalsOf } from '../../core/internals.ts'
import type { KeptFresh } from '../../core/keepFresh.ts'
import { chainOf, partsOf } from './order.ts'
import { type Renewal, renewing } from './renewing.ts'

/** The paths of a router's queries, such as `'product.byId'`; those of lazy routers too. */
export type QueryPath<R extends AnyTRPCRouter> = PathIn<R['_def']['record']>

type PathIn<Record> = {
  [Name in keyof Record & string]: Record[Name] extends AnyTRPCProcedure
    ? Record[Name] extends AnyTRPCQueryProcedure
      ? Name
      : never
    : `${Name}.${PathIn<Record[Name]>}`
}[keyof Record & string]

/** What the query at the path takes. */
export type QueryInput<R extends AnyTRPCRouter, P extends string> = InputAt<R['_def']['record'], P>

type InputAt<Record, P extends string> = P extends keyof Record
  ? Record[P] extends AnyTRPCProcedure
    ? inferProcedureInput<Record[P]>
    : never
  : P extends `${infer Name}.${infer Rest}`
    ? Name extends keyof Record
      ? InputAt<Record[Name], Rest>
      : never
    : never

export type KeepFreshOptions<R extends AnyTRPCRouter, P extends string> = {
  /** That of the procedure. */
  readonly cache: Cache
  readonly router: R
  /** Of a query whose answer is the same for everybody: its `scope` is, or returns, `null`. */
  readonly path: P
  /** Makes the context of one call, as there is no request: anew for each renewal. */
  readonly createContext: () => inferRouterContext<R> | Promise<inferRouterContext<R>>
} & (undefined extends QueryInput<R, P>
  ? { /** As clients send it. */ readonly input?: QueryInput<R, P> }
  : { /** As clients send it. */ readonly input: QueryInput<R, P> })

const OPTIONS: ReadonlySet<string> = new Set(['cache', 'router', 'path', 'input', 'createContext'])

/**
 * Keeps the answer of a query fresh, without any request: it is computed when it is not there and before its ttl ends, over all
 * instances by one at a time, until it is stopped or the cache is closed. The query is called as `createCaller` calls it, with all its
 * middlewares; where it fails, is somebody's own or not cached, there is a `keepFresh` event, and it is tried again: after a second, and
 * later each time, up to a minute.
 *
 * @throws TypeError for bad options, and for what is no query of the router
 */
export function keepFresh<R extends AnyTRPCRouter, P extends QueryPath<R>>(options: KeepFreshOptions<R, P>): KeptFresh {
  const internals = internalsOf(options?.cache)
  known('keepFresh', options, OPTIONS)
  const { router, createContext, input } = options
  const path: string = options.path
  if (typeof createContext !== 'function') {
    throw new TypeError(`createContext must be a function that returns a context, got ${show(createContext)}`)
  }
  const { lazy } = partsOf(router)
  if (chainOf(router, path) === undefined && !Object.keys(lazy).some((name) => isIn(path, name))) {
    throw new TypeError(`path must be that of a query of the router, got ${show(path)}`)
  }

  async function call(): Promise<void> {
    // A mutation must not be done to find out that it is one.
    await load(router, path)
    if (chainOf(router, path) === undefined) throw new Error(`the router has no query ${path}`)
    const caller: unknown = router.createCaller(await createContext())
    const procedure = path.split('.').reduce((at, name) => (at as Record<string, unknown>)[name], caller)
    await (procedure as (input: unknown) => Promise<unknown>)(input)
  }

  return internals.keep(`tRPC query ${path}`, async (renew) => {
    const renewal: Renewal = { internals, path, renew, taken: false, renewed: undefined }
    await renewing.run(renewal, call).catch((error: unknown) => {
      // What stands in front of the cache, such as a parser of outputs, has got nothing to answer.
      if (renewal.renewed === undefined) throw error
    })
    await renewal.renewed
  })
}

/** Loads the lazy routers on the way to the path. */
async function load(router: AnyTRPCRouter, path: string): Promise<void> {
  const { procedures, lazy } = partsOf(router)
  while (!Object.hasOwn(procedures, path)) {
    const name = Object.keys(lazy).find((one) => isIn(path, one))
    if (name === undefined) return
    await (lazy[name] as { load(): Promise<void> }).load()
    if (Object.hasOwn(lazy, name)) return // it would be loaded for ever
  }
}

function isIn(path: string, name: string): boolean {
  return path.startsWith(`${name}.`)
}
