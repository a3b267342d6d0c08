import * as graphql from 'graphql'
import { afterEach } from 'vitest'
import { type Cache, type CacheOptions, createCache, type Store } from '../../../src/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { createGate, type Gate } from '../gate.ts'
import type { HttpServer } from '../http.ts'
import { type Kitchen, type ShopContext, shopSchema } from './schema.ts'

/** What may differ between the shops of two tests. */
export interface ShopOptions {
  session?: (context: ShopContext) => unknown
  /** Before and after the cache, in the framework's list of plugins. */
  before?: readonly object[]
  after?: readonly object[]
  cache?: Omit<CacheOptions, 'store' | 'namespace'>
  incremental?: boolean
  graphql?: typeof graphql
  /** Of the plugin, besides cache, ttl and session. */
  options?: object
  /** In place of that of the shops. */
  schema?: (kitchen: Kitchen) => graphql.GraphQLSchema
}

/** What a framework has to make a server of. */
export interface Site {
  readonly cache: Cache
  readonly schema: graphql.GraphQLSchema
  readonly session: (context: ShopContext) => never
  readonly before: readonly object[]
  readonly after: readonly object[]
  readonly graphql: typeof graphql
  readonly options: object
}

export type Serve = (site: Site) => Promise<HttpServer>

export interface Question {
  readonly variables?: object
  readonly operationName?: string
  readonly user?: string
  readonly accept?: string
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: graphql.ExecutionResult<Record<string, unknown>>
}

/** A GraphQL server over HTTP with a cache of its own. */
export interface Shop {
  readonly url: string
  readonly cache: Cache
  /** What its resolvers ran. */
  readonly runs: readonly string[]
  /** Asks over HTTP. */
  ask(query: string, question?: Question): Promise<Answer>
  post(query: string, question?: Question): Promise<Response>
}

/** Some shops that meet in one store and share a gate. */
export interface Town {
  readonly shops: [a: Shop, b: Shop]
  readonly gate: Gate
  /** Of all shops. */
  readonly runs: readonly string[]
}

export type OpenTown = (options?: ShopOptions) => Promise<Town>

/** Opens two shops for each test of the file, and closes them behind it. */
export function useTown(serve: Serve, storeOf: () => Store): OpenTown {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
  })

  return async (options = {}) => {
    const store = storeOf()
    const namespace = testNamespace('graphql')
    const gate = createGate()
    const all: string[] = []
    const shops = ['A', 'B'].map(async (name): Promise<Shop> => {
      const cache = createCache({ store, namespace, ...options.cache })
      open.push(cache)
      await cache.ready()
      const runs = recorder(all)
      const { graphql: engine = graphql, incremental = false, before = [], after = [] } = options
      const schema = (options.schema ?? shopSchema)({ graphql: engine, name, gate, runs, incremental })
      const session = options.session ?? (({ user }: ShopContext) => user ?? null)
      const server = await serve({
        cache,
        schema,
        session: session as Site['session'],
        before,
        after,
        graphql: engine,
        options: options.options ?? {},
      })
      open.push(server)
      return { url: server.url, cache, runs, ...client(`${server.url}/graphql`) }
    })
    return { shops: (await Promise.all(shops)) as Town['shops'], gate, runs: all }
  }
}

/** An array whose items are pushed into another one too. */
function recorder(all: string[]): string[] {
  const own: string[] = []
  const { push } = own
  own.push = (...items) => {
    all.push(...items)
    return push.apply(own, items)
  }
  return own
}

function client(url: string): Pick<Shop, 'ask' | 'post'> {
  const post = (query: string, { user, accept = 'application/json', signal, ...rest }: Question = {}) =>
    fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept,
        ...(user === undefined ? {} : { authorization: user }),
      },
      body: JSON.stringify({ query, ...rest }),
      ...(signal === undefined ? {} : { signal }),
    })
  return {
    post,
    async ask(query, question) {
      const response = await post(query, question)
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
    },
  }
}
