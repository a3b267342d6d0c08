import { initTRPC, type TRPCProcedureBuilder } from '@trpc/server'
import { ZodError } from 'zod'
import {
  type CacheMeta,
  cached,
  cachedByMeta,
  invalidates,
  type ProcedureCacheOptions,
} from '../../../src/adapters/trpc/index.ts'
import type { Cache } from '../../../src/index.ts'
import type { Shop } from './shop.ts'
import type { transformer } from './twins.ts'

export interface Context {
  /** Of the header `authorization`. */
  readonly user: string | undefined
  /** Of the header `accept-language`. */
  readonly language: string
  readonly shop: Shop
}

export interface Meta extends CacheMeta<Context> {
  /** Who may ask, besides those who are signed in. */
  readonly role?: 'admin'
}

/** As the application makes its procedures, before and after there was a cache. */
export function rootOf(given: typeof transformer | undefined) {
  return initTRPC
    .context<Context>()
    .meta<Meta>()
    .create({
      isDev: false, // no stacks in answers
      ...(given === undefined ? {} : { transformer: given }),
      errorFormatter: ({ shape, error, path, ctx }) => ({
        ...shape,
        data: {
          ...shape.data,
          language: ctx?.language,
          at: path,
          cause: error.cause instanceof Error ? error.cause.name : undefined,
          issues: error.cause instanceof ZodError ? error.cause.issues.map(({ message }) => message) : undefined,
        },
      }),
    })
}

type Builder<O, II, IO, OI, OO, E> = TRPCProcedureBuilder<Context, Meta, O, II, IO, OI, OO, false, E>
type Overwritten<O> = Omit<Context, keyof O> & O

/** What is done to procedures while they are made; the rest of the application is the same. */
export interface Making {
  readonly keeps: boolean
  /** To one that many are made from, where what authenticates is in it. */
  base<O, II, IO, OI, OO, E>(procedure: Builder<O, II, IO, OI, OO, E>): typeof procedure
  /** Before `.query()`. */
  query<O, II, IO, OI, OO, E>(
    procedure: Builder<O, II, IO, OI, OO, E>,
    options: ProcedureCacheOptions<Overwritten<O>, IO>,
  ): typeof procedure
  /** Before `.mutation()`. */
  mutation<O, II, IO, OI, OO, E>(
    procedure: Builder<O, II, IO, OI, OO, E>,
    tags: (call: { readonly input: IO }) => readonly string[],
  ): typeof procedure
}

// That a middleware of the cache changes no type is a fact of types.test-d.ts; inside a generic function it is beyond the compiler.
const same = <T>(procedure: unknown, _of: T) => procedure as T

const mutation =
  (cache: Cache): Making['mutation'] =>
  (procedure, tags) =>
    same(procedure.use(invalidates({ cache, tags: tags as (call: object) => readonly string[] })), procedure)

/** By name: without the cache, by a middleware of each query, and by one of all. */
export const MAKINGS: Readonly<Record<string, (cache: Cache) => Making>> = {
  'without the middleware': () => ({
    keeps: false,
    base: (procedure) => procedure,
    query: (procedure) => procedure,
    mutation: (procedure) => procedure,
  }),
  'with cached on every query': (cache) => ({
    keeps: true,
    base: (procedure) => procedure,
    query: (procedure, options) => same(procedure.use(cached({ ...(options as object), cache } as never)), procedure),
    mutation: mutation(cache),
  }),
  'with cachedByMeta': (cache) => {
    const byMeta = cachedByMeta<Context, Meta, object, unknown>({ cache })
    return {
      keeps: true,
      base: (procedure) => same(procedure.use(byMeta as never), procedure),
      query: (procedure, options) => same(procedure.meta({ cache: options as never }), procedure),
      mutation: mutation(cache),
    }
  },
}
