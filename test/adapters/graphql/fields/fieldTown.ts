import type { GraphQLSchema } from 'graphql'
import { createSchema, createYoga, type Plugin, type YogaServerOptions } from 'graphql-yoga'
import { afterEach, expect, inject } from 'vitest'
import {
  type CachedFieldsMetadata,
  type CachedFieldsPluginOptions,
  cachedDirectiveTypeDefs,
  useCachedFields,
} from '../../../../src/adapters/graphql/directive.ts'
import { cacheControlTypeDefs, useAtomCache, type YogaCacheOptions } from '../../../../src/adapters/graphql/yoga.ts'
import { type Cache, type CacheOptions, createCache } from '../../../../src/index.ts'
import { redisStore } from '../../../../src/stores/redis/index.ts'
import { testNamespace } from '../../../redis/namespace.ts'
import { createGate, type Gate } from '../../gate.ts'
import { serveHttp } from '../../http.ts'
import { type Trace, traceOf } from '../../trace.ts'
import { PATIENT } from '../market.ts'

/** Who asks, as headers say it. */
export interface FieldContext {
  readonly user: string | undefined
  readonly language: string | undefined
}

export type FieldsOptions = Partial<CachedFieldsPluginOptions<FieldContext>>

/** What resolvers are made with. */
export interface Tools {
  /** Counts a run under the name, and waits at the gate. Gives its number among all runs. */
  run(what: string): Promise<number>
}

/** What may differ between the towns of two tests. */
export interface FieldTownOptions {
  /** Without the definitions of the directives. */
  readonly typeDefs: string
  /** As graphql-tools takes them: `{ extensions, resolve }` says `extensions.cached`. */
  readonly resolvers: (tools: Tools) => Record<string, unknown>
  readonly fields?: FieldsOptions
  /** By site, in place of `fields`. */
  readonly fieldsOf?: (index: number) => FieldsOptions
  /** With these options there is a cache of whole responses too. */
  readonly responses?: Partial<YogaCacheOptions<FieldContext>>
  /** Whether the plugin for fields is the one before that of responses. Default: `false`. */
  readonly fieldsFirst?: boolean
  readonly cache?: Partial<CacheOptions>
  /** By site, besides `cache`. */
  readonly cacheOf?: (index: number) => Partial<CacheOptions>
  /** Default: the Redis of all tests. */
  readonly redis?: string
  /** In Yoga's list of plugins, before and after the caches. */
  readonly before?: readonly Plugin[]
  readonly after?: readonly Plugin[]
  readonly yoga?: Partial<YogaServerOptions<object, object>>
}

export interface Asking {
  readonly user?: string
  readonly language?: string
  readonly variables?: Readonly<Record<string, unknown>>
}

export interface FieldAnswer {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  readonly data: Record<string, unknown> | null | undefined
  readonly errors: { readonly message: string; readonly path?: unknown; readonly extensions?: unknown }[] | undefined
  /** Where the values came from, by coordinate. */
  readonly came: CachedFieldsMetadata | undefined
}

/** A Yoga server over HTTP with a cache of its own. */
export interface FieldSite {
  readonly cache: Cache
  readonly url: string
  ask(query: string, asking?: Asking): Promise<FieldAnswer>
}

/** Two sites that meet in one Redis. */
export interface FieldTown {
  readonly sites: [a: FieldSite, b: FieldSite]
  readonly namespace: string
  /** What the resolvers of both ran, in order. */
  readonly runs: string[]
  readonly gate: Gate
  readonly trace: Trace
  /** Asks, and waits until all that came of it is in the store. */
  ask(site: 0 | 1, query: string, asking?: Asking): Promise<FieldAnswer>
  /** Asks the first site, then the second: its answer, where the value of the one cached field came from the store. */
  hit(query: string, asking?: Asking): Promise<FieldAnswer>
}

function schemaOf({ typeDefs, resolvers }: FieldTownOptions, tools: Tools): GraphQLSchema {
  return createSchema({
    typeDefs: [typeDefs, cachedDirectiveTypeDefs, cacheControlTypeDefs],
    resolvers: resolvers(tools) as never,
  }) as GraphQLSchema
}

/** Opens two sites for each test of the file, and closes them behind it. */
export function useFieldTown(): (options: FieldTownOptions) => Promise<FieldTown> {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
  })

  return async (options) => {
    const namespace = testNamespace('fields')
    const store = redisStore(options.redis ?? inject('redisUrl'))
    const gate = createGate()
    const runs: string[] = []
    const tools: Tools = {
      async run(what) {
        const count = runs.push(what)
        await gate.pass()
        return count
      },
    }
    const caches = [0, 1].map((index) =>
      createCache({ store, namespace, ...PATIENT, ...options.cache, ...options.cacheOf?.(index) }),
    )
    open.push(...caches)
    const trace = traceOf(...caches)
    const opening = caches.map(async (cache, index) => {
      await cache.ready()
      const server = await serveHttp(yogaOf(cache, index, options, tools))
      open.push(server)
      return { cache, url: server.url, ask: askingAt(server.url) }
    })
    const sites = (await Promise.all(opening)) as FieldTown['sites']
    const ask: FieldTown['ask'] = async (site, query, asking) => {
      const answer = await sites[site].ask(query, asking)
      await settled(caches)
      return answer
    }
    return {
      sites,
      namespace,
      runs,
      gate,
      trace,
      ask,
      async hit(query, asking) {
        const first = await ask(0, query, asking)
        const before = runs.length
        const second = await ask(1, query, asking)
        expect([first.errors, second.data, runs.length]).toEqual([undefined, first.data, before])
        expect(Object.values(second.came ?? {}).every(({ hit = 0 }) => hit > 0)).toBe(true)
        return second
      },
    }
  }
}

/** All that the caches sent has been done: what they send now comes after it, on the same connections. */
async function settled(caches: readonly Cache[]): Promise<void> {
  await Promise.all(caches.map((cache) => cache.has('nothing')))
}

function yogaOf(cache: Cache, index: number, options: FieldTownOptions, tools: Tools) {
  const { fields, fieldsOf, responses, fieldsFirst = false, before = [], after = [] } = options
  const ofFields = useCachedFields<FieldContext>({
    cache,
    includeExtensionMetadata: true,
    ...fields,
    ...fieldsOf?.(index),
  })
  const session = (_request: Request, { user }: FieldContext) => user ?? null
  const ofResponses = () =>
    useAtomCache<FieldContext>({ cache, ttl: 600_000, session, includeExtensionMetadata: true, ...responses })
  const caches = responses === undefined ? [ofFields] : [ofResponses(), ofFields]
  return createYoga({
    schema: schemaOf(options, tools),
    logging: false,
    context: ({ request }): FieldContext => ({
      user: request?.headers.get('authorization') ?? undefined,
      language: request?.headers.get('accept-language') ?? undefined,
    }),
    ...options.yoga,
    plugins: [...before, ...(fieldsFirst ? caches.reverse() : caches), ...after] as Plugin[],
  })
}

function askingAt(url: string): FieldSite['ask'] {
  return async (query, { user, language, variables } = {}) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(user === undefined ? {} : { authorization: user }),
        // `fetch` sends one of its own.
        'accept-language': language ?? '',
      },
      body: JSON.stringify({ query, variables }),
    })
    const text = await response.text()
    const body = JSON.parse(text) as Pick<FieldAnswer, 'data' | 'errors'> & {
      extensions?: { cachedFields?: CachedFieldsMetadata }
    }
    const { status, headers } = response
    const { data, errors, extensions } = body
    return { status, text, headers, data, errors, came: extensions?.cachedFields }
  }
}
