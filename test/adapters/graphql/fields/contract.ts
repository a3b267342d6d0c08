import type { GraphQLObjectType } from 'graphql'
import { describe, expect, test } from 'vitest'
import { cachedDirectiveTypeDefs } from '../../../../src/adapters/graphql/directive.ts'
import { traceOf } from '../../trace.ts'
import { PATIENT } from '../market.ts'
import type { Kitchen, ShopContext } from '../schema.ts'
import type { OpenTown, Shop } from '../shop.ts'
import type { Windows } from './aging.ts'

const TYPES = /* GraphQL */ `
  scalar Instant
  enum Unit { PIECE BOX }
  type Query {
    rate(base: String! = "EUR", to: [Unit!] = [PIECE]): Rate @cached(maxAge: 60, scope: PUBLIC, tags: ["rate:{args.base}"])
    mine: String @cached(maxAge: 60, scope: PRIVATE)
    found: [Found] @cached(maxAge: 60, scope: PUBLIC, tags: ["found"])
    fails: String @cached(maxAge: 60, scope: PUBLIC)
    old(fails: Boolean): String @cached(maxAge: 60, staleWhileRevalidate: 600, staleIfError: 600, scope: PUBLIC)
    products: [Product!]!
    plain: String!
  }
  type Mutation { sell: Rate }
  type Rate { base: String!, value: String!, at: Instant!, unit: Unit! }
  interface Named { id: ID! }
  type Product implements Named {
    id: ID!
    reviews(first: Int! = 2): [String]! @cached(maxAge: 60, scope: PUBLIC, tags: ["Product:{parent.id}"])
  }
  type Maker implements Named { id: ID!, country: String }
  union Found = Product | Maker
`

type Resolve = (parent: never, args: never, context: ShopContext) => unknown

/** What a field gives names the server, and its how manieth run it is. */
export function fieldSchema({ graphql, name, gate, runs }: Kitchen) {
  async function run(what: string): Promise<string> {
    runs.push(what)
    const served = `${what} by ${name}${runs.length}`
    await gate.pass()
    return served
  }

  async function rate(base: string) {
    return { base, value: await run(`rate ${base}`), at: new Date(86_400_000), unit: 'BOX' }
  }

  const resolvers: Record<string, Record<string, Resolve>> = {
    Query: {
      rate: (_parent, { base, to }: { base: string; to: string[] }) => rate(`${base}/${to}`),
      mine: (_parent, _args, { user }) => run(`mine of ${user}`),
      found: async () => [
        { __typename: 'Product', id: await run('found') },
        null,
        Promise.resolve({ __typename: 'Maker', id: 'm', country: 'IS' }),
      ],
      async fails() {
        throw new graphql.GraphQLError(await run('fails'), { extensions: { code: 'NO' } })
      },
      async old(_parent, { fails }: { fails?: boolean }) {
        const served = await run('old')
        // From the second run of either server on.
        if (fails === true && served !== 'old by A1') throw new Error('down')
        return served
      },
      products: () => ['1', '2', '3'].map((id) => ({ id })),
      plain: () => run('plain'),
    },
    Mutation: { sell: () => rate('sold') },
    Product: {
      reviews: async ({ id }: { id: string }, { first }: { first: number }) => [
        await run(`reviews ${id} ${first}`),
        null,
      ],
    },
  }
  const schema = graphql.buildSchema(`${TYPES} ${cachedDirectiveTypeDefs}`)
  for (const [type, fields] of Object.entries(resolvers)) {
    const known = (schema.getType(type) as GraphQLObjectType).getFields()
    for (const [field, resolve] of Object.entries(fields)) Object.assign(known[field] as object, { resolve })
  }
  const serialize = (value: unknown) => (value as Date).toISOString()
  // The second is what graphql-js 17 calls it.
  Object.assign(schema.getType('Instant') as object, { serialize, coerceOutputValue: serialize })
  return schema
}

/** What cached fields do on every server. */
export function describeFields(open: OpenTown, given: Parameters<OpenTown>[0] = {}): void {
  const options = { schema: fieldSchema, cache: PATIENT, ...given }
  const RATE = '{ rate { base value at unit } }'

  test('a value is resolved once for both servers, with all that is in it', async () => {
    const { shops, runs } = await open(options)
    const trace = traceOf(shops[0].cache)
    const first = await data(shops[0], RATE)
    expect(first).toEqual({
      rate: { base: 'EUR/PIECE', value: 'rate EUR/PIECE by A1', at: '1970-01-02T00:00:00.000Z', unit: 'BOX' },
    })
    await trace.saw('publish')
    expect(await data(shops[1], RATE)).toEqual(first)
    // With defaults said, in another operation, for other fields of it.
    expect(await data(shops[1], 'query Q($to: [Unit!]) { r: rate(base: "EUR", to: $to) { value } }')).toEqual({
      r: { value: 'rate EUR/PIECE by A1' },
    })
    expect(await data(shops[1], '{ rate(to: [BOX]) { value } }')).toEqual({ rate: { value: 'rate EUR/BOX by B1' } })
    expect(runs).toEqual(['rate EUR/PIECE', 'rate EUR/BOX'])
  })

  test('who asks meanwhile waits for it, on both', async () => {
    const { shops, runs, gate } = await open(options)
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const asking = shops.map((shop) => data(shop, RATE))
    await Promise.all([trace.saw('follow'), gate.holds(1)])
    gate.open()
    const [one, two] = await Promise.all(asking)
    expect(one).toEqual(two)
    expect(runs).toEqual(['rate EUR/PIECE'])
  })

  test('a private one is of each user, and of nobody else', async () => {
    const { shops, runs } = await open(options)
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const mine = (shop: Shop, user?: string) => data(shop, '{ mine }', user)
    expect(await mine(shops[0], 'ann')).toEqual({ mine: 'mine of ann by A1' })
    expect(await mine(shops[0], 'bob')).toEqual({ mine: 'mine of bob by A2' })
    await trace.saw('publish', 2)
    expect(await mine(shops[1], 'ann')).toEqual({ mine: 'mine of ann by A1' })
    expect(await mine(shops[1])).toEqual({ mine: 'mine of undefined by B1' })
    expect(await mine(shops[1])).toEqual({ mine: 'mine of undefined by B2' })
    expect(runs).toHaveLength(4)
  })

  test('fields of list items are of their parent, until its tag is invalidated', async () => {
    const { shops, runs } = await open(options)
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const query = '{ products { id reviews } }'
    const first = await data(shops[0], query)
    expect(first).toEqual({
      products: ['1', '2', '3'].map((id, i) => ({ id, reviews: [`reviews ${id} 2 by A${i + 1}`, null] })),
    })
    await trace.saw('publish', 3)
    expect(await data(shops[1], query)).toEqual(first)
    await shops[1].cache.invalidate({ tags: ['Product:2'] })
    expect(await data(shops[0], query)).toEqual({
      products: [first.products[0], { id: '2', reviews: ['reviews 2 2 by A4', null] }, first.products[2]],
    })
    expect(runs).toEqual(['reviews 1 2', 'reviews 2 2', 'reviews 3 2', 'reviews 2 2'])
  })

  test('objects of a union are what they were, and their own cached fields are asked for', async () => {
    const { shops, runs } = await open(options)
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const query =
      '{ found { __typename ... on Named { id } ... on Product { reviews(first: 1) } ... on Maker { country } } }'
    const first = await data(shops[0], query)
    expect(first).toEqual({
      found: [
        { __typename: 'Product', id: 'found by A1', reviews: ['reviews found by A1 1 by A2', null] },
        null,
        { __typename: 'Maker', id: 'm', country: 'IS' },
      ],
    })
    await trace.saw('publish', 2)
    expect(await data(shops[1], query)).toEqual(first)
    expect(runs).toHaveLength(2)
  })

  test('errors are told to all who ask, and kept for nobody', async () => {
    const { shops, runs } = await open(options)
    for (const [i, shop] of [...shops, ...shops].entries()) {
      const { body } = await shop.ask('{ fails plain }')
      expect(body).toMatchObject({
        data: { fails: null, plain: expect.stringContaining('plain by') },
        errors: [{ message: expect.stringContaining('fails by'), path: ['fails'], extensions: { code: 'NO' } }],
      })
      expect(runs.filter((run) => run === 'fails')).toHaveLength(i + 1)
    }
  })

  describe('a value that is not fresh any more', () => {
    /** It is stored, and has been fresh. */
    async function openStale(query: string, windows: Windows) {
      const town = await open(options)
      const { shops } = town
      const trace = traceOf(...shops.map(({ cache }) => cache))
      expect(await data(shops[0], query)).toEqual({ old: 'old by A1' })
      await trace.saw('publish')
      const key: readonly unknown[] = JSON.parse(trace.of('publish')[0]?.key ?? '[]')
      const left = async ({ cache }: Shop) => (await cache.entry(key))?.ttl ?? 0
      await shops[0].cache.set(key, (await shops[0].cache.entry(key))?.value, { ttl: 1, ...windows })
      await expect.poll(async () => Math.max(...(await Promise.all(shops.map(left))))).toBeLessThan(-10)
      return { ...town, trace }
    }

    test('is answered at once, and resolved anew behind that', async () => {
      const { shops, runs, gate, trace } = await openStale('{ old }', { staleWhileRevalidate: 600_000 })
      gate.shut()
      for (const shop of [...shops, ...shops]) expect(await data(shop, '{ old }')).toEqual({ old: 'old by A1' })
      await gate.holds(1)
      gate.open()
      await trace.saw('publish', 2)
      for (const shop of shops) expect(await data(shop, '{ old }')).toEqual({ old: 'old by A2' })
      expect(runs).toEqual(['old', 'old'])
    })

    test('is answered where its resolver fails', async () => {
      const { shops, runs } = await openStale('{ old(fails: true) }', { staleIfError: 600_000 })
      for (const shop of shops) expect(await data(shop, '{ old(fails: true) }')).toEqual({ old: 'old by A1' })
      expect(runs.length).toBeGreaterThan(1)
    })
  })

  test('what is not annotated, and what mutations do, is done each time', async () => {
    const { shops, runs } = await open(options)
    const trace = traceOf(...shops.map(({ cache }) => cache))
    for (const shop of [...shops, ...shops]) await data(shop, '{ plain }')
    for (const shop of [...shops, ...shops]) await data(shop, 'mutation { sell { value } }')
    expect(runs).toHaveLength(8)
    expect(trace.events.filter(({ type }) => type === 'hit' || type === 'miss')).toEqual([])
  })

  test('the schema is told to clients as ever', async () => {
    const { shops } = await open(options)
    const { __schema } = await data(shops[0], '{ __schema { directives { name } } __type(name: "Product") { name } }')
    expect(__schema.directives.map(({ name }: { name: string }) => name)).toContain('cached')
    expect(__schema.directives.filter(({ name }: { name: string }) => /atomcache/.test(name))).toEqual([])
  })
}

// biome-ignore lint/suspicious/noExplicitAny: what the query says
async function data(shop: Shop, query: string, user?: string): Promise<any> {
  const { body } = await shop.ask(query, user === undefined ? {} : { user })
  expect(body.errors).toBeUndefined()
  return body.data
}
