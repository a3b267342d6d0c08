/** What is asked for: objects of some short fields, as most APIs have them. */
export const QUERY = /* GraphQL */ `
  query Products($first: Int!) {
    products(first: $first) { id name price inStock rating category { id name } }
  }
`

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
