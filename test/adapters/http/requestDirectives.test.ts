import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RequestDirectives, requestDirectives } from '../../../src/adapters/http/requestDirectives.ts'
import { cpuTime } from './cpuTime.ts'

const NOTHING: RequestDirectives = {
  noCache: false,
  noStore: false,
  onlyIfCached: false,
  maxAge: undefined,
  maxStale: undefined,
}

describe('Cache-Control of a request', () => {
  it.each<[string, Partial<RequestDirectives>]>([
    // RFC 9111 §5.2.1
    ['no-cache', { noCache: true }],
    ['no-store', { noStore: true }],
    ['only-if-cached', { onlyIfCached: true }],
    ['max-age=60', { maxAge: 60 }],
    ['no-cache, no-store, only-if-cached, max-age=1', { noCache: true, noStore: true, onlyIfCached: true, maxAge: 1 }],
    // Names in any case, RFC 9111 §5.2; white space and empty members, RFC 9110 §5.6.1.2
    ['No-Cache', { noCache: true }],
    ['NO-STORE,MAX-AGE=7', { noStore: true, maxAge: 7 }],
    ['\t no-cache \t,\tno-store ', { noCache: true, noStore: true }],
    [',, no-cache, ,', { noCache: true }],
    // delta-seconds, RFC 9111 §1.2.2
    ['max-age=0', { maxAge: 0 }],
    ['max-age=007', { maxAge: 7 }],
    ['max-age=2147483647', { maxAge: 2_147_483_647 }],
    ['max-age=2147483648', { maxAge: 2_147_483_648 }],
    ['max-age=2147483649', { maxAge: 2_147_483_648 }],
    ['max-age=99999999999999999999999999', { maxAge: 2_147_483_648 }],
    [`max-age=${'9'.repeat(400)}`, { maxAge: 2_147_483_648 }],
    // Quoted, RFC 9111 §5.2, RFC 9110 §5.6.4
    ['max-age="60"', { maxAge: 60 }],
    ['max-age="\\6\\0"', { maxAge: 60 }],
    ['max-age="60" , no-store', { maxAge: 60, noStore: true }],
    ['max-age = 60', { maxAge: 60 }],
    // Invalid: stale
    ['max-age', { maxAge: 0 }],
    ['max-age=', { maxAge: 0 }],
    ['max-age=""', { maxAge: 0 }],
    ['max-age="', { maxAge: 0 }],
    ['max-age="60', { maxAge: 0 }],
    ['max-age=60"', { maxAge: 0 }],
    ['max-age="60"0', { maxAge: 0 }],
    ['max-age=\\60', { maxAge: 0 }],
    ['max-age=" 60"', { maxAge: 0 }],
    ["max-age='60'", { maxAge: 0 }],
    ['max-age=-1', { maxAge: 0 }],
    ['max-age=+1', { maxAge: 0 }],
    ['max-age=1.5', { maxAge: 0 }],
    ['max-age=1e3', { maxAge: 0 }],
    ['max-age=0x10', { maxAge: 0 }],
    ['max-age=Infinity', { maxAge: 0 }],
    ['max-age=60s', { maxAge: 0 }],
    ['max-age=6 0', { maxAge: 0 }],
    ['max-age==60', { maxAge: 0 }],
    ['max-age=\u0661\u0662', { maxAge: 0 }],
    // Several
    ['max-age=60, max-age=30', { maxAge: 30 }],
    ['max-age=30, max-age=60', { maxAge: 30 }],
    ['max-age=30, max-age=x', { maxAge: 0 }],
    ['max-age=0, max-age=60', { maxAge: 0 }],
    // What is inside of a quoted string is nobody's directive
    ['x="no-store, max-age=0", no-cache', { noCache: true }],
    ['x="\\", no-store, \\"", no-cache', { noCache: true }],
    ['x="\\\\", no-store', { noStore: true }],
    ['x="\\\n, no-store", no-cache', { noCache: true }],
    ['no-cache, x="no-store', { noCache: true }],
    ['no-cache, x="no-store\\', { noCache: true }],
    // With an argument that they do not have
    ['no-cache="x"', { noCache: true }],
    ['no-store=1', { noStore: true }],
    // Among others
    ['max-stale=10, no-cache, min-fresh=3', { noCache: true, maxStale: 10 }],
    // Without an argument any time will do, RFC 9111 §5.2.1.2; what is none counts as 0
    ['max-stale', { maxStale: Number.POSITIVE_INFINITY }],
    ['max-stale, max-stale=5', { maxStale: 5 }],
    ['max-stale=5, max-stale=9', { maxStale: 5 }],
    ['Max-Stale="7"', { maxStale: 7 }],
    ['max-stale=', { maxStale: 0 }],
    ['max-stale=x, max-age=3', { maxStale: 0, maxAge: 3 }],
    ['max-stale=99999999999', { maxStale: 2_147_483_648 }],
  ])('of %j', (field, expected) => {
    expect(requestDirectives(of({ 'cache-control': field }))).toEqual({ ...NOTHING, ...expected })
  })

  it.each([
    '',
    ' ',
    ', ,',
    '=',
    '"',
    'no-transform',
    'min-fresh=5',
    'stale-if-error=60',
    'no-cached',
    'xno-cache',
    'no cache',
    'x=no-cache',
    'x="no-cache"',
    '"no-cache"',
    's-maxage=0',
    'max-age-x=0',
  ])('of %j asks for nothing', (field) => {
    expect(requestDirectives(of({ 'cache-control': field }))).toBeUndefined()
  })

  it('is read from Headers as they are', () => {
    expect(requestDirectives(new Headers([['cache-control', 'no-store']]))).toEqual({ ...NOTHING, noStore: true })
    const lines = new Headers([
      ['Cache-Control', 'max-age=5'],
      ['Cache-Control', 'no-cache'],
    ])
    expect(requestDirectives(lines)).toEqual({ ...NOTHING, noCache: true, maxAge: 5 })
    expect(requestDirectives(new Headers())).toBeUndefined()
  })

  it('of directives in any order and form is what they are', () => {
    fc.assert(
      fc.property(fc.array(directive), space, (directives, blank) => {
        const field = directives.map(({ text }) => `${blank}${text}${blank}`).join()
        const asked: RequestDirectives = Object.assign({ ...NOTHING }, ...directives.map(({ means }) => means))
        const ages = directives.flatMap(({ means }) => means.maxAge ?? [])
        const expected = { ...asked, maxAge: ages.length === 0 ? undefined : Math.min(...ages) }
        const nothing = directives.every(({ means }) => Object.keys(means).length === 0)
        expect(requestDirectives(of({ 'cache-control': field }))).toEqual(nothing ? undefined : expected)
      }),
      { numRuns: 1_000 },
    )
  })

  it('of any text throws nothing, and says seconds that are seconds', () => {
    const pieces = fc.constantFrom(
      'max-age',
      '=',
      '"',
      '\\',
      ',',
      ' ',
      '0',
      '9'.repeat(20),
      'no-cache',
      '\xff',
      '\u2603',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(text, text, (field, pragma) => {
        requestDirectives(of({ pragma }))
        const maxAge = requestDirectives(of({ 'cache-control': field, pragma }))?.maxAge ?? 0
        expect(Number.isSafeInteger(maxAge)).toBe(true)
        expect(maxAge).toBeGreaterThanOrEqual(0)
        expect(maxAge).toBeLessThanOrEqual(2 ** 31)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['commas', ','],
    ['spaces', ' '],
    ['quotes', '"'],
    ['escaped quotes', '\\"'],
    ['quotes and backslashes', '"\\'],
    ['backslashes', '\\'],
    ['quotes and escaped line breaks', '"\\\n\n'],
    ['digits', '9'],
    ['directives', 'max-age=1,'],
    ['equals signs', '='],
    ['strings', 'a"b"'],
  ])('of 64 KB of %s is read in linear time', (_, piece) => {
    const long = piece.repeat(65_536 / piece.length)
    const fields = [long, `x="${long}`, `max-age=${long}`, `max-age="${long}"`, `a${long}a`, `no-store,${long}"x`]
    const spent = cpuTime(() => {
      const answers = fields.map((field) => requestDirectives(of({ 'cache-control': field })))
      expect(answers[2]?.maxAge).toBeTypeOf('number')
      expect(answers[3]?.maxAge).toBeTypeOf('number')
      expect(answers[5]?.noStore).toBe(true)
    })
    expect(spent).toBeLessThan(1_000)
  })
})

describe('Pragma of a request', () => {
  it.each(['no-cache', 'No-Cache', 'x, no-cache', 'x="y,z" , no-cache,'])(
    'of %j is Cache-Control: no-cache',
    (pragma) => {
      expect(requestDirectives(of({ pragma }))).toEqual({ ...NOTHING, noCache: true })
    },
  )

  it.each(['', 'no-store', 'max-age=0', 'only-if-cached', 'x="no-cache"', 'no-cached'])(
    'of %j is nothing',
    (pragma) => {
      expect(requestDirectives(of({ pragma }))).toBeUndefined()
    },
  )

  it('says no more than no-cache', () => {
    const pragma = 'no-cache, no-store, max-age=0, only-if-cached'
    expect(requestDirectives(of({ pragma }))).toEqual({ ...NOTHING, noCache: true })
  })

  it('does not count beside Cache-Control, whatever that says', () => {
    expect(requestDirectives(of({ 'cache-control': 'max-age=60', pragma: 'no-cache' }))).toEqual({
      ...NOTHING,
      maxAge: 60,
    })
    expect(requestDirectives(of({ 'cache-control': 'no-transform', pragma: 'no-cache' }))).toBeUndefined()
    expect(requestDirectives(of({ 'cache-control': '', pragma: 'no-cache' }))).toBeUndefined()
  })
})

const space = fc.constantFrom('', ' ', '\t', ' \t ')

const directive: fc.Arbitrary<{ text: string; means: Partial<RequestDirectives> }> = fc.oneof(
  fc.constantFrom('no-cache', 'NO-CACHE', 'No-Cache').map((text) => ({ text, means: { noCache: true } })),
  fc.constantFrom('no-store', 'No-Store').map((text) => ({ text, means: { noStore: true } })),
  fc.constantFrom('only-if-cached', 'ONLY-if-cached').map((text) => ({ text, means: { onlyIfCached: true } })),
  fc
    .tuple(fc.constantFrom('max-age', 'Max-Age'), fc.nat(), fc.boolean())
    .map(([name, maxAge, quoted]) => ({ text: `${name}=${quoted ? `"${maxAge}"` : maxAge}`, means: { maxAge } })),
  fc.constantFrom('max-age=x', 'max-age', 'max-age=""').map((text) => ({ text, means: { maxAge: 0 } })),
  fc.constantFrom('', 'min-fresh=3').map((text) => ({ text, means: {} })),
  fc.constantFrom('max-stale=9', 'MAX-stale="9"').map((text) => ({ text, means: { maxStale: 9 } })),
  fc.string().map((inside) => ({ text: `x="${inside.replace(/["\\]/g, '\\$&')}"`, means: {} })),
)

/** As `Headers` answers, for values that it would refuse as well. */
function of(fields: Record<string, string>): { get(name: string): string | null } {
  return { get: (name) => fields[name.toLowerCase()] ?? null }
}
