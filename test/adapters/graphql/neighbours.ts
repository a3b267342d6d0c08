import { createHash } from 'node:crypto'
import { useDepthLimit } from '@envelop/depth-limit'
import { useDisableIntrospection } from '@envelop/disable-introspection'
import { createUnauthenticatedError, useGenericAuth } from '@envelop/generic-auth'
import { useGraphQlJit } from '@envelop/graphql-jit'
import { useParserCache } from '@envelop/parser-cache'
import { useRateLimiter } from '@envelop/rate-limiter'
import { useResponseCache } from '@envelop/response-cache'
import { useValidationCache } from '@envelop/validation-cache'
import { EnvelopArmorPlugin } from '@escape.tech/graphql-armor'
import { useAPQ } from '@graphql-yoga/plugin-apq'
import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention'
import { useDeferStream } from '@graphql-yoga/plugin-defer-stream'
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations'
import { type FieldNode, parse } from 'graphql'
import type { ShopContext } from './schema.ts'
import type { Shop } from './shop.ts'

export type Side = 'before' | 'after'

/** A plugin of others, next to the cache. */
export interface Neighbour {
  readonly name: string
  /** New for each test. */
  plugins(): object[]
  /** As the plugin wants it asked. Default: a POST of the query. */
  ask?(shop: Shop, query: string, user: string | undefined): Promise<Response>
  /** It has no place in plain envelop. */
  readonly yogaOnly?: boolean
  /** Where it may stand in the list of plugins. Default: before the cache, and after it. */
  readonly sides?: readonly Side[]
}

export const ME = 'query Me { me }'
export const MINE = 'query Mine { me product(id: 1) { id name } }'
const OPERATIONS = [ME, MINE]

export const post: NonNullable<Neighbour['ask']> = (shop, query, user) =>
  shop.post(query, user === undefined ? {} : { user })

function send(shop: Shop, user: string | undefined, { url = '', ...init }: RequestInit & { url?: string }) {
  const headers = {
    accept: 'application/json',
    ...init.headers,
    ...(user === undefined ? {} : { authorization: user }),
  }
  return fetch(`${shop.url}/graphql${url}`, { ...init, headers })
}

/** By its hash alone, and with its text where that is not known. */
export async function askPersisted(shop: Shop, query: string, user: string | undefined): Promise<Response> {
  const sha256Hash = createHash('sha256').update(query).digest('hex')
  const ask = (more: object) =>
    send(shop, user, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...more, extensions: { persistedQuery: { version: 1, sha256Hash } } }),
    })
  const known = await ask({})
  if (known.ok) return known
  await known.text()
  return ask({ query })
}

const byHash = new Map(OPERATIONS.map((query) => [createHash('sha256').update(query).digest('hex'), query]))

export const get =
  (headers: Record<string, string>): NonNullable<Neighbour['ask']> =>
  (shop, query, user) =>
    send(shop, user, { url: `?query=${encodeURIComponent(query)}`, headers })

export const NEIGHBOURS: readonly Neighbour[] = [
  { name: '@envelop/parser-cache', plugins: () => [useParserCache()] },
  { name: '@envelop/validation-cache', plugins: () => [useValidationCache()] },
  // It replaces the executor, whatever that is.
  { name: '@envelop/graphql-jit', plugins: () => [useGraphQlJit()], sides: ['before'] },
  {
    name: '@envelop/graphql-jit with its own JSON',
    plugins: () => [useGraphQlJit({ customJSONSerializer: true })],
    sides: ['before'],
  },
  {
    name: '@graphql-yoga/plugin-persisted-operations, with texts',
    plugins: () => [usePersistedOperations({ getPersistedOperation: (key) => byHash.get(key) ?? null })],
    ask: askPersisted,
    yogaOnly: true,
  },
  {
    name: '@graphql-yoga/plugin-persisted-operations, with documents',
    plugins() {
      const documents = new Map([...byHash].map(([key, query]) => [key, parse(query)]))
      return [usePersistedOperations({ getPersistedOperation: (key) => documents.get(key) ?? null })]
    },
    ask: askPersisted,
    yogaOnly: true,
  },
  { name: '@graphql-yoga/plugin-apq', plugins: () => [useAPQ()], ask: askPersisted, yogaOnly: true },
  {
    name: '@graphql-yoga/plugin-csrf-prevention',
    plugins: () => [useCSRFPrevention()],
    ask: get({ 'x-graphql-yoga-csrf': '1' }),
    yogaOnly: true,
  },
  { name: '@envelop/rate-limiter', plugins: () => [limitRate()] },
  { name: '@envelop/depth-limit', plugins: () => [useDepthLimit({ maxDepth: 4, ignore: [] })] },
  { name: '@escape.tech/graphql-armor', plugins: () => [EnvelopArmorPlugin() as object] },
  { name: '@envelop/generic-auth', plugins: () => [authenticate()] },
  { name: '@envelop/disable-introspection', plugins: () => [useDisableIntrospection()] },
  { name: '@graphql-yoga/plugin-defer-stream', plugins: () => [useDeferStream()], yogaOnly: true },
  {
    name: '@envelop/response-cache',
    plugins: () => [useResponseCache({ session: (context) => (context as ShopContext).user ?? null })],
    // What it adds to the document it removes behind all executors: before the cache that would be stored with the rest.
    sides: ['after'],
  },
]

export function limitRate(max = 9): object {
  return useRateLimiter({
    identifyFn: (context) => (context as unknown as ShopContext).user ?? 'anonymous',
    configByField: [{ type: 'Query', field: 'me', max, window: '1h' }],
  })
}

/** Who has no name gets nothing; or, where it is `partly`, all but what is of a user. */
export function authenticate(partly = false): object {
  return useGenericAuth({
    mode: 'protect-all',
    resolveUserFn: (context: unknown) => (context as ShopContext).user ?? null,
    ...(partly ? { rejectUnauthenticated: false, validateUser: refuseMe } : {}),
  } as unknown as Parameters<typeof useGenericAuth>[0])
}

interface Refusable {
  readonly user: string | null
  readonly fieldNode: FieldNode
  readonly path: readonly (string | number)[]
}

function refuseMe({ user, fieldNode, path }: Refusable) {
  return user === null && fieldNode.name.value === 'me' ? createUnauthenticatedError({ fieldNode, path }) : undefined
}
