import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cacheControlOf,
  type ResponsePolicy,
  sentWithAge,
  strictest,
} from '../../../src/adapters/http/responsePolicy.ts'

const PRIVATE: ResponsePolicy = { shared: false, maxAge: undefined, store: true }
const PUBLIC: ResponsePolicy = { shared: true, maxAge: undefined, store: true }

describe('Cache-Control of a response', () => {
  it.each<[string, ResponsePolicy]>([
    ['private, no-cache', PRIVATE],
    ['public, no-cache', PUBLIC],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42 }],
    ['public, max-age=42', { ...PUBLIC, maxAge: 42 }],
    ['private, max-age=42, stale-while-revalidate=10', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: 10 }],
    ['public, max-age=1, stale-while-revalidate=1', { ...PUBLIC, maxAge: 1, staleWhileRevalidate: 1 }],
    // Nothing may be kept: the rest does not count
    ['no-store', { ...PUBLIC, store: false }],
    ['no-store', { ...PUBLIC, maxAge: 42, staleWhileRevalidate: 10, store: false }],
    // Rounded down to whole seconds, never negative
    ['private, max-age=42', { ...PRIVATE, maxAge: 42.999 }],
    ['private, max-age=1', { ...PRIVATE, maxAge: 1 }],
    ['private, no-cache', { ...PRIVATE, maxAge: 0.999 }],
    ['private, no-cache', { ...PRIVATE, maxAge: 0 }],
    ['private, no-cache', { ...PRIVATE, maxAge: -0 }],
    ['private, no-cache', { ...PRIVATE, maxAge: -1 }],
    ['private, no-cache', { ...PRIVATE, maxAge: -Infinity }],
    ['private, no-cache', { ...PRIVATE, maxAge: Number.NaN }],
    ['private, max-age=42, stale-while-revalidate=10', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: 10.7 }],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: 0.9 }],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: 0 }],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: -5 }],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: Number.NaN }],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: undefined }],
    ['private, max-age=42, stale-if-error=9', { ...PRIVATE, maxAge: 42, staleIfError: 9.5 }],
    [
      'private, max-age=42, stale-while-revalidate=10, stale-if-error=600',
      { ...PRIVATE, maxAge: 42, staleWhileRevalidate: 10, staleIfError: 600 },
    ],
    ['private, max-age=42', { ...PRIVATE, maxAge: 42, staleWhileRevalidate: 0, staleIfError: 0.9 }],
    // What must be validated is never served stale
    ['private, no-cache', { ...PRIVATE, staleWhileRevalidate: 10 }],
    ['public, no-cache', { ...PUBLIC, maxAge: 0, staleWhileRevalidate: 10, staleIfError: 10 }],
    // At most 2^31, RFC 9111 §1.2.2
    ['public, max-age=2147483647', { ...PUBLIC, maxAge: 2_147_483_647 }],
    ['public, max-age=2147483648', { ...PUBLIC, maxAge: 2_147_483_648 }],
    ['public, max-age=2147483648', { ...PUBLIC, maxAge: 2_147_483_649 }],
    ['public, max-age=2147483648', { ...PUBLIC, maxAge: 1e300 }],
    ['public, max-age=2147483648', { ...PUBLIC, maxAge: Infinity }],
    [
      'public, max-age=2147483648, stale-while-revalidate=2147483648',
      { ...PUBLIC, maxAge: Infinity, staleWhileRevalidate: Infinity },
    ],
  ])('is %j of %j', (field, policy) => {
    expect(cacheControlOf(policy)).toBe(field)
  })

  it('of any policy is in one of its four forms', () => {
    const forms =
      /^(?:no-store|(?:public|private), (?:no-cache|max-age=[1-9]\d*(?:, stale-while-revalidate=[1-9]\d*)?(?:, stale-if-error=[1-9]\d*)?))$/
    fc.assert(
      fc.property(policy, (given) => {
        expect(cacheControlOf(given)).toMatch(forms)
        const { store, shared, fresh, stale, onError } = allowedBy(given)
        expect(store).toBe(given.store)
        if (!store) return
        expect(shared).toBe(given.shared)
        expect(fresh).toBeLessThanOrEqual(Math.max(0, given.maxAge || 0))
        expect(stale).toBeLessThanOrEqual(Math.max(0, given.staleWhileRevalidate || 0))
        expect(onError).toBeLessThanOrEqual(Math.max(0, given.staleIfError || 0))
      }),
    )
  })
})

describe('the strictest of several policies', () => {
  const [A, B]: [ResponsePolicy, ResponsePolicy] = [
    { ...PUBLIC, maxAge: 60, staleWhileRevalidate: 5 },
    { ...PUBLIC, maxAge: 30, staleWhileRevalidate: 10 },
  ]

  it.each<[string, ResponsePolicy[], ResponsePolicy]>([
    ['of one is that', [A], A],
    ['has the smaller of both durations', [A, B], { ...PUBLIC, maxAge: 30, staleWhileRevalidate: 5 }],
    ['is private if one is', [A, { ...A, shared: false }], { ...A, shared: false }],
    ['is not to be kept if one is not', [A, { ...A, store: false }], { ...A, store: false }],
    ['must be validated if one must', [A, { ...A, maxAge: undefined }], { ...A, maxAge: undefined }],
    ['must be validated rather than be fresh for no time', [{ ...A, maxAge: 0 }, PUBLIC], PUBLIC],
    ['must be validated if one has no number', [A, { ...A, maxAge: Number.NaN }], { ...A, maxAge: Number.NaN }],
    [
      'has the smaller of both windows of errors',
      [
        { ...PUBLIC, maxAge: 60, staleIfError: 5 },
        { ...PUBLIC, maxAge: 60, staleIfError: 9 },
      ],
      { ...PUBLIC, maxAge: 60, staleIfError: 5 },
    ],
    ['is never stale if one is never', [A, { ...PUBLIC, maxAge: 90 }], { ...PUBLIC, maxAge: 60 }],
    ['may live for ever if all may', [{ ...PUBLIC, maxAge: Infinity }, A], { ...PUBLIC, maxAge: 60 }],
    [
      'takes from each what is strict in it',
      [A, { ...B, shared: false }, { ...PUBLIC, maxAge: 90 }],
      { ...PRIVATE, maxAge: 30 },
    ],
  ])('%s', (_, policies, expected) => {
    expect(strictest(policies)).toEqual(expected)
    expect(strictest([...policies].reverse())).toEqual(expected)
  })

  it('of none is not to be kept', () => {
    expect(strictest([]).store).toBe(false)
    expect(cacheControlOf(strictest([]))).toBe('no-store')
  })

  it('is the same in any order', () => {
    fc.assert(
      fc.property(policy, policy, (a, b) => {
        expect(strictest([a, b])).toEqual(strictest([b, a]))
      }),
    )
  })

  it('is the same however they are grouped', () => {
    fc.assert(
      fc.property(policy, policy, policy, (a, b, c) => {
        expect(strictest([strictest([a, b]), c])).toEqual(strictest([a, strictest([b, c])]))
        expect(strictest([strictest([a, b]), c])).toEqual(strictest([a, b, c]))
      }),
    )
  })

  it('is the same if one is there twice', () => {
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1 }), (policies) => {
        const once = strictest(policies)
        expect(strictest([...policies, ...policies])).toEqual(once)
        expect(strictest([...policies, once])).toEqual(once)
      }),
    )
  })

  it('allows nothing that one of them does not, and what all of them do', () => {
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1, maxLength: 4 }), (policies) => {
        const allowed = allowedBy(strictest(policies))
        const each = policies.map(allowedBy)
        expect(allowed.store).toBe(each.every(({ store }) => store))
        for (const one of each) {
          if (allowed.shared) expect(one.shared).toBe(true)
          expect(allowed.fresh).toBeLessThanOrEqual(one.fresh)
          expect(allowed.stale).toBeLessThanOrEqual(one.stale)
          expect(allowed.onError).toBeLessThanOrEqual(one.onError)
        }
        if (!allowed.store) return
        expect(allowed.shared).toBe(each.every(({ shared }) => shared))
        expect(allowed.fresh).toBe(Math.min(...each.map(({ fresh }) => fresh)))
      }),
      { numRuns: 1_000 },
    )
  })

  it('leaves what it was given as it was', () => {
    const policies = [Object.freeze({ ...A }), Object.freeze({ ...B })]
    strictest(Object.freeze(policies))
    expect(policies).toEqual([A, B])
  })
})

describe('beside an Age', () => {
  it.each<[string, number, Partial<ResponsePolicy>]>([
    // What is left, and how long ago it was made: a cache takes Age off again (RFC 9111 §4.2)
    ['public, max-age=60', 10, { maxAge: 50 }],
    ['public, max-age=60, stale-while-revalidate=30', 10, { maxAge: 50, staleWhileRevalidate: 30 }],
    ['public, no-cache', 10, {}],
    ['public, no-cache', 10, { maxAge: 0.9 }],
    ['public, no-cache', 70, { maxAge: -10 }],
    // Stale: the windows count from when it became so, which max-age says; those that are over are not said
    ['public, max-age=60, stale-while-revalidate=30', 70, { maxAge: -10, staleWhileRevalidate: 30 }],
    ['public, max-age=60, stale-if-error=600', 100, { maxAge: -40, staleWhileRevalidate: 30, staleIfError: 600 }],
    ['public, max-age=60, stale-while-revalidate=30', 60, { maxAge: 0.5, staleWhileRevalidate: 30 }],
    // Age says whole seconds: what is fresh is so for no longer, and what is stale not for less than it was
    ['public, max-age=59', 10.9, { maxAge: 49.1 }],
    ['public, max-age=1, stale-while-revalidate=30', 1.6, { maxAge: -0.1, staleWhileRevalidate: 30 }],
    ['public, no-cache', 90, { maxAge: -30, staleWhileRevalidate: 30 }],
    ['public, no-cache', 700, { maxAge: -640, staleWhileRevalidate: 30, staleIfError: 600 }],
    ['public, no-cache', 5, { maxAge: Number.NaN, staleWhileRevalidate: 30 }],
  ])('is %j at the age of %d s of %j', (field, age, given) => {
    expect(cacheControlOf(sentWithAge({ ...PUBLIC, ...given }, age))).toBe(field)
  })

  it('allows to be fresh for no longer than is left, and to be stale for no longer than the window', () => {
    const seconds = fc.integer({ min: 0, max: 100 })
    fc.assert(
      fc.property(fc.integer({ min: -200, max: 200 }), seconds, seconds, seconds, (maxAge, age, stale, onError) => {
        const given = { ...PUBLIC, maxAge, staleWhileRevalidate: stale, staleIfError: onError }
        const allowed = allowedBy(sentWithAge(given, age))
        expect(allowed.fresh - age).toBeLessThanOrEqual(Math.max(0, maxAge))
        if (allowed.stale > 0) expect(allowed.fresh + allowed.stale - age).toBeLessThanOrEqual(maxAge + stale)
        if (allowed.onError > 0) expect(allowed.fresh + allowed.onError - age).toBeLessThanOrEqual(maxAge + onError)
      }),
    )
  })
})

const seconds = fc.option(
  fc.oneof(
    fc.integer({ min: -2, max: 5 }),
    fc.nat(),
    fc.double(),
    fc.constantFrom(Infinity, Number.NaN, 0.5, 2 ** 31 + 1),
  ),
  { nil: undefined },
)

const policy: fc.Arbitrary<ResponsePolicy> = fc.record({
  shared: fc.boolean(),
  maxAge: seconds,
  staleWhileRevalidate: seconds,
  staleIfError: seconds,
  // Mostly kept: else hardly a list had any other property.
  store: fc.nat({ max: 7 }).map((n) => n > 0),
})

/** What a cache reads in the field: seconds. */
function allowedBy(given: ResponsePolicy) {
  const directives = cacheControlOf(given).split(', ')
  const secondsOf = (name: string) => {
    const found = directives.find((directive) => directive.startsWith(`${name}=`))
    return Number(found?.slice(name.length + 1) ?? 0)
  }
  return {
    store: !directives.includes('no-store'),
    shared: directives.includes('public'),
    fresh: secondsOf('max-age'),
    stale: secondsOf('stale-while-revalidate'),
    onError: secondsOf('stale-if-error'),
  }
}
