import { expect, test } from 'vitest'
import { market, PATIENT, removing } from './market.ts'
import type { OpenTown, ShopOptions } from './shop.ts'

const SDL = /* GraphQL */ `
  interface Node { id: ID! }
  interface Named { name: String }
  type Product implements Node & Named {
    id: ID!
    name: String
    sku: String
    maker: Maker
    parts: [Product!]
    related: [Thing]
    broken: String
  }
  type Maker implements Named { name: String, city: String }
  type Box implements Named { id: Int, name: String, sku: String }
  union Thing = Product | Maker | Box
  type Query {
    product(id: ID = "1"): Product
    products(ids: [ID!]!): [Product!]!
    grid: [[Product]]
    thing(is: String!): Thing
    things(are: [String!]!): [Thing!]!
    node: Node
    noNode: Node
    named(is: String!): Named
    box(id: Int): Box
    maker: Maker
    self: Query
  }
  type Mutation { rename(id: ID!, name: String!): Product, pack: Thing }
`

const box = (id: unknown) => ({ __typename: 'Box', id, name: `box ${id}`, sku: 'b-1' })
const maker = { __typename: 'Maker', name: 'Ann', city: 'Bonn' }
const product = (id: unknown, depth = 2): object => ({
  __typename: 'Product',
  id,
  name: `product ${id}`,
  sku: `s-${id}`,
  maker,
  parts: depth > 0 ? [product(`${id}1`, depth - 1)] : [],
  related: [null, box(7), maker],
  broken: () => {
    throw new Error('broken')
  },
})
const thing = (is: string) => (is === 'Maker' ? maker : is.startsWith('Box') ? box(Number(is.slice(3))) : product(is))

/** Products with parts of parts, makers without an id, boxes whose id may be null. */
export const warehouse = market(SDL, () => ({
  Query: {
    product: (_parent, { id }) => (id === 'none' ? null : product(id)),
    products: (_parent, { ids }) => ids.map((id: string) => product(id)),
    grid: () => [[product('1'), null], [], [product('2')]],
    thing: (_parent, { is }) => thing(is),
    things: (_parent, { are }) => are.map(thing),
    node: () => product('1'),
    noNode: () => null,
    named: (_parent, { is }) => thing(is),
    box: (_parent, { id }) => box(id),
    maker: () => maker,
    self: () => ({}),
  },
  Mutation: {
    rename: (_parent, { id }) => product(id),
    pack: () => box(3),
  },
}))

/** Every tag that any of the responses might have. */
const ALL = [
  ...['Product', 'Product:1', 'Product:2', 'Product:11', 'Product:111', 'Product:0', 'Product:', 'Product:product 1'],
  ...['Maker', 'Maker:Ann', 'Box', 'Box:7', 'Box:0', 'Box:null', 'Box:b-1', 'Product:s-1', 'Node', 'Node:1'],
  ...['Named', 'Thing', 'Query', 'query:Q', '__Schema', '__Type'],
]

const ONE = ['Product', 'Product:1']

interface Case {
  readonly what: string
  readonly query: string
  readonly tags: readonly string[]
  readonly options?: object
}

const CASES: readonly Case[] = [
  { what: 'an object with the id asked for', query: '{ product { id } }', tags: ONE },
  { what: 'an object without', query: '{ product { name } }', tags: ONE },
  { what: 'the name of the operation', query: 'query Q { product { name } }', tags: [...ONE, 'query:Q'] },
  { what: 'an alias of the id', query: '{ product { key: id } }', tags: ONE },
  { what: 'another field under the alias id', query: '{ product { id: name } }', tags: ONE },
  { what: '__typename under another alias', query: '{ product { id: __typename name: id } }', tags: ONE },
  { what: 'an id that is skipped', query: '{ product { id @skip(if: true) name } }', tags: ONE },
  { what: 'nothing but a skipped fragment', query: '{ product { ... @include(if: false) { name } } }', tags: ONE },
  { what: 'a list', query: '{ products(ids: [1, 2]) { name } }', tags: [...ONE, 'Product:2'] },
  { what: 'a list of lists with null', query: '{ grid { name } }', tags: [...ONE, 'Product:2'] },
  { what: 'an empty list', query: '{ products(ids: []) { name } }', tags: ['Product'] },
  { what: 'null', query: '{ product(id: "none") { name } }', tags: ['Product'] },
  { what: 'null of an interface', query: '{ noNode { id } }', tags: ['Node', 'Product'] },
  { what: 'an empty list of a union', query: '{ things(are: []) { __typename } }', tags: ['Product', 'Maker', 'Box'] },
  { what: 'a union', query: '{ thing(is: "1") { __typename } }', tags: ONE },
  {
    what: 'a union of which nothing is in a fragment',
    query: '{ thing(is: "1") { ... on Maker { city } } }',
    tags: ONE,
  },
  {
    what: 'types of a union',
    query: '{ things(are: ["1", "Maker", "Box7"]) { ... on Maker { city } } }',
    tags: [...ONE, 'Maker', 'Box', 'Box:7'],
  },
  { what: 'an interface with id', query: '{ node { id } }', tags: ONE },
  { what: 'an interface with id, in a fragment', query: '{ node { ... on Product { id: name } } }', tags: ONE },
  { what: 'an interface without id', query: '{ named(is: "1") { name } }', tags: ONE },
  { what: 'an interface without id, of a type without', query: '{ named(is: "Maker") { name } }', tags: ['Maker'] },
  { what: 'a type without id', query: '{ maker { name } }', tags: ['Maker'] },
  { what: 'the id 0', query: '{ box(id: 0) { name } }', tags: ['Box', 'Box:0'] },
  { what: 'the id "0"', query: '{ product(id: "0") { name } }', tags: ['Product', 'Product:0'] },
  { what: 'the empty id', query: '{ product(id: "") { name } }', tags: ['Product', 'Product:'] },
  { what: 'the id null', query: '{ box { name } }', tags: ['Box'] },
  {
    what: 'objects in objects',
    query: '{ product { parts { parts { name } } } }',
    tags: [...ONE, 'Product:11', 'Product:111'],
  },
  { what: 'a query in a query', query: '{ self { product { name } } }', tags: [...ONE, 'Query'] },
  {
    what: 'one key asked for twice',
    query: '{ product { name } product { maker { name } } }',
    tags: [...ONE, 'Maker'],
  },
  {
    what: 'fragments in fragments',
    query:
      'query Q { ...A } fragment A on Query { product { ...B } } fragment B on Named { ... on Product { parts { name } } }',
    tags: [...ONE, 'Product:11', 'query:Q'],
  },
  {
    what: 'a fragment in two places',
    query: '{ a: product(id: 1) { ...F } b: product(id: 2) { ...F } } fragment F on Product { maker { name } }',
    tags: [...ONE, 'Product:2', 'Maker'],
  },
  {
    what: 'questions about the schema beside',
    query: '{ product { name } __schema { queryType { name } } __type(name: "Product") { name } }',
    tags: ONE,
    options: { ttlPerSchemaCoordinate: { 'Query.__schema': 1e6, 'Query.__type': 1e6 } },
  },
  {
    what: 'another idField',
    query: '{ product { id } }',
    tags: ['Product', 'Product:s-1'],
    options: { idFields: ['sku'] },
  },
  {
    what: 'the first of two idFields',
    query: '{ things(are: ["1", "Box7"]) { __typename } }',
    tags: ['Product', 'Product:s-1', 'Box', 'Box:b-1'],
    options: { idFields: ['sku', 'id'] },
  },
  {
    what: 'one idField where the first is missing',
    query: '{ thing(is: "Maker") { __typename } maker { name } }',
    tags: ['Maker', 'Maker:Ann'],
    options: { idFields: ['isbn', 'name'] },
  },
  { what: 'the empty list of idFields', query: '{ product { id } }', tags: ['Product'], options: { idFields: [] } },
]

/** Which tags a response has; what was added to find them, nobody sees. */
export function describeEntities(openTown: OpenTown, base: ShopOptions = {}): void {
  const open = (options: ShopOptions) => openTown({ cache: PATIENT, ...base, ...options })

  test.each(CASES)('tags of $what: $tags', async ({ query, tags, options }) => {
    const town = await open({ schema: warehouse, options: options ?? {} })
    const others = ALL.filter((tag) => !tags.includes(tag))
    expect(await removing(town, query, [others, ...tags.map((tag) => [tag])])).toEqual(tags)
  })

  test.each([
    ...CASES.map(({ query }) => query),
    '{ __typename product { __typename t: __typename id key: id } }',
    '{ thing(is: "1") { __typename ... on Product { id } } }',
    '{ product { name broken } thing(is: "1") { ... on Product { broken } } }',
    'mutation { rename(id: 1, name: "x") { name maker { city } related { __typename } } }',
    'mutation { pack { ... on Product { broken } } rename(id: 1, name: "x") { broken } }',
    '{ __proto__: product { __proto__: id } constructor: thing(is: "1") { __proto__: __typename } toString: node { id } }',
    '{ __atomcacheType: product { __atomcacheId_id: name __atomcache1_Type: id } thing(is: "1") { __atomcacheType: __typename } }',
    'mutation { __atomcacheId_id: rename(id: 1, name: "x") { __atomcacheId_id: name } pack { __typename } }',
  ])('what it says is as without the cache: %s', async (query) => {
    const { shops } = await open({ schema: warehouse, options: { ttlPerSchemaCoordinate: {} } })
    const plain = await open({ schema: warehouse, options: { enabled: () => false } })
    const { text } = await plain.shops[0].ask(query)
    for (const shop of [...shops, ...shops]) expect((await shop.ask(query)).text).toBe(text)
  })

  test('an alias like those of the additions keeps no response from being found', async () => {
    const town = await open({ schema: warehouse })
    const query = '{ product { __atomcacheId_id: name } thing(is: "2") { __atomcache1_Type: __typename } }'
    expect(await removing(town, query, [['Product:1'], ['Product:2'], ['Product:x']])).toEqual([
      'Product:1',
      'Product:2',
    ])
  })
}
