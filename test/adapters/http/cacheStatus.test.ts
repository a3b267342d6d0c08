import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appendCacheStatus, type CacheOutcome, cacheStatusOf } from '../../../src/adapters/http/cacheStatus.ts'
import { type Item, structuredList, Token } from './structuredList.ts'

describe('Cache-Status', () => {
  it.each<[string, CacheOutcome]>([
    ['atomcache; hit; ttl=42', { type: 'hit', ttl: 42_000 }],
    ['atomcache; hit; ttl=42', { type: 'hit', ttl: 42_999 }],
    ['atomcache; hit; ttl=0', { type: 'hit', ttl: 0 }],
    ['atomcache; hit; ttl=0', { type: 'hit', ttl: -0 }],
    ['atomcache; hit; ttl=0', { type: 'hit', ttl: 999.9 }],
    ['atomcache; hit; ttl=-1', { type: 'hit', ttl: -1 }],
    ['atomcache; hit; ttl=-1', { type: 'hit', ttl: -1_000 }],
    ['atomcache; hit; ttl=-412', { type: 'hit', ttl: -411_001 }],
    ['atomcache; hit', { type: 'hit', ttl: Infinity }],
    ['atomcache; hit', { type: 'hit', ttl: -Infinity }],
    ['atomcache; hit', { type: 'hit', ttl: Number.NaN }],
    ['atomcache; hit; ttl=999999999999999', { type: 'hit', ttl: Number.MAX_VALUE }],
    ['atomcache; hit; ttl=-999999999999999', { type: 'hit', ttl: -Number.MAX_VALUE }],
    ['atomcache; fwd=miss', { type: 'forwarded', why: 'miss' }],
    ['atomcache; fwd=request', { type: 'forwarded', why: 'request' }],
    ['atomcache; fwd=stale', { type: 'forwarded', why: 'stale' }],
    ['atomcache; fwd=bypass', { type: 'forwarded', why: 'bypass' }],
    ['atomcache; fwd=method', { type: 'forwarded', why: 'method' }],
    ['atomcache; fwd=miss; stored', { type: 'forwarded', why: 'miss', stored: true }],
    ['atomcache; fwd=miss; collapsed', { type: 'forwarded', why: 'miss', collapsed: true }],
    ['atomcache; fwd=miss', { type: 'forwarded', why: 'miss', stored: false, collapsed: false }],
    [
      'atomcache; fwd=miss; stored; collapsed; ttl=60',
      { type: 'forwarded', why: 'miss', stored: true, collapsed: true, ttl: 60_000 },
    ],
    ['atomcache; fwd=stale; stored', { type: 'forwarded', why: 'stale', stored: true, ttl: Infinity }],
    ['atomcache; fwd=bypass; detail="no session"', { type: 'forwarded', why: 'bypass', detail: 'no session' }],
    ['atomcache; fwd=bypass; detail=""', { type: 'forwarded', why: 'bypass', detail: '' }],
    [
      'atomcache; fwd=miss; stored; collapsed; ttl=1; detail="x"',
      { type: 'forwarded', why: 'miss', detail: 'x', ttl: 1_500, collapsed: true, stored: true },
    ],
    ['atomcache; detail="not stored"', { type: 'refused', detail: 'not stored' }],
  ])('is %j', (field, outcome) => {
    expect(cacheStatusOf(outcome)).toBe(field)
  })

  it.each([
    ['quotes and backslashes', 'a "b" \\c', '"a \\"b\\" \\\\c"'],
    ['a backslash at the end', 'a\\', '"a\\\\"'],
    ['line breaks', 'a\r\nSet-Cookie: b', '"a??Set-Cookie: b"'],
    ['control characters', '\x00\t\x1f\x7f\x80', '"?????"'],
    ['the ends of what is allowed', ' ~', '" ~"'],
    ['letters beyond ASCII', 'é☃', '"??"'],
    ['letters beyond the first 65,536, and halves of them', '😀\ud83d', '"??"'],
    ['more than 100 characters', 'a'.repeat(101), `"${'a'.repeat(100)}"`],
    ['100 characters', 'b'.repeat(100), `"${'b'.repeat(100)}"`],
    ['100 characters that are escaped', '"'.repeat(120), `"${'\\"'.repeat(100)}"`],
    ['a letter of two halves where it is cut', `${'a'.repeat(99)}😀`, `"${'a'.repeat(99)}?"`],
  ])('says in detail %s', (_, detail, expected) => {
    expect(cacheStatusOf({ type: 'forwarded', why: 'bypass', detail })).toBe(
      `atomcache; fwd=bypass; detail=${expected}`,
    )
  })

  it('is read by others as what it was made of', () => {
    fc.assert(
      fc.property(outcome, (given) => {
        const field = cacheStatusOf(given)
        expect(field).toMatch(/^[\x20-\x7e]+$/)
        expect(structuredList(field)).toEqual([memberOf(given)])
      }),
      { numRuns: 1_000 },
    )
  })

  it('of earlier caches stays, and ours is appended to it', () => {
    const ours: CacheOutcome = { type: 'hit', ttl: 5_000 }
    expect(appendCacheStatus('OriginCache; hit; ttl=1100', ours)).toBe(
      'OriginCache; hit; ttl=1100, atomcache; hit; ttl=5',
    )
    expect(appendCacheStatus(' "CDN Company Here"; fwd=uri-miss\t', ours)).toBe(
      '"CDN Company Here"; fwd=uri-miss, atomcache; hit; ttl=5',
    )
  })

  it.each([null, '', ' ', '\t'])('after %j is ours alone', (before) => {
    expect(appendCacheStatus(before, { type: 'hit', ttl: 5_000 })).toBe('atomcache; hit; ttl=5')
  })

  it('of several caches is a list from the origin to the user', () => {
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 1, maxLength: 5 }), (outcomes) => {
        const field = outcomes.reduce<string | null>(appendCacheStatus, null)
        expect(structuredList(field ?? '')).toEqual(outcomes.map(memberOf))
      }),
    )
  })

  it('before ours may be any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), outcome, (before, given) => {
        expect(appendCacheStatus(before, given).endsWith(cacheStatusOf(given))).toBe(true)
      }),
    )
  })
})

describe('the reader of these tests', () => {
  it('reads what the RFCs have', () => {
    expect(structuredList('OriginCache; hit; ttl=1100, "CDN Company Here"; fwd=uri-miss;  stored=?0')).toEqual([
      { value: new Token('OriginCache'), parameters: { hit: true, ttl: 1_100 } },
      { value: 'CDN Company Here', parameters: { fwd: new Token('uri-miss'), stored: false } },
    ])
    expect(structuredList('')).toEqual([])
    expect(structuredList('a;b="\\"\\\\";c=-5')).toEqual([{ value: new Token('a'), parameters: { b: '"\\', c: -5 } }])
  })

  it.each([
    'a,',
    ',a',
    'a b',
    'a; ',
    'a;B',
    'a;b=',
    'a;b="',
    'a;b="\\x"',
    'a;b="é"',
    'a;b="\n"',
    'a;b=1234567890123456',
    'a;b=-',
  ])('refuses %j', (field) => {
    expect(() => structuredList(field)).toThrow(SyntaxError)
  })
})

const ttl = fc.oneof(fc.integer({ min: -5_000, max: 5_000 }), fc.double(), fc.constantFrom(Infinity, -Infinity))

const detail = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 150 }),
  fc.array(fc.constantFrom('"', '\\', '\r\n', 'é', '😀', ';', ',', '=')).map((parts) => parts.join('')),
)

const outcome: fc.Arbitrary<CacheOutcome> = fc.oneof(
  fc.record({ type: fc.constant('hit' as const), ttl }),
  fc.record(
    {
      type: fc.constant('forwarded' as const),
      why: fc.constantFrom('miss' as const, 'request' as const, 'stale' as const, 'bypass' as const, 'method' as const),
      stored: fc.boolean(),
      collapsed: fc.boolean(),
      ttl,
      detail,
    },
    { requiredKeys: ['type', 'why'] },
  ),
  fc.record({ type: fc.constant('refused' as const), detail }),
)

/** What a reader is to find. */
function memberOf(given: CacheOutcome): Item {
  const limit = 999_999_999_999_999
  const parameters: Record<string, Item['value']> = {}
  if (given.type === 'hit') parameters.hit = true
  if (given.type === 'forwarded') parameters.fwd = new Token(given.why)
  if (given.type !== 'refused' && given.ttl !== undefined && Number.isFinite(given.ttl)) {
    const seconds = Math.floor(given.ttl / 1_000)
    // `+ 0`: on the wire there is no -0.
    parameters.ttl = (seconds > limit ? limit : seconds < -limit ? -limit : seconds) + 0
  }
  if (given.type === 'forwarded') {
    if (given.stored) parameters.stored = true
    if (given.collapsed) parameters.collapsed = true
  }
  if (given.type !== 'hit' && given.detail !== undefined) {
    const letters = [...given.detail.slice(0, 100)]
    parameters.detail = letters.map((letter) => (letter >= ' ' && letter <= '~' ? letter : '?')).join('')
  }
  return { value: new Token('atomcache'), parameters }
}
