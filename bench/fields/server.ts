/** One GraphQL server of those that are compared, in a process of its own: it says what CPU time it used. */
import type { RequestListener } from 'node:http'
import DataLoader from 'dataloader'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { Redis } from 'ioredis6'
import { built } from '../built.ts'
import { serveContestant } from '../http/contestant.ts'
import { priceOf, productsOf } from '../products.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')
const { cachedDirectiveTypeDefs, useCachedFields } =
  await built<typeof import('../../src/adapters/graphql/directive.ts')>('directive')

export type Contestant =
  | 'no plugin'
  | 'no plugin, again'
  | 'plugin'
  | 'field by hand'
  | 'field'
  | 'field with windows'
  | 'list by hand'
  | 'list by DataLoader'
  | 'list'
  | 'list with windows'

/** What differs from a schema in which nothing is cached. */
interface Variant {
  readonly directive?: { readonly products?: string; readonly price?: string }
  readonly products?: (first: number) => unknown
  readonly items?: (first: number) => unknown
  readonly price?: (id: string, context: { prices?: DataLoader<string, unknown> }) => unknown
  readonly context?: () => object
}

const CACHED = '@cached(maxAge: 600, scope: PUBLIC)'
const WITH_WINDOWS = '@cached(maxAge: 600, staleWhileRevalidate: 600, staleIfError: 86400, scope: PUBLIC)'

function variantOf(contestant: Contestant, redis: Redis): Variant {
  switch (contestant) {
    case 'field':
      return { directive: { products: CACHED } }
    case 'field with windows':
      return { directive: { products: WITH_WINDOWS } }
    case 'list':
      return { directive: { price: CACHED } }
    case 'list with windows':
      return { directive: { price: WITH_WINDOWS } }
    case 'field by hand':
      return { products: (first) => byHand(redis, first) }
    case 'list by hand':
      return { items: (first) => itemsByHand(redis, first) }
    case 'list by DataLoader':
      return {
        price: (id, { prices }) => prices?.load(id),
        context: () => ({ prices: new DataLoader((ids: readonly string[]) => pricesOf(redis, ids), { cache: false }) }),
      }
    default:
      return {}
  }
}

/** The least that a resolver can do. */
async function byHand(redis: Redis, first: number): Promise<unknown> {
  const key = `by hand:products:${first}`
  const text = await redis.get(key)
  if (text !== null) return JSON.parse(text)
  const products = productsOf(first)
  await redis.set(key, JSON.stringify(products), 'PX', 600_000)
  return products
}

async function itemsByHand(redis: Redis, first: number): Promise<unknown> {
  const items = itemsOf(first)
  const prices = await pricesOf(
    redis,
    items.map(({ id }) => id),
  )
  return items.map((item, i) => ({ ...item, price: prices[i] }))
}

async function pricesOf(redis: Redis, ids: readonly string[]): Promise<unknown[]> {
  const keys = ids.map((id) => `by hand:price:${id}`)
  const texts = await redis.mget(keys)
  const prices = texts.map((text, i) => (text === null ? priceOf(ids[i] as string) : JSON.parse(text)))
  const missing = keys.flatMap((key, i) => (texts[i] === null ? [key, JSON.stringify(prices[i])] : []))
  if (missing.length > 0) await redis.mset(missing)
  return prices
}

const itemsOf = (first: number) => Array.from({ length: first }, (_, i) => ({ id: String(i) }))

function schemaOf({ directive = {}, products = productsOf, items = itemsOf, price }: Variant) {
  return createSchema({
    typeDefs: [
      cachedDirectiveTypeDefs,
      /* GraphQL */ `
        type Query {
          products(first: Int!): [Product!]! ${directive.products ?? ''}
          items(first: Int!): [Item!]!
        }
        type Product { id: ID! name: String! price: Float! inStock: Boolean! rating: Float category: Category! }
        type Category { id: ID! name: String! }
        type Item { id: ID! price: Price! ${directive.price ?? ''} }
        type Price { amount: Float! currency: String! }
      `,
    ],
    resolvers: {
      Query: {
        products: (_: unknown, { first }: { first: number }) => products(first),
        items: (_: unknown, { first }: { first: number }) => items(first),
      },
      Item: {
        price: (item: { id: string; price?: unknown }, _: unknown, context: object) =>
          item.price ?? (price ?? priceOf)(item.id, context),
      },
    },
  })
}

async function pluginsOf(contestant: Contestant, redisUrl: string): Promise<Plugin[]> {
  if (contestant !== 'plugin' && !/^(?:field|list)(?: with windows)?$/.test(contestant)) return []
  const cache = createCache({ namespace: contestant.replaceAll(' ', '-'), store: redisStore(redisUrl) })
  await cache.ready()
  return [useCachedFields({ cache })]
}

serveContestant('/graphql', async (contestant: Contestant, redisUrl): Promise<RequestListener> => {
  const variant = variantOf(contestant, new Redis(redisUrl))
  const yoga = createYoga({
    schema: schemaOf(variant),
    logging: false,
    plugins: await pluginsOf(contestant, redisUrl),
    ...(variant.context === undefined ? {} : { context: variant.context }),
  })
  return yoga
})
