import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { GraphQLError } from 'graphql'
import { createSchema, createYoga, type Plugin, type YogaServerInstance, type YogaServerOptions } from 'graphql-yoga'
import { afterEach, inject } from 'vitest'
import {
  cacheControlTypeDefs,
  setCacheHint,
  useAtomCache,
  type YogaCacheOptions,
} from '../../../src/adapters/graphql/yoga.ts'
import { type Cache, type CacheOptions, createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { createGate, type Gate } from '../gate.ts'
import { serveHttp } from '../http.ts'
import { type Trace, traceOf } from '../trace.ts'

/** What may differ between the towns of two tests. */
export interface TownOptions {
  /** Of the cache plugin. */
  readonly plugin?: Partial<YogaCacheOptions<{ user: string | undefined }>>
  /** Defaults of the caches. */
  readonly cache?: Omit<CacheOptions, 'store' | 'namespace'>
  /** In Yoga's list of plugins, before and after the cache. */
  readonly before?: readonly Plugin[]
  readonly after?: readonly Plugin[]
  readonly yoga?: Partial<YogaServerOptions<object, object>>
}

export interface HttpAnswer {
  readonly status: number
  /** By name in lower case; of several fields of one name the text that joins them. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

/** A Yoga server over HTTP with a cache of its own. */
export interface Site {
  readonly url: string
  readonly cache: Cache
  readonly yoga: YogaServerInstance<object, object>
  /** Sends nothing that is not said, as `fetch` would. */
  send(method: string, path: string, headers?: Record<string, string>, body?: unknown): Promise<HttpAnswer>
  /** Asks by GET. */
  get(query: string, headers?: Record<string, string>): Promise<HttpAnswer>
  /** Asks by POST: one operation, or a batch. */
  post(body: object, headers?: Record<string, string>): Promise<HttpAnswer>
  /** As graphql-ws does it: there is no HTTP request. */
  execute(query: string): Promise<unknown>
}

/** Two sites that meet in one Redis. */
export interface HttpTown {
  readonly sites: [a: Site, b: Site]
  /** What their resolvers ran, in order. */
  readonly runs: readonly string[]
  readonly gate: Gate
  readonly trace: Trace
}

export type OpenHttpTown = (options?: TownOptions) => Promise<HttpTown>

/** What is said of its fields differs; what they give is new with each run. `authorization` is the user. */
const TYPES = /* GraphQL */ `
  directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @stream(if: Boolean, label: String, initialCount: Int = 0) on FIELD
  type Query {
    news: String!
    weather: String! @cacheControl(maxAge: 60)
    tides: String! @cacheControl(maxAge: 3600)
    mine: String! @cacheControl(maxAge: 60, scope: PRIVATE)
    never: String! @cacheControl(maxAge: 0)
    hinted(maxAge: Int!): String!
    fails: String
    letters: [String!]!
  }
  type Mutation { write: String! }
`

type Context = { user: string | undefined }

/** Opens two sites over Redis for each test of the file, and closes them behind it. */
export function useHttpTown(): OpenHttpTown {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
  })

  return async ({ plugin = {}, cache: defaults = {}, before = [], after = [], yoga: options = {} } = {}) => {
    const namespace = testNamespace('http')
    const store = redisStore(inject('redisUrl'))
    const gate = createGate()
    const runs: string[] = []
    const caches = ['A', 'B'].map(() => createCache({ store, namespace, ...defaults }))
    open.push(...caches)
    const sites = caches.map(async (cache) => {
      await cache.ready()
      const yoga = createYoga({
        schema: createSchema({ typeDefs: [TYPES, cacheControlTypeDefs], resolvers: resolversOf(runs, gate) }),
        logging: false,
        context: ({ request }) => ({ user: request?.headers.get('authorization') ?? undefined }),
        ...options,
        plugins: [
          ...before,
          useAtomCache<Context>({ cache, ttl: 600_000, session: (_request, { user }) => user ?? null, ...plugin }),
          ...after,
        ],
      })
      const server = await serveHttp(yoga)
      open.push(server)
      return {
        ...siteOf(server.url),
        cache,
        yoga: yoga as YogaServerInstance<object, object>,
        async execute(query) {
          const { schema, parse, execute, contextFactory } = yoga.getEnveloped({ params: { query } })
          return execute({ schema, document: parse(query), contextValue: await contextFactory() })
        },
      } satisfies Site
    })
    return { sites: (await Promise.all(sites)) as HttpTown['sites'], runs, gate, trace: traceOf(...caches) }
  }
}

function resolversOf(runs: string[], gate: Gate) {
  async function run(what: string, { user = 'nobody' }: Context): Promise<string> {
    const value = `${what} ${runs.push(what)} for ${user}`
    await gate.pass()
    return value
  }
  const field = (what: string) => (_parent: unknown, _args: unknown, context: Context) => run(what, context)
  return {
    Query: {
      news: field('news'),
      weather: field('weather'),
      tides: field('tides'),
      mine: field('mine'),
      never: field('never'),
      hinted(
        _parent: unknown,
        { maxAge }: { maxAge: number },
        context: Context,
        info: Parameters<typeof setCacheHint>[0],
      ) {
        setCacheHint(info, { maxAge })
        return run('hinted', context)
      },
      async fails(_parent: unknown, _args: unknown, context: Context) {
        throw new GraphQLError(await run('fails', context))
      },
      async *letters(_parent: unknown, _args: unknown, context: Context) {
        for (const letter of 'ab') yield await run(letter, context)
      },
    },
    Mutation: { write: field('write') },
  }
}

function siteOf(url: string): Omit<Site, 'execute' | 'cache' | 'yoga'> {
  const send: Site['send'] = async (method, path, headers = {}, body = undefined) => {
    const sent = body === undefined ? undefined : JSON.stringify(body)
    const length = sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }
    const outgoing = request(url + path, { method, agent: false, headers: { ...length, ...headers } })
    outgoing.end(sent)
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve).on('error', reject)
    })
    const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
    return { status: response.statusCode as number, headers: Object.fromEntries(fields), text: await text(response) }
  }
  return {
    url,
    send,
    get: (query, headers) => send('GET', pathOf(query), { accept: 'application/json', ...headers }),
    post: (body, headers) =>
      send('POST', '/graphql', { accept: 'application/json', 'content-type': 'application/json', ...headers }, body),
  }
}

/** Where a query is found by GET. */
export function pathOf(query: string): string {
  return `/graphql?query=${encodeURIComponent(query)}`
}
