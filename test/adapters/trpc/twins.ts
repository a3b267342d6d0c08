import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink, type TRPCClient } from '@trpc/client'
import { type AnyRouter, initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { parse, stringify } from 'devalue'
import { afterEach } from 'vitest'
import { type CacheHeadersOptions, cacheContext, cacheHeaders } from '../../../src/adapters/trpc/index.ts'
import { type Cache, type CacheOptions, createCache, type Store } from '../../../src/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { createGate, type Gate } from '../gate.ts'
import { serveHttp } from '../http.ts'

export interface Context {
  readonly user: string | undefined
}

export const t = initTRPC.context<Context>().create()

/** As users bring it: the values of devalue, over HTTP. */
export const transformer = {
  serialize: (value: unknown) => stringify(value),
  deserialize: (text: string): unknown => parse(text),
}

/** What the router of one instance is made with. */
export interface Bench {
  readonly cache: Cache
  /** Notes that a procedure ran and waits at the gate; returns what names the run and its instance. */
  run(what: string): Promise<string>
}

const LINKS = { single: httpLink, batch: httpBatchLink, stream: httpBatchStreamLink }

/** An instance: a standalone HTTP server with a cache of its own. */
export interface Twin<R extends AnyRouter> {
  readonly url: string
  readonly cache: Cache
  readonly router: R
  client(options?: { user?: string; link?: keyof typeof LINKS }): TRPCClient<R>
}

export interface Twins<R extends AnyRouter> {
  readonly a: Twin<R>
  readonly b: Twin<R>
  readonly gate: Gate
  /** What ran, in both. */
  readonly runs: readonly string[]
  /** What the servers' `onError` was told. */
  readonly errors: readonly { readonly code: string; readonly message: string }[]
}

export interface TwinOptions {
  cache?: Omit<CacheOptions, 'store' | 'namespace'>
  transformer?: typeof transformer
  /** Says in the headers how the calls were answered. */
  headers?: CacheHeadersOptions
}

/** Opens two instances for each test of the file, and closes them behind it. */
export function useTwins(storeOf: () => Store) {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
  })

  return async <R extends AnyRouter>(routerOf: (bench: Bench) => R, options: TwinOptions = {}): Promise<Twins<R>> => {
    const store = storeOf()
    const namespace = testNamespace('trpc')
    const gate = createGate()
    const runs: string[] = []
    const errors: { code: string; message: string }[] = []

    async function openTwin(name: string): Promise<Twin<R>> {
      const cache = createCache({ store, namespace, ...options.cache })
      open.push(cache)
      await cache.ready()
      const run = async (what: string) => {
        const served = `${what} by ${name}${runs.push(what)}`
        await gate.pass()
        return served
      }
      const router = routerOf({ cache, run })
      const handler = createHTTPHandler({
        router,
        createContext: ({ req }) => ({ user: req.headers.authorization, ...(options.headers && cacheContext()) }),
        ...(options.headers && { responseMeta: cacheHeaders(options.headers) }),
        onError: ({ error }) => errors.push(error),
      })
      const server = await serveHttp(handler)
      open.push(server)
      const { url } = server
      return {
        url,
        cache,
        router,
        client({ user, link = 'single' } = {}) {
          const headers = user === undefined ? {} : { authorization: user }
          // Whether a link needs a transformer is decided by the type of a router, which is not known here.
          const given = { url, headers, transformer: options.transformer } as never
          return createTRPCClient<R>({ links: [LINKS[link](given)] })
        },
      }
    }

    const [a, b] = await Promise.all([openTwin('A'), openTwin('B')])
    return { a, b, gate, runs, errors }
  }
}
