/** The API that is asked under load, over HTTP: an item by its key, cached and not. */
import type { RequestListener } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import type { Cache } from 'atomcache'
import { cached } from 'atomcache/trpc'
import { useAtomCache } from 'atomcache/yoga'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { z } from 'zod'

export type ApiKind = 'yoga' | 'trpc'

export function listenerOf(kind: ApiKind, cache: Cache, origin: (key: string) => Promise<string>): RequestListener {
  return kind === 'yoga' ? yogaOf(cache, origin) : trpcOf(cache, origin)
}

function yogaOf(cache: Cache, origin: (key: string) => Promise<string>): RequestListener {
  const schema = createSchema({
    typeDefs: 'type Query { item(key: String!): String! }',
    resolvers: { Query: { item: (_parent: unknown, { key }: { key: string }) => origin(key) } },
  })
  const yoga = (path: string, plugins: Plugin[]) =>
    createYoga({ schema, plugins, logging: false, graphqlEndpoint: path })
  const [withCache, without] = [yoga('/cached', [useAtomCache({ cache, session: () => null })]), yoga('/bare', [])]
  return (request, response) => (request.url?.startsWith('/cached') ? withCache : without)(request, response)
}

function trpcOf(cache: Cache, origin: (key: string) => Promise<string>): RequestListener {
  const t = initTRPC.create()
  const keyed = t.procedure.input(z.string())
  const router = t.router({
    cached: keyed.use(cached({ cache, scope: null })).query(({ input }) => origin(input)),
    bare: keyed.query(({ input }) => origin(input)),
  })
  return createHTTPHandler({ router })
}
