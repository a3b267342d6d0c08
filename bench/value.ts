import { productOf } from './products.ts'

export interface Value {
  readonly key: string
  readonly products: readonly ReturnType<typeof productOf>[]
}

/** What everybody knows to be the value of the key: JSON of about so many bytes, objects of short fields as most APIs have them. */
export function valueFor(key: string, bytes: number): Value {
  const products: ReturnType<typeof productOf>[] = []
  for (let left = bytes - key.length, i = 0; left > 0; i++) {
    const product = productOf(i)
    left -= JSON.stringify(product).length + 1
    products.push(product)
  }
  return { key, products }
}
