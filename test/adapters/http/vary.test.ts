import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { varyOf } from '../../../src/adapters/http/vary.ts'

describe('Vary', () => {
  it.each<[string | null, string[], string]>([
    [null, ['Authorization'], 'Authorization'],
    [null, ['Accept', 'Authorization'], 'Accept, Authorization'],
    ['', ['Accept'], 'Accept'],
    ['Accept-Encoding', ['Authorization'], 'Accept-Encoding, Authorization'],
    ['Accept-Encoding', [], 'Accept-Encoding'],
    // Case does not count, and the first spelling stays
    ['accept, ACCEPT', ['Accept', 'cookie', 'Cookie'], 'accept, cookie'],
    // White space and empty members, RFC 9110 §5.6.1.2
    [' Accept ,\tOrigin,, ', ['Origin'], 'Accept, Origin'],
    [null, [' Accept '], 'Accept'],
    [null, ['Accept, Origin', 'origin'], 'Accept, Origin'],
    [null, ['', ' '], ''],
    [null, [], ''],
    // `*` takes the place of all, RFC 9110 §12.5.5
    ['*', ['Accept'], '*'],
    ['Accept', ['*'], '*'],
    ['Accept, *', [], '*'],
    ['*, *', ['*'], '*'],
    // Not a part of a name
    ['Accept', ['Accept-Encoding'], 'Accept, Accept-Encoding'],
    ['x-*', ['Accept'], 'x-*, Accept'],
    ['__proto__', ['constructor'], '__proto__, constructor'],
  ])('%j with %j is %j', (before, names, expected) => {
    expect(varyOf(before, names)).toBe(expected)
  })

  it('has each name once, in the order in which they came', () => {
    const name = fc.constantFrom('Accept', 'ACCEPT', 'accept', 'Cookie', 'cookie', 'Origin', 'X-A')
    fc.assert(
      fc.property(fc.array(name), fc.array(name), (before, names) => {
        const all = [...before, ...names]
        const first = all.filter(
          (one, at) => all.findIndex((other) => other.toLowerCase() === one.toLowerCase()) === at,
        )
        expect(varyOf(before.join(), names)).toBe(first.join(', '))
      }),
    )
  })

  it('of any text throws nothing, and merged again stays as it is', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string())
    fc.assert(
      fc.property(fc.option(text), fc.array(text), (before, names) => {
        const merged = varyOf(before, names)
        expect(varyOf(merged, names)).toBe(merged)
        expect(varyOf(merged, [])).toBe(merged)
      }),
    )
  })
})
