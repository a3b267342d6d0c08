import { afterAll, expect, test } from 'vitest'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { type Cache, createCache } from '../../../src/index.ts'

const cache = createCache()
afterAll(() => cache.close())

const make = cached as (options: unknown) => unknown

test('without scope it says what to give', () => {
  expect(() => make({ cache })).toThrow(
    new TypeError(
      'cached needs scope: a string or a function that says whose data it is, or null for the same for everybody',
    ),
  )
})

test.each([
  [{ scope: null }],
  [{ scope: null, cache: {} }],
  [{ scope: null, cache: { ...cache } as Cache }],
  [undefined],
])('cache must be one that createCache made: %o', (bad) => {
  expect(() => make(bad)).toThrow(new TypeError('cache must be what createCache() returned'))
})

test.each([0, -1, Number.NaN, '60', null])('ttl %o is refused with its bounds', (ttl) => {
  expect(() => make({ cache, scope: null, ttl })).toThrow(/^ttl must be greater than 0 \(ms\), Infinity/)
})

test.each([7, true, {}])('a scope that can never be one is refused: %o', (scope) => {
  expect(() => make({ cache, scope })).toThrow(/^scope must be/)
})

test('an option it does not know is refused: a misspelt one would be ignored in silence', () => {
  expect(() => make({ cache, scope: null, tll: 5 })).toThrow(/has no option "tll"/)
})

test.each([undefined, 1, Number.POSITIVE_INFINITY])('ttl %o is fine', (ttl) => {
  expect(make({ cache, scope: null, ttl })).toBeTypeOf('function')
})
