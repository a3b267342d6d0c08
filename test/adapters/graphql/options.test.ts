import { afterAll, describe, expect, test } from 'vitest'
import { useAtomCache as useEnvelopCache } from '../../../src/adapters/graphql/envelop.ts'
import { useAtomCache as useYogaCache } from '../../../src/adapters/graphql/yoga.ts'
import { type Cache, createCache } from '../../../src/index.ts'

const cache = createCache()
const withTtl = createCache({ ttl: 5 })
afterAll(() => Promise.all([cache.close(), withTtl.close()]))

const session = () => null

describe.each([
  ['envelop', useEnvelopCache as (options: unknown) => object],
  ['Yoga', useYogaCache as (options: unknown) => object],
])('the options of useAtomCache for %s are checked when it is made', (_framework, make) => {
  test('without a session function it says what to give', () => {
    for (const bad of [{ cache }, { cache, session: undefined }, { cache, session: null }, { cache, session: 'ann' }]) {
      expect(() => make(bad)).toThrow(
        new TypeError(
          'useAtomCache needs session: a function that returns whose data a response is, or null for the same for everybody',
        ),
      )
    }
  })

  test.each([
    [{ session }, /^cache must be what createCache\(\) returned$/],
    [{ session, cache: {} }, /^cache must be what createCache\(\) returned$/],
    [{ session, cache: { ...cache } as Cache }, /^cache must be what createCache\(\) returned$/],
    [undefined, /needs session/],
  ])('cache must be one that createCache made: %o', (bad, message) => {
    expect(() => make(bad)).toThrow(TypeError)
    expect(() => make(bad)).toThrow(message)
  })

  test.each([-1, Number.NaN, '60', null])('ttl %o is refused with its bounds', (ttl) => {
    expect(() => make({ cache, session, ttl })).toThrow(/^ttl must be at least 0 \(ms; 0 is never\), or Infinity/)
  })

  test('an option it does not know is refused: a misspelt one would be ignored in silence', () => {
    expect(() => make({ cache, session, tll: 5 })).toThrow(/has no option "tll"/)
  })

  test.each([undefined, 0, 1, Number.POSITIVE_INFINITY])('ttl %o is fine', (ttl) => {
    expect(make({ cache, session, ttl })).toHaveProperty('onExecute')
    expect(make({ cache: withTtl, session, ttl })).toHaveProperty('onExecute')
  })
})
