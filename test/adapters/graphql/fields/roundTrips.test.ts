import DataLoader from 'dataloader'
import { createSchema, createYoga } from 'graphql-yoga'
import { Cluster } from 'ioredis'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { cachedDirectiveTypeDefs, useCachedFields } from '../../../../src/adapters/graphql/directive.ts'
import { createCache } from '../../../../src/index.ts'
import { type RedisSource, redisStore } from '../../../../src/stores/redis/index.ts'
import { testNamespace } from '../../../redis/namespace.ts'
import { countRoundTrips, type RoundTrips } from '../../../redis/roundTrips.ts'
import { sharedCluster } from '../../../redis/sharedCluster.ts'
import { serveHttp } from '../../http.ts'
import { traceOf } from '../../trace.ts'

const ITEMS = 1_000

/** Where the items are kept, with or without the network in which round trips are counted. */
const SERVERS = [
  { server: 'a single server', masters: 1, counted: countedSingle, direct: async () => inject('redisUrl') },
  { server: 'a cluster', masters: 3, counted: countedCluster, direct: async () => clusterOf(await sharedCluster()) },
]

const SHELVES = [
  { field: 'price', what: 'a cached field' },
  { field: 'tagged', what: 'a cached field with tags' },
]

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

describe.each(SERVERS)('1,000 list items on $server', { timeout: 60_000 }, ({ counted, direct, masters }) => {
  test.each(SHELVES)('with $what need at most 6 round trips as misses, and 3 as hits', async ({ field }) => {
    const { trips, source } = await counted()
    const shop = await openShop(source)
    await shop.ask(field, 'warm') // connections and scripts are there from here on
    await shop.published(ITEMS)

    const [cold, led] = await tripsOf(trips, async () => {
      const answer = await shop.ask(field, 'cold')
      await shop.published(2 * ITEMS)
      return answer
    })
    const [warm, hits] = await tripsOf(trips, () => shop.ask(field, 'cold'))
    expect(warm.data).toEqual(cold.data)
    expect([cold, warm].map(({ extensions }) => extensions?.cachedFields)).toEqual([
      { [`Item.${field}`]: { led: ITEMS } },
      { [`Item.${field}`]: { hit: ITEMS } },
    ])
    expect(led).toBeLessThanOrEqual(6)
    expect(hits).toBeLessThanOrEqual(3)
    // Or nothing was counted.
    expect([led, hits].map((count) => count > 0)).toEqual([true, true])
  })

  test.each(SHELVES)(
    'with $what that are stale need no more than hits, and at most 4 behind the answer',
    async ({ field }) => {
      const { trips, source } = await counted()
      const shop = await openShop(source)
      await shop.ask(field, 'warm')
      await shop.published(ITEMS)
      await shop.aged()
      const [answer, all] = await tripsOf(trips, async () => {
        const [stale, before] = await tripsOf(trips, () => shop.ask(field, 'warm'))
        expect(before).toBeGreaterThan(0)
        expect(before).toBeLessThanOrEqual(3)
        await shop.published(2 * ITEMS)
        return stale
      })
      expect(answer.extensions?.cachedFields).toEqual({ [`Item.${field}`]: { stale: ITEMS } })
      expect(all).toBeLessThanOrEqual(3 + 4)
      // What they are resolved with behind the answer is loaded together too.
      expect(shop.batches.reduce((a, b) => a + b, 0)).toBe(2 * ITEMS)
      expect(shop.batches.length).toBeLessThanOrEqual(2 * masters)
      const again = await shop.ask(field, 'warm')
      expect(again.extensions?.cachedFields).toEqual({ [`Item.${field}`]: { hit: ITEMS } })
    },
  )

  test.each(SHELVES)('with $what are loaded by a DataLoader in one batch for each master', async ({ field }) => {
    const shop = await openShop(await direct())
    await shop.ask(field, 'cold')
    expect(shop.batches.reduce((a, b) => a + b, 0)).toBe(ITEMS)
    expect(shop.batches.length).toBeLessThanOrEqual(masters)
  })
})

async function tripsOf<T>(trips: RoundTrips, run: () => Promise<T>): Promise<[result: T, count: number]> {
  const before = trips.count
  return [await run(), trips.count - before]
}

/** A shop on Yoga whose prices come from a DataLoader. */
async function openShop(source: RedisSource) {
  // Replies are held back, and the machine may be busy.
  const cache = createCache({ store: redisStore(source), namespace: testNamespace('trips'), commandTimeout: 10_000 })
  ends.push(() => cache.close())
  await cache.ready()
  const trace = traceOf(cache)
  const batches: number[] = []
  const yoga = createYoga({
    schema: schemaOf(),
    logging: false,
    context: () => ({ prices: pricesOf(batches) }),
    plugins: [useCachedFields({ cache, includeExtensionMetadata: true })],
  })
  const server = await serveHttp(yoga)
  ends.push(() => server[Symbol.asyncDispose]())
  return {
    /** Sizes of what was loaded together. */
    batches,
    async ask(field: string, shelf: string) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: `{ items(shelf: "${shelf}") { id ${field} } }` }),
      })
      const answer = (await response.json()) as Answer
      expect(answer.errors).toBeUndefined()
      expect(answer.data.items.filter((item) => item[field] === `${item.id} €`)).toHaveLength(ITEMS)
      return answer
    },
    published: (count: number) => trace.saw('publish', count),
    /** All that was stored is as it was, and has been fresh. */
    async aged() {
      const keys = trace.of('publish').map(({ key }) => JSON.parse(key) as readonly unknown[])
      const values = await cache.getMany(keys)
      const entries = keys.map((key, i) => [key, values[i]] as const)
      await cache.setMany(entries, { ttl: 1, staleWhileRevalidate: 600_000 })
      await expect.poll(async () => (await cache.entry(keys.at(-1) ?? []))?.ttl).toBeLessThan(0)
    },
  }
}

interface Answer {
  readonly data: { readonly items: readonly Record<string, string>[] }
  readonly errors?: unknown
  readonly extensions?: { readonly cachedFields?: unknown }
}

interface Context {
  readonly prices: DataLoader<string, string>
}

function pricesOf(batches: number[]): Context['prices'] {
  return new DataLoader(async (ids) => {
    batches.push(ids.length)
    return ids.map((id) => `${id} €`)
  })
}

function schemaOf() {
  const price = ({ id }: { id: string }, _args: object, { prices }: Context) => prices.load(id)
  return createSchema<Context>({
    typeDefs: [
      cachedDirectiveTypeDefs,
      /* GraphQL */ `
        type Query { items(shelf: ID!): [Item!]! }
        type Item {
          id: ID!
          price: String! @cached(maxAge: 60, scope: PUBLIC)
          tagged: String! @cached(maxAge: 60, scope: PUBLIC, tags: ["Item:{parent.id}", "prices"])
        }
      `,
    ],
    resolvers: {
      Query: {
        items: (_, { shelf }: { shelf: string }) => Array.from({ length: ITEMS }, (_, i) => ({ id: `${shelf}-${i}` })),
      },
      Item: { price, tagged: price },
    },
  })
}

async function countedSingle() {
  const url = new URL(inject('redisUrl'))
  const trips = await countRoundTrips([{ host: url.hostname, port: Number(url.port || 6379) }])
  ends.push(() => trips[Symbol.asyncDispose]())
  url.host = `127.0.0.1:${trips.addresses[0]?.port}`
  return { trips, source: url.href as RedisSource }
}

async function countedCluster() {
  const nodes = await sharedCluster()
  const trips = await countRoundTrips(nodes)
  ends.push(() => trips[Symbol.asyncDispose]())
  return { trips, source: clusterOf(trips.addresses, trips.natMap) as RedisSource }
}

function clusterOf(nodes: readonly { host: string; port: number }[], natMap = {}): RedisSource {
  const cluster = new Cluster([...nodes], { natMap, lazyConnect: true })
  ends.push(() => cluster.disconnect())
  return cluster
}
