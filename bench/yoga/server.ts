/** GraphQL servers of those that are compared, in one process: an instance of each service. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { useResponseCache as useEnvelopCache } from '@envelop/response-cache'
import { createRedisCache } from '@envelop/response-cache-redis'
import { useResponseCache as usePluginCache } from '@graphql-yoga/plugin-response-cache'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { Redis } from 'ioredis'
import { serve } from '../../test/redis/child.ts'
import { built } from '../built.ts'
import { now } from '../now.ts'
import { valueFor } from '../value.ts'
import { type Site, TYPES } from './sites.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')
const { useAtomCache } = await built<typeof import('../../src/adapters/graphql/yoga.ts')>('yoga')

const TTL = 600_000
const session = () => null
const runs: { site: Site; id: string; at: number }[] = []

const calls = {
  /** Serves as the site of that name; its URL. */
  async start(site: Site, redis: string): Promise<string> {
    const schema = createSchema({
      typeDefs: TYPES,
      resolvers: {
        Query: {
          async shelf(_: unknown, { id, loaderTime }: { id: string; loaderTime: number }) {
            await delay(loaderTime)
            runs.push({ site, id, at: now() })
            return valueFor(id, 1024)
          },
        },
      },
    })
    const server = createServer(createYoga({ schema, logging: false, plugins: await pluginsOf(site, redis) }))
    server.keepAliveTimeout = 600_000 // the others have their turn meanwhile
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 })
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  },

  /** How often the resolver has run. */
  runs: (site: Site, id: string): number => runs.filter((run) => run.site === site && run.id === id).length,
}

export type ServerCalls = typeof calls

async function pluginsOf(site: Site, url: string): Promise<Plugin[]> {
  switch (site) {
    case 'Yoga without a cache':
      return []
    case 'atomcache': {
      // A server that is only slow is waited for, as by the others.
      const cache = createCache({ store: redisStore(url), commandTimeout: 5000 })
      await cache.ready()
      return [useAtomCache({ cache, ttl: TTL, session })]
    }
    case 'plugin-response-cache, Redis':
      return [usePluginCache({ session, ttl: TTL, cache: createRedisCache({ redis: new Redis(url) }) }) as Plugin]
    case 'envelop response-cache, Redis':
      return [useEnvelopCache({ session, ttl: TTL, cache: createRedisCache({ redis: new Redis(url) }) }) as Plugin]
    default:
      return site satisfies never
  }
}

serve(calls)
