import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Names, namesOf } from '../../../src/stores/redis/keys.ts'

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

describe('the keys of an id or a tag', () => {
  test('are readable where the id is', () => {
    expect(names.entry('product:42')).toBe('ns:{product:42}')
    expect(names.flight('product:42')).toBe('ns:{product:42}:flight')
    expect(names.entry('')).toBe('ns:{%}')
    expect(names.entry('{%}')).toBe('ns:{%7B%25%7D}')
    expect(names.index('Product:42')).toBe('ns:tag:{Product:42}:entries')
    expect(names.state('Product:42')).toBe('ns:tag:{Product:42}:state')
    expect(names.index('')).toBe('ns:tag:{%}:entries')
    expect(names.clock).toBe('ns:clock')
  })

  test('are no other id’s or tag’s: two names, eight keys', () => {
    fc.assert(
      fc.property(id, id, (one, two) => {
        fc.pre(one !== two)
        const keys = [one, two].flatMap((each) => keysOf(namesOf('ns'), each))
        expect(new Set([...keys, names.clock, names.bus, names.inbox(one)]).size).toBe(11)
      }),
      { numRuns: 2000 },
    )
  })

  test('are no other namespace’s', () => {
    fc.assert(
      fc.property(namespace, namespace, id, id, (one, two, here, there) => {
        fc.pre(one !== two)
        const [a, b] = [namesOf(one), namesOf(two)]
        const mine = [...keysOf(a, here), a.clock]
        const theirs = [...keysOf(b, there), b.clock]
        expect(mine.filter((key) => theirs.includes(key))).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  test('are in one cluster slot, and the server’s rule finds the same one', () => {
    fc.assert(
      fc.property(namespace, id, (ns, each) => {
        const [entry, ...others] = keysOf(namesOf(ns), each) as [string, ...string[]]
        const slot = slotOf(entry)
        // Also the keys of a tag of that name: it is what is between the braces.
        for (const key of others) expect(slotOf(key)).toBe(slot)
        // Redis Cluster specification, "Hash tags": an empty tag is none, and the whole key counts.
        const tag = /\{(.+?)\}/su.exec(entry)?.[1]
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
        expect(names.index(each)).toMatch(/^ns:tag:\{[^{}]+\}:entries$/su)
        expect(names.state(each)).toMatch(/^ns:tag:\{[^{}]+\}:state$/su)
      }),
    )
  })

  test('are read back as the id or the tag that they are of', () => {
    fc.assert(
      fc.property(namespace, namespace, id, (one, two, each) => {
        const here = namesOf(one)
        expect(here.read(here.entry(each))).toEqual({ id: each })
        expect(here.read(here.flight(each))).toEqual({ id: each })
        expect(here.read(here.index(each))).toEqual({ tag: each })
        for (const key of [here.state(each), here.clock, here.bus]) expect(here.read(key)).toBeUndefined()
        fc.pre(one !== two)
        for (const key of keysOf(namesOf(two), each)) expect(here.read(key)).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
  })
})

function keysOf({ entry, flight, index, state }: Names, each: string): string[] {
  return [entry(each), flight(each), index(each), state(each)]
}

describe('the channels of a namespace', () => {
  test('are the bus and an inbox for each instance', () => {
    expect(names.bus).toBe('ns:bus')
    expect(names.inbox('AbC')).toBe('ns:inbox:AbC')
    expect(`${names.inbox('')}AbC`).toBe(names.inbox('AbC'))
  })
})
