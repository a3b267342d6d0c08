import { EventEmitter } from 'node:events'
import { createGate, type Gate } from '../gate.ts'

export interface Product {
  readonly id: string
  readonly name: string
  readonly price: number
  readonly changedAt: Date
}

/** What is behind the procedures of all instances: the database. */
export interface Shop {
  readonly products: Map<string, Product>
  /** What ran, once each time. */
  readonly runs: string[]
  /** What the outermost middleware saw: `path ok` or `path code`. */
  readonly log: string[]
  /** What holds back the procedures that pass it. */
  readonly gate: Gate
  /** Names for which `slow` waits until its caller is gone. */
  readonly slow: Set<string>
  /** `slow`, `left` and `closed`, with a name. */
  readonly events: EventEmitter
}

const NAMES = ['Apple', 'Bread', 'Cheese', 'Dates', 'Eggs', 'Figs']

export function createShop(): Shop {
  const changedAt = new Date('2024-02-29T12:00:00.123Z')
  const products = NAMES.map((name, i) => ({ id: String(i + 1), name, price: i + 0.5, changedAt }))
  return {
    products: new Map(products.map((product) => [product.id, product])),
    runs: [],
    log: [],
    gate: createGate(),
    slow: new Set(),
    events: new EventEmitter(),
  }
}
