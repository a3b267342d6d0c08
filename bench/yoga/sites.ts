/** What is served: the same API by each. */
export const SITES = [
  'Yoga without a cache',
  'atomcache',
  'plugin-response-cache, Redis',
  'envelop response-cache, Redis',
] as const

export type Site = (typeof SITES)[number]

export const TYPES = /* GraphQL */ `
  type Query { shelf(id: ID!, loaderTime: Int!): Shelf! }
  type Shelf { key: ID! products: [Product!]! }
  type Product { id: ID! name: String! price: Float! inStock: Boolean! rating: Float category: Category! }
  type Category { id: ID! name: String! }
`

export const QUERY = /* GraphQL */ `
  query Shelf($id: ID!, $loaderTime: Int!) {
    shelf(id: $id, loaderTime: $loaderTime) { key products { id name price inStock rating category { id name } } }
  }
`
