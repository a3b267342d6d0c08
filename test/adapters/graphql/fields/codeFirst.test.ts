import SchemaBuilder from '@pothos/core'
import { GraphQLInt, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { describe, expect, inject, test } from 'vitest'
import type { CachedField } from '../../../../src/adapters/graphql/directive.ts'
import { redisStore } from '../../../../src/stores/redis/index.ts'
import { traceOf } from '../../trace.ts'
import { PATIENT } from '../market.ts'
import type { Kitchen, ShopContext } from '../schema.ts'
import { type Shop, type ShopOptions, useTown } from '../shop.ts'
import { serveYoga } from './serving.ts'

/** It can do something, which plain data can't. */
class Money {
  readonly #cents: number
  constructor(cents: number) {
    this.#cents = cents
  }
  get cents() {
    return this.#cents
  }
  text() {
    return `${(this.#cents / 100).toFixed(2)} €`
  }
}

/** Identified by two of its fields together. */
interface Product {
  readonly shop: string
  readonly sku: string
}

const PRODUCTS: readonly Product[] = [
  { shop: 'north', sku: '1' },
  { shop: 'north', sku: '2' },
  { shop: 'south', sku: '1' },
]

/** What is said of the cached fields, whatever the schema is made with. */
const price: CachedField<unknown, { readonly sku: string }, ShopContext, Money> = {
  maxAge: 60,
  scope: 'PUBLIC',
  tags: ({ args, result }) => [`sku:${args.sku}`, ...(result.cents > 500 ? ['dear'] : [])],
  serialize: (money) => money.cents,
  revive: (cents: number) => new Money(cents),
}
const greeting: CachedField<unknown, object, ShopContext, string> = {
  maxAge: 60,
  scope: 'PUBLIC',
  vary: ({ user }) => user?.split('/')[0],
}
const orders: CachedField = { scope: 'PRIVATE', maxAge: 60, tags: ['orders'] }
const stock: CachedField<Product, { readonly above: number }, ShopContext, number[]> = {
  maxAge: 60,
  scope: 'PUBLIC',
  parentKey: ({ shop, sku }) => `${shop}/${sku}`,
  tags: ({ parent, args, context, result }) => [
    `shop:${parent.shop}`,
    `above:${args.above}`,
    `asked by:${context.user}`,
    ...result.map((count) => `count:${count}`),
  ],
}

/** What they give: names, and how manieth run it is. */
function resolversOf({ runs, name }: Kitchen) {
  const run = (what: string) => `${what} by ${name}${runs.push(what)}`
  return {
    price(sku: string) {
      run(`price ${sku}`)
      return new Money(Number(sku) * 100 + runs.length)
    },
    greeting: ({ user }: ShopContext) => run(`hello ${user?.split('/')[0]}`),
    orders: ({ user }: ShopContext) => run(`orders of ${user}`),
    stock({ shop, sku }: Product, above: number) {
      run(`stock ${shop} ${sku}`)
      return [above + 1, above + runs.length]
    },
  }
}

function plainSchema(kitchen: Kitchen): GraphQLSchema {
  const resolvers = resolversOf(kitchen)
  const money = new GraphQLObjectType<Money>({
    name: 'Money',
    fields: { text: { type: GraphQLString, resolve: (money) => money.text() } },
  })
  const product = new GraphQLObjectType<Product, ShopContext>({
    name: 'Product',
    fields: {
      sku: { type: GraphQLString },
      stock: {
        type: new GraphQLList(GraphQLInt),
        args: { above: { type: GraphQLInt, defaultValue: 0 } },
        extensions: { cached: stock },
        resolve: (parent, { above }) => resolvers.stock(parent, above),
      },
    },
  })
  return new GraphQLSchema({
    query: new GraphQLObjectType<unknown, ShopContext>({
      name: 'Query',
      fields: {
        price: {
          type: money,
          args: { sku: { type: new GraphQLNonNull(GraphQLString) } },
          extensions: { cached: price },
          resolve: (_parent, { sku }) => resolvers.price(sku),
        },
        greeting: {
          type: GraphQLString,
          extensions: { cached: greeting },
          resolve: (_parent, _args, context) => resolvers.greeting(context),
        },
        orders: {
          type: GraphQLString,
          extensions: { cached: orders },
          resolve: (_parent, _args, context) => resolvers.orders(context),
        },
        products: { type: new GraphQLList(product), resolve: () => PRODUCTS },
      },
    }),
  })
}

function pothosSchema(kitchen: Kitchen): GraphQLSchema {
  const resolvers = resolversOf(kitchen)
  const builder = new SchemaBuilder<{ Context: ShopContext; Objects: { Money: Money; Product: Product } }>({})
  builder.objectType('Money', { fields: (t) => ({ text: t.string({ resolve: (money) => money.text() }) }) })
  builder.objectType('Product', {
    fields: (t) => ({
      sku: t.exposeString('sku'),
      stock: t.intList({
        args: { above: t.arg.int({ defaultValue: 0 }) },
        extensions: { cached: stock },
        resolve: (parent, { above }) => resolvers.stock(parent, above ?? 0),
      }),
    }),
  })
  builder.queryType({
    fields: (t) => ({
      price: t.field({
        type: 'Money',
        args: { sku: t.arg.string({ required: true }) },
        extensions: { cached: price },
        resolve: (_parent, { sku }) => resolvers.price(sku),
      }),
      greeting: t.string({
        extensions: { cached: greeting },
        resolve: (_parent, _args, context) => resolvers.greeting(context),
      }),
      orders: t.string({
        extensions: { cached: orders },
        resolve: (_parent, _args, context) => resolvers.orders(context),
      }),
      products: t.field({ type: ['Product'], resolve: () => [...PRODUCTS] }),
    }),
  })
  return builder.toSchema()
}

const open = useTown(serveYoga, () => redisStore(inject('redisUrl')))

describe.each([
  { made: 'plain graphql-js', schema: plainSchema },
  { made: 'Pothos', schema: pothosSchema },
])('extensions of a schema made with $made', ({ schema }) => {
  async function openShops(options: ShopOptions = {}) {
    const town = await open({ schema, cache: PATIENT, ...options })
    const [a, b] = town.shops
    return { a, b, runs: town.runs, trace: traceOf(a.cache, b.cache) }
  }

  test('serialize and revive: an instance comes back as one', async () => {
    const { a, b, runs, trace } = await openShops({ options: { strict: true } })
    expect(await ask(a, '{ price(sku: "2") { text } }')).toEqual({ price: { text: '2.01 €' } })
    await trace.saw('publish')
    expect(await ask(b, '{ price(sku: "2") { text } }')).toEqual({ price: { text: '2.01 €' } })
    expect(runs).toEqual(['price 2'])
  })

  test('tags of args and result: what has one of them is gone, and nothing else', async () => {
    const { a, b, runs, trace } = await openShops()
    const query = '{ cheap: price(sku: "2") { text } dear: price(sku: "9") { text } }'
    await ask(a, query)
    await trace.saw('publish', 2)
    await a.cache.invalidate({ tags: ['dear'] })
    expect(await ask(b, query)).toEqual({ cheap: { text: '2.01 €' }, dear: { text: '9.01 €' } })
    await trace.saw('publish', 3)
    await b.cache.invalidate({ tags: ['sku:2'] })
    expect(await ask(a, query)).toEqual({ cheap: { text: '2.03 €' }, dear: { text: '9.01 €' } })
    await trace.saw('publish', 4)
    await b.cache.invalidate({ tags: ['field:Query.price'] })
    await ask(a, query)
    expect(runs).toEqual(['price 2', 'price 9', 'price 9', 'price 2', 'price 2', 'price 9'])
  })

  test('vary: a value for each that is told apart', async () => {
    const { a, b, runs, trace } = await openShops()
    expect(await ask(a, '{ greeting }', 'de/ann')).toEqual({ greeting: 'hello de by A1' })
    await trace.saw('publish')
    expect(await ask(b, '{ greeting }', 'de/bob')).toEqual({ greeting: 'hello de by A1' })
    expect(await ask(b, '{ greeting }', 'en/bob')).toEqual({ greeting: 'hello en by B1' })
    expect(await ask(b, '{ greeting }')).toEqual({ greeting: 'hello undefined by B2' })
    expect(runs).toHaveLength(3)
  })

  test('scope: a private value is of its session', async () => {
    const { a, b, trace } = await openShops()
    expect(await ask(a, '{ orders }', 'ann')).toEqual({ orders: 'orders of ann by A1' })
    expect(await ask(a, '{ orders }', 'bob')).toEqual({ orders: 'orders of bob by A2' })
    await trace.saw('publish', 2)
    expect(await ask(b, '{ orders }', 'ann')).toEqual({ orders: 'orders of ann by A1' })
  })

  test('parentKey and tags of the parent, for each item of a list', async () => {
    const { a, b, runs, trace } = await openShops()
    const query = '{ products { sku stock(above: 5) } }'
    const first = await ask(a, query)
    expect(first.products).toEqual([
      { sku: '1', stock: [6, 6] },
      { sku: '2', stock: [6, 7] },
      { sku: '1', stock: [6, 8] },
    ])
    await trace.saw('publish', 3)
    expect(await ask(b, query)).toEqual(first)
    await a.cache.invalidate({ tags: ['shop:north'] })
    expect((await ask(b, query)).products).toEqual([
      { sku: '1', stock: [6, 6] },
      { sku: '2', stock: [6, 7] },
      { sku: '1', stock: [6, 8] },
    ])
    expect(runs).toEqual(['stock north 1', 'stock north 2', 'stock south 1', 'stock north 1', 'stock north 2'])
  })
})

async function ask(shop: Shop, query: string, user?: string): Promise<Record<string, unknown>> {
  const { body } = await shop.ask(query, user === undefined ? {} : { user })
  expect(body.errors).toBeUndefined()
  return body.data as Record<string, unknown>
}
