import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { namesOf } from '../../../src/stores/redis/keys.ts'

/** The slot function that ioredis routes by; it hashes what is between the first `{` and the next `}`. */
const requireHere = createRequire(import.meta.url)
const slotOf: (key: string | Buffer) => number = createRequire(requireHere.resolve('ioredis'))('cluster-key-slot')

const names = namesOf('ns')
/** Of the characters that could do harm, more than chance would give. */
const id = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed()),
  fc.string({ unit: fc.constantFrom('{', '}', '%', ':', '2', '5', '7', 'B', 'D', 'x', ...':flight') }),
)
const namespace = fc.string({ unit: fc.constantFrom(...'abc:-_.*%'), minLength: 1, maxLength: 10 })

describe('the keys of an id', () => {
  test('are readable where the id is', () => {
    expect(names.entry('product:42')).toBe('ns:{product:42}')
    expect(names.flight('product:42')).toBe('ns:{product:42}:flight')
    expect(names.entry('')).toBe('ns:{%}')
    expect(names.entry('{%}')).toBe('ns:{%7B%25%7D}')
  })

  test('are no other id’s: two ids, four keys', () => {
    fc.assert(
      fc.property(id, id, (one, two) => {
        fc.pre(one !== two)
        const keys = [one, two].flatMap((each) => [names.entry(each), names.flight(each)])
        expect(new Set(keys).size).toBe(4)
      }),
      { numRuns: 2000 },
    )
  })

  test('are no other namespace’s', () => {
    fc.assert(
      fc.property(namespace, namespace, id, id, (one, two, here, there) => {
        fc.pre(one !== two)
        const [a, b] = [namesOf(one), namesOf(two)]
        const mine = [a.entry(here), a.flight(here)]
        const theirs = [b.entry(there), b.flight(there)]
        expect(mine.filter((key) => theirs.includes(key))).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  test('are in one cluster slot, and the server’s rule finds the same one', () => {
    fc.assert(
      fc.property(namespace, id, (ns, each) => {
        const { entry, flight } = namesOf(ns)
        const slot = slotOf(entry(each))
        expect(slotOf(flight(each))).toBe(slot)
        // Redis Cluster specification, "Hash tags": an empty tag is none, and the whole key counts.
        const tag = /\{(.+?)\}/su.exec(entry(each))?.[1]
        expect(tag).toBeDefined()
        expect(slotOf(tag as string)).toBe(slot)
      }),
      { numRuns: 2000 },
    )
  })

  test('have exactly one pair of braces', () => {
    fc.assert(
      fc.property(id, (each) => {
        expect(names.entry(each)).toMatch(/^ns:\{[^{}]+\}$/su)
        expect(names.flight(each)).toBe(`${names.entry(each)}:flight`)
      }),
    )
  })
})

describe('the channels of a namespace', () => {
  test('are the bus and an inbox for each instance', () => {
    expect(names.bus).toBe('ns:bus')
    expect(names.inbox('AbC')).toBe('ns:inbox:AbC')
    expect(`${names.inbox('')}AbC`).toBe(names.inbox('AbC'))
  })
})
