import { describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { isCached, market, PATIENT } from './market.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

const SDL = /* GraphQL */ `
  interface Priced { price: Int }
  type Product implements Priced { id: ID!, price: Int, stock: Int, maker: Maker }
  type Maker { name: String }
  union Thing = Product | Maker
  type Query {
    title: String
    product(id: ID = "1"): Product
    products(ids: [ID!]!): [Product!]!
    maker: Maker
    priced: Priced
    thing(is: String = "Product"): Thing
  }
`

const maker = { __typename: 'Maker', name: 'Ann' }
const product = (id: string) => ({ __typename: 'Product', id, price: 5, stock: 1, maker })

const schema = market(SDL, () => ({
  Query: {
    title: () => 'Shop',
    product: (_parent, { id }) => (id === 'none' ? null : product(id)),
    products: (_parent, { ids }) => ids.map(product),
    maker: () => maker,
    priced: () => product('1'),
    thing: (_parent, { is }) => (is === 'Maker' ? maker : product('1')),
  },
}))

interface Case {
  readonly what: string
  readonly options: object
  readonly query: string
  /** ms; 0 for what is not cached. */
  readonly ttl: number
}

const fields = (ttls: object) => ({ ttlPerSchemaCoordinate: ttls })

const TTLS: readonly Case[] = [
  { what: 'the option ttl', options: { ttl: 5000 }, query: '{ title }', ttl: 5000 },
  { what: 'the option ttl, 0', options: { ttl: 0 }, query: '{ title }', ttl: 0 },
  { what: 'the ttl of the cache', options: { ttl: undefined }, query: '{ title }', ttl: 7000 },
  { what: 'a field', options: fields({ 'Query.title': 9000 }), query: '{ title }', ttl: 9000 },
  { what: 'a field, longer than ttl', options: fields({ 'Query.title': 90_000 }), query: '{ title }', ttl: 90_000 },
  { what: 'a field where ttl is 0', options: { ttl: 0, ...fields({ 'Query.title': 9 }) }, query: '{ title }', ttl: 9 },
  { what: 'a field, 0', options: fields({ 'Query.title': 0 }), query: '{ title product { id } }', ttl: 0 },
  { what: 'a field, undefined', options: fields({ 'Query.title': undefined }), query: '{ title }', ttl: 60_000 },
  { what: 'a field under an alias', options: fields({ 'Query.title': 0 }), query: '{ product: title }', ttl: 0 },
  {
    what: 'the least of fields',
    options: fields({ 'Product.price': 40, 'Product.stock': 30 }),
    query: '{ product { price stock } }',
    ttl: 30,
  },
  {
    what: 'a field that is skipped',
    options: fields({ 'Product.price': 40 }),
    query: '{ product { id price @skip(if: true) } }',
    ttl: 40,
  },
  {
    what: 'a field of an object that is null',
    options: fields({ 'Product.price': 0 }),
    query: '{ product(id: "none") { price } }',
    ttl: 0,
  },
  {
    what: 'a field in a named fragment',
    options: fields({ 'Product.price': 40 }),
    query: '{ product { ...P } } fragment P on Product { price }',
    ttl: 40,
  },
  { what: 'a field of an interface', options: fields({ 'Priced.price': 40 }), query: '{ priced { price } }', ttl: 40 },
  {
    what: 'a field that an interface has too',
    options: fields({ 'Product.price': 40 }),
    query: '{ priced { ... on Product { price } } }',
    ttl: 40,
  },
  { what: 'a type', options: fields({ Product: 300 }), query: '{ product { id } }', ttl: 300 },
  { what: 'a type, 0', options: fields({ Product: 0 }), query: '{ title products(ids: [1]) { id } }', ttl: 0 },
  {
    what: 'a type that is not in the result',
    options: fields({ Maker: 0 }),
    query: '{ thing { ... on Maker { name } } }',
    ttl: 60_000,
  },
  { what: 'a type that is', options: fields({ Maker: 0 }), query: '{ thing(is: "Maker") { __typename } }', ttl: 0 },
  {
    what: 'a type where null is',
    options: fields({ Product: 300 }),
    query: '{ product(id: "none") { id } }',
    ttl: 300,
  },
  {
    what: 'a type where an empty list is',
    options: fields({ Product: 300 }),
    query: '{ products(ids: []) { id } }',
    ttl: 300,
  },
  { what: 'an interface', options: fields({ Priced: 300 }), query: '{ product { id } }', ttl: 300 },
  { what: 'a union', options: fields({ Thing: 300 }), query: '{ thing { __typename } }', ttl: 300 },
  { what: 'the root type', options: fields({ Query: 300 }), query: '{ title }', ttl: 300 },
  { what: 'ttlPerType', options: { ttlPerType: { Product: 200 } }, query: '{ product { id } }', ttl: 200 },
  {
    what: 'the least of both',
    options: { ttlPerType: { Product: 200 }, ...fields({ Product: 300 }) },
    query: '{ product { id } }',
    ttl: 200,
  },
  {
    what: 'the least of type and field',
    options: fields({ Maker: 20, 'Query.product': 30 }),
    query: '{ product { maker { name } } }',
    ttl: 20,
  },
  {
    what: 'an ignored type',
    options: { ignoredTypes: ['Maker'] },
    query: '{ title product { maker { name } } }',
    ttl: 0,
  },
  {
    what: 'an ignored type that is not there',
    options: { ignoredTypes: ['Maker'] },
    query: '{ thing { ... on Maker { name } } }',
    ttl: 60_000,
  },
  { what: 'an ignored interface', options: { ignoredTypes: ['Priced'] }, query: '{ product { id } }', ttl: 0 },
  { what: 'an ignored union', options: { ignoredTypes: ['Thing'] }, query: '{ maker { name } }', ttl: 0 },
  { what: 'introspection', options: {}, query: '{ __schema { queryType { name } } }', ttl: 0 },
  { what: 'introspection of a type beside', options: {}, query: '{ title __type(name: "Maker") { name } }', ttl: 0 },
  {
    what: 'introspection that may be',
    options: fields({ 'Query.__schema': 50 }),
    query: '{ __schema { queryType { name } } }',
    ttl: 50,
  },
  {
    what: 'introspection that is said to be as all else',
    options: fields({ 'Query.__schema': undefined }),
    query: '{ __schema { queryType { name } } }',
    ttl: 60_000,
  },
  {
    what: 'onTtl that raises',
    options: { onTtl: ({ ttl }: { ttl: number }) => ttl * 2 },
    query: '{ title }',
    ttl: 120_000,
  },
  { what: 'onTtl that says 0', options: { onTtl: () => 0 }, query: '{ title }', ttl: 0 },
  {
    what: 'onTtl that sees what was computed',
    options: { ...fields({ 'Query.title': 4 }), onTtl: ({ ttl }: { ttl: number }) => ttl + 1 },
    query: '{ title }',
    ttl: 5,
  },
  { what: 'onTtl that gives no number', options: { onTtl: () => Number.NaN }, query: '{ title }', ttl: 0 },
  {
    what: 'onTtl that throws',
    options: {
      onTtl: () => {
        throw new Error('no')
      },
    },
    query: '{ title }',
    ttl: 0,
  },
  {
    what: 'onTtl that sees the context',
    options: { onTtl: ({ context }: { context: { user?: string } }) => (context.user === undefined ? 77 : 0) },
    query: '{ title }',
    ttl: 77,
  },
]

describe.each([
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
])('how long a response is kept, in $framework', ({ serve }) => {
  const openTown = useTown(serve, () => redisStore(inject('redisUrl')))
  const open = (options: object, more: object = {}) =>
    openTown({
      schema,
      options: { includeExtensionMetadata: true, ...options },
      cache: { ttl: 7000, ...PATIENT },
      ...more,
    })

  test.each(TTLS)('$what: $ttl ms', async ({ options, query, ttl }) => {
    const { shops } = await open(options)
    const { body } = await shops[0].ask(query)
    expect(body.errors).toBeUndefined()
    expect(body.extensions?.responseCache).toEqual(
      ttl === 0 ? { hit: false, didCache: false } : { hit: false, didCache: true, ttl },
    )
  })

  test('Infinity is for as long as the store keeps it', async () => {
    const town = await open({ ttl: Number.POSITIVE_INFINITY, includeExtensionMetadata: false })
    expect(await isCached(town, '{ title }')).toBe(true)
  })

  test('a response is gone when its ttl is over, and there before', async () => {
    const town = await open(fields({ 'Query.title': 700 }))
    const { shops, runs } = town
    await shops[0].ask('{ title product { id } }')
    await expect
      .poll(async () => (await shops[1].ask('{ title product { id } }')).body.extensions?.responseCache, {
        interval: 20,
      })
      .toEqual({ hit: true })
    await expect
      .poll(async () => (await shops[1].ask('{ title product { id } }')).body.extensions?.responseCache, {
        interval: 20,
        timeout: 5000,
      })
      .toEqual({ hit: false, didCache: true, ttl: 700 })
    expect(runs.length).toBeGreaterThanOrEqual(4)
  })

  test('the root type may have any name', async () => {
    const root = market('schema { query: Root } type Root { title: String }', () => ({ Root: { title: () => 'Shop' } }))
    const { shops } = await open({}, { schema: root })
    const said = async (query: string) => (await shops[0].ask(query)).body.extensions?.responseCache
    expect(await said('{ __schema { queryType { name } } }')).toEqual({ hit: false, didCache: false })
    expect(await said('{ title }')).toEqual({ hit: false, didCache: true, ttl: 60_000 })
  })

  test.each([
    [{ 'Query.product': 'PRIVATE' }, '{ product { id } }'],
    [{ 'Query.product': 'PRIVATE' }, '{ title: product { id } }'],
    [{ 'Query.product': 'PRIVATE' }, '{ product(id: "none") { id } }'],
    [{ 'Product.stock': 'PRIVATE' }, '{ products(ids: [1]) { price: stock } }'],
    [{ Product: 'PRIVATE' }, '{ thing { __typename } }'],
    [{ Product: 'PRIVATE' }, '{ product(id: "none") { id } }'],
    [{ Product: 'PRIVATE' }, '{ products(ids: []) { id } }'],
    [{ 'Priced.price': 'PRIVATE' }, '{ product { price } }'],
    [{ Priced: 'PRIVATE' }, '{ product { id } }'],
    [{ Thing: 'PRIVATE' }, '{ maker { name } }'],
    [{ Query: 'PRIVATE' }, '{ title }'],
  ])('%o: %s is kept for a session, and not for everybody', async (scopePerSchemaCoordinate, query) => {
    const town = await open({ scopePerSchemaCoordinate })
    expect(await isCached(town, query)).toBe(false)
    expect(await isCached(town, query, { user: 'ann' })).toBe(true)
  })

  test.each([
    [{ 'Product.stock': 'PRIVATE' }, '{ product { stock: price } }'],
    [{ 'Product.stock': 'PUBLIC' }, '{ product { stock } }'],
    [{ Maker: 'PRIVATE' }, '{ thing { ... on Maker { name } } }'],
  ])('%o: %s is for everybody', async (scopePerSchemaCoordinate, query) => {
    expect(await isCached(await open({ scopePerSchemaCoordinate }), query)).toBe(true)
  })
})
