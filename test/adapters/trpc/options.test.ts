import { afterAll, expect, test } from 'vitest'
import { cached, cachedByMeta, cacheHeaders, invalidates } from '../../../src/adapters/trpc/index.ts'
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

test.each([
  [undefined, 'undefined'],
  ['', '""'],
])('a scope that says of nobody’s data whose it is, is refused: %o', (scope, shown) => {
  const error = new TypeError(`scope must be a non-empty string, null, or a function that returns one, got ${shown}`)
  expect(() => make({ cache, scope })).toThrow(error)
  expect(() => cachedByMeta({ cache, scope } as never)).toThrow(error)
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

type Make = (options: object) => unknown

/** Those that have the options of a procedure's cache. */
const MAKERS: readonly [string, Make][] = [
  ['cached', (options) => make({ cache, scope: null, ...options })],
  ['cachedByMeta', (options) => cachedByMeta({ cache, ...options } as never)],
]

const BAD: readonly [object, new (message: string) => Error, string][] = [
  [{ ttl: '60s' }, RangeError, 'ttl must be greater than 0 (ms), Infinity, or a function of the value, got "60s"'],
  [{ tags: 'Product' }, TypeError, 'tags must be an array of strings, got string'],
  [{ tags: null }, TypeError, 'tags must be an array of strings, got null'],
  [{ tags: ['Product', 7] }, TypeError, 'tags[1] must be a string, got number'],
  [{ tags: ['\ud83d'] }, TypeError, 'tags[0] is not well-formed Unicode: it has half of a surrogate pair'],
  [{ key: 'id' }, TypeError, 'key must be a function of the call, got "id"'],
  [{ key: null }, TypeError, 'key must be a function of the call, got null'],
  [{ vary: ['de'] }, TypeError, 'vary must be a function of the call, got an array'],
  [{ shouldCache: 1 }, TypeError, 'shouldCache must be a boolean or a function of the value, got 1'],
  [{ enabled: 'no' }, TypeError, 'enabled must be true, false or a function of the call, got "no"'],
  [{ enabled: null }, TypeError, 'enabled must be true, false or a function of the call, got null'],
  [{ scope: 7 }, TypeError, 'scope must be a non-empty string, null, or a function that returns one, got number'],
  [{ leaseTtl: 99 }, RangeError, 'leaseTtl must be at least 100 (ms), got 99'],
  [
    { leaseTtl: 1000, maxFlightTime: 999 },
    RangeError,
    'maxFlightTime must be at least leaseTtl (1000 ms) and below one day (86400000 ms), got 999',
  ],
  [{ waitTimeout: 0 }, RangeError, 'waitTimeout must be greater than 0 (ms) or Infinity, got 0'],
  [{ onWaitTimeout: 'wait' }, RangeError, "onWaitTimeout must be 'load', 'stale' or 'throw', got \"wait\""],
  [{ staleWhileRevalidate: -1 }, RangeError, 'staleWhileRevalidate must be at least 0 (ms) or Infinity, got -1'],
  [{ staleIfError: '1h' }, RangeError, 'staleIfError must be at least 0 (ms) or Infinity, got "1h"'],
  [{ softTimeout: 0 }, RangeError, 'softTimeout must be greater than 0 (ms) or Infinity, got 0'],
  [{ isOutage: true }, TypeError, 'isOutage must be a function, got true'],
  [{ jitter: 2 }, RangeError, 'jitter must be a part of the ttl, from 0 to 1, got 2'],
  [{ earlyRefresh: 1 }, TypeError, 'earlyRefresh must be true, false or { beta }, got 1'],
  [{ negativeTtl: -1 }, RangeError, 'negativeTtl must be at least 0 (ms) or Infinity, got -1'],
  [{ isNegative: null }, TypeError, 'isNegative must be a function of the call, got null'],
  [{ errorTtl: -1 }, RangeError, 'errorTtl must be at least 0 (ms), or a function of the error, got -1'],
  [{ shareError: true }, TypeError, 'shareError must be a function of the error, got true'],
  [
    { codec: { id: 'mine' } },
    TypeError,
    "codec must be { id, encode, decode } with an id of 1 to 32 characters of a-z, 0-9, '.', '_' and '-', got an object",
  ],
]

for (const [who, of] of MAKERS) {
  test.each(BAD)(`${who} refuses %o`, (bad, type, message) => {
    expect(() => of(bad)).toThrow(new type(message))
  })

  test(`${who} names all its options for one it does not know`, () => {
    expect(() => of({ tag: [] })).toThrow(
      new TypeError(
        `${who} has no option "tag"; it has scope, ttl, tags, key, vary, shouldCache, enabled, leaseTtl, maxFlightTime, waitTimeout, onWaitTimeout, limit, shareError, codec, staleWhileRevalidate, staleIfError, softTimeout, isOutage, jitter, earlyRefresh, negativeTtl, isNegative, errorTtl, cache`,
      ),
    )
  })
}

test.each([undefined, {}, { cache: {} }])('cachedByMeta and invalidates need a cache: %o', (bad) => {
  for (const of of [cachedByMeta, invalidates] as unknown as Make[]) {
    expect(() => of(bad as never)).toThrow(new TypeError('cache must be what createCache() returned'))
  }
})

test('cachedByMeta needs no scope: the meta may say it', () => {
  expect(cachedByMeta({ cache })).toBeTypeOf('function')
})

const NEEDS_TAGS = 'invalidates needs tags: a list of strings, or a function that returns one, got'
test.each<[object, string]>([
  [{}, `${NEEDS_TAGS} undefined`],
  [{ tags: null }, `${NEEDS_TAGS} null`],
  [{ tags: 'Product' }, `${NEEDS_TAGS} "Product"`],
  [{ tags: [7] }, 'tags[0] must be a string, got number'],
  [{ tags: ['\ud83d'] }, 'tags[0] is not well-formed Unicode: it has half of a surrogate pair'],
  [{ tags: [], onInvalidateError: 'ignore' }, "onInvalidateError must be 'retry' or 'throw', got \"ignore\""],
  [{ tags: [], keys: [] }, 'invalidates has no option "keys"; it has cache, tags, onInvalidateError'],
])('invalidates refuses %o', (bad, message) => {
  expect(() => invalidates({ cache, ...bad } as never)).toThrow(new TypeError(message))
})

test.each<[object, new (message: string) => Error, string]>([
  [{ maxAge: -1 }, RangeError, 'maxAge must be at least 0 (s), got -1'],
  [{ maxAge: Number.NaN }, RangeError, 'maxAge must be at least 0 (s), got NaN'],
  [{ maxAge: '60' }, RangeError, 'maxAge must be at least 0 (s), got "60"'],
  [{ staleWhileRevalidate: -5 }, RangeError, 'staleWhileRevalidate must be at least 0 (s), got -5'],
  [{ staleIfError: '1' }, RangeError, 'staleIfError must be at least 0 (s), got "1"'],
  [{ vary: 'Cookie' }, TypeError, 'vary must be a list of header names, got "Cookie"'],
  [{ vary: ['a b'] }, TypeError, 'vary must be a list of header names, got an array'],
  [{ ttl: 5 }, TypeError, 'cacheHeaders has no option "ttl"; it has maxAge, staleWhileRevalidate, staleIfError, vary'],
])('cacheHeaders refuses %o', (bad, type, message) => {
  expect(() => cacheHeaders(bad)).toThrow(new type(message))
})
