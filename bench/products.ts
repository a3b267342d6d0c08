/** What is asked for: objects of some short fields, as most APIs have them. */
export const QUERY = /* GraphQL */ `
  query Products($first: Int!) {
    products(first: $first) { id name price inStock rating category { id name } }
  }
`

/** How often any were made: a cache that answers makes none. */
export let timesMade = 0

export function productsOf(first: number) {
  timesMade++
  return Array.from({ length: first }, (_, i) => productOf(i))
}

export function productOf(i: number) {
  return {
    id: String(i),
    name: `The product with number ${i}`,
    price: 10 + i / 4,
    inStock: i % 3 !== 0,
    rating: i % 7 === 0 ? null : (i % 50) / 10,
    category: { id: `c${i % 9}`, name: `Category ${i % 9}` },
  }
}

export function priceOf(id: string) {
  timesMade++
  return { amount: 10 + Number(id) / 4, currency: 'EUR' }
}
