import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { etagOf, matchesEtag } from '../../../src/adapters/http/etag.ts'
import { cpuTime } from './cpuTime.ts'

describe('an entity tag', () => {
  it('is the beginning of the SHA-256 of the content, in quotes', () => {
    expect(etagOf(Buffer.from('{"data":{}}'))).toMatch(/^"[A-Za-z0-9_-]{27}"$/)
    expect(etagOf(new Uint8Array())).toBe('"47DEQpj8HBSa-_TImW-5JCeuQeR"')
    expect(etagOf(Buffer.from('abc'))).toBe(`"${createHash('sha256').update('abc').digest('base64url').slice(0, 27)}"`)
  })

  it('is the same for the same bytes, wherever they lie', () => {
    const memory = Buffer.from('xxabcxx')
    expect(etagOf(new Uint8Array(memory).subarray(2, 5))).toBe(etagOf(Buffer.from('abc')))
  })

  it('is another one for other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(etagOf(a) === etagOf(b)).toBe(Buffer.compare(a, b) === 0)
      }),
    )
  })

  it('matches itself, strong and weak', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (content) => {
        const etag = etagOf(content)
        expect(matchesEtag(etagOf(content), etag)).toBe(true)
        expect(matchesEtag(`W/${etag}`, etag)).toBe(true)
        expect(matchesEtag(etag, `W/${etag}`)).toBe(true)
      }),
    )
  })
})

describe('If-None-Match', () => {
  it.each([
    // RFC 9110 §8.8.3.2, weak comparison
    ['W/"1"', 'W/"1"', true],
    ['W/"1"', 'W/"2"', false],
    ['W/"1"', '"1"', true],
    ['"1"', 'W/"1"', true],
    ['"1"', '"1"', true],
    // RFC 9110 §13.1.2
    ['"xyzzy"', '"xyzzy"', true],
    ['"xyzzy", "r2d2xxxx", "c3piozzzz"', '"xyzzy"', true],
    ['"xyzzy", "r2d2xxxx", "c3piozzzz"', '"r2d2xxxx"', true],
    ['W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"', '"c3piozzzz"', true],
    ['"xyzzy", "r2d2xxxx", "c3piozzzz"', '"r2d2"', false],
    ['*', '"anything"', true],
    [' \t* \t', '"anything"', true],
    // etagc: everything visible but the quote, and no escapes
    ['""', '""', true],
    ['"a,b"', '"a,b"', true],
    ['"a,b"', '"a"', false],
    ['"x,"a",y"', '"a"', false],
    ['"a", W/"b,\\", "c"', '"c"', true],
    ['"a\\"', '"a\\"', true],
    ['"*"', '"a"', false],
    ['"*"', '"*"', true],
    ['"W/"', '"W/"', true],
    ['"\x80é\xff"', '"\x80é\xff"', true],
    ['"!#~"', '"!#~"', true],
    // Lists, RFC 9110 §5.6.1.2
    ['"a","b"', '"b"', true],
    ['"a" \t , \t "b"', '"b"', true],
    ['  "a"  ', '"a"', true],
    [',, "a" , ,', '"a"', true],
    [', ,', '"a"', false],
    ['', '"a"', false],
    ['"A"', '"a"', false],
  ])('of %j for %j: %j', (field, etag, expected) => {
    expect(matchesEtag(field, etag)).toBe(expected)
  })

  it.each([
    ['without quotes', 'a'],
    ['without the first quote', 'a"'],
    ['without the last quote', '"a'],
    ['with a small w', 'w/"a"'],
    ['with a space behind W/', 'W/ "a"'],
    ['with a slash missing', 'W"a"'],
    ['with two W/', 'W/W/"a"'],
    ['without a comma', '"a" "b"'],
    ['without a comma or a space', '"a""b"'],
    ['with another separator', '"a"; "b"'],
    ['with a space inside another tag', '"a", "b c"'],
    ['with a tab inside another tag', '"b\tc", "a"'],
    ['with DEL inside another tag', '"a", "\x7f"'],
    ['with a line break', '"b",\r\n"a"'],
    ['with another kind of space', '"a"\xa0'],
    ['with what is no byte', '"a", "\u2603"'],
    ['with a star among tags', '"a", *'],
    ['with a star before tags', '*, "a"'],
    ['with two stars', '**'],
    ['with a weak star', 'W/*'],
    ['with words behind it', '"a" and more'],
    ['with words in front of it', 'tag "a"'],
  ])('%s is malformed and matches nothing', (_, field) => {
    expect(matchesEtag(field, '"a"')).toBe(false)
  })

  it('that is not there matches nothing', () => {
    expect(matchesEtag(null, '"a"')).toBe(false)
    expect(matchesEtag(undefined, '"a"')).toBe(false)
    expect(matchesEtag('', '')).toBe(false)
  })

  it('with tags of any kind in a list of any form matches those and no others', () => {
    fc.assert(
      fc.property(fc.array(member), tag, (members, asked) => {
        const field = members.map((part) => part.text).join()
        expect(matchesEtag(field, asked)).toBe(members.some((part) => part.tag === asked))
        for (const part of members) if (part.tag !== undefined) expect(matchesEtag(field, part.tag)).toBe(true)
      }),
    )
  })

  it('of whatever it is made matches as the grammar read letter by letter says', () => {
    let matches = 0
    const pieces = fc.constantFrom('"', '"a"', '"a"', 'W/', ',', ',', ' ', '\t', 'a', '*', '\\', '\xe9', '\u2603', '\n')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const field = parts.join('')
        const expected = matchesByLetter(field, '"a"')
        if (expected) matches++
        expect(matchesEtag(field, '"a"'), JSON.stringify(field)).toBe(expected)
      }),
      { numRuns: 5_000 },
    )
    expect(matches).toBeGreaterThan(100)
  })

  it('of any text throws nothing, and matches no tag that it does not have', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (field, etag) => {
        expect(matchesEtag(field, etag)).toBe(matchesByLetter(field, etag.replace(/^W\//, '')))
      }),
    )
  })

  it.each([
    ['commas', ','],
    ['spaces', ' '],
    ['spaces and commas', ' ,'],
    ['quotes', '"'],
    ['weakness', 'W/'],
    ['letters', 'a'],
    ['backslashes and quotes', '\\"'],
    ['tags', '"a",'],
    ['weak tags', 'W/"a" ,'],
    ['tags without commas', '"a" '],
    ['stars', '*'],
  ])('of 64 KB of %s is read in linear time', (_, piece) => {
    const long = piece.repeat(65_536 / piece.length)
    const fields = [long, `"${long}`, `"b"${long}x`, `*${long}x`, `${long}"b"`, `"b",${long}"`]
    const spent = cpuTime(() => {
      for (const field of fields) expect(matchesEtag(field, '"b"')).toBe(matchesByLetter(field, '"b"'))
    })
    expect(spent).toBeLessThan(1_000)
  })
})

const etagc = fc.integer({ min: 0x21, max: 0xff }).map((code) => {
  return code === 0x22 || code === 0x7f ? ',' : String.fromCharCode(code)
})

const tag = fc.oneof(
  fc.constantFrom('"a"', '"b"', '""'),
  fc.array(etagc, { maxLength: 5 }).map((letters) => `"${letters.join('')}"`),
)

const space = fc.constantFrom('', '', ' ', '\t', ' \t ')

const member = fc
  .tuple(space, fc.option(fc.tuple(fc.constantFrom('', 'W/'), tag), { nil: undefined }), space)
  .map(([before, found, after]) => ({ text: `${before}${found?.join('') ?? ''}${after}`, tag: found?.[1] }))

/** The grammar of RFC 9110 §13.1.2, one letter after the other. */
function matchesByLetter(field: string, opaque: string): boolean {
  let state: 'member' | 'weak' | 'opening' | 'tag' | 'after' | 'star' = 'member'
  let text = ''
  let found = false
  let members = 0
  for (const letter of field) {
    const blank = letter === ' ' || letter === '\t'
    if (state === 'member') {
      if (letter === '"') [state, text] = ['tag', '"']
      else if (letter === 'W') state = 'weak'
      else if (letter === '*' && members === 0) state = 'star'
      else if (letter === ',') members++
      else if (!blank) return false
    } else if (state === 'weak') {
      if (letter !== '/') return false
      state = 'opening'
    } else if (state === 'opening') {
      if (letter !== '"') return false
      ;[state, text] = ['tag', '"']
    } else if (state === 'tag') {
      const code = letter.codePointAt(0) as number
      if (code < 0x21 || code === 0x7f || code > 0xff) return false
      text += letter
      if (letter !== '"') continue
      if (text === opaque) found = true
      state = 'after'
    } else if (state === 'after') {
      if (letter === ',') [state, members] = ['member', members + 1]
      else if (!blank) return false
    } else if (!blank) {
      return false
    }
  }
  return state === 'star' || (found && (state === 'member' || state === 'after'))
}
