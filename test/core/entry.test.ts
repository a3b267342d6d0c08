import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeEntry,
  type EntryHeader,
  encodeEntry,
  entryTags,
  hasStamp,
  MARK_BYTES,
  markOf,
  NO_WINDOWS,
  TOKEN_LENGTH,
} from '../../src/core/entry.ts'

const HEADER: EntryHeader = {
  stamp: 'AbCd_012-xyzWXYZ',
  codec: 'json',
  createdAt: 1_700_000_000_000,
  ttl: 5,
  ...NO_WINDOWS,
  tags: [],
}
const PAYLOAD = Buffer.from('{"a":1}')

describe('an entry', () => {
  it('begins with the mark: four bytes of magic and the stamp', () => {
    const bytes = Buffer.from(encodeEntry(HEADER, PAYLOAD))
    expect(bytes.toString('latin1', 0, MARK_BYTES)).toBe(`atc1${HEADER.stamp}`)
    expect(HEADER.stamp).toHaveLength(TOKEN_LENGTH)
    expect(hasStamp(bytes, HEADER.stamp)).toBe(true)
    expect(hasStamp(markOf(bytes), HEADER.stamp)).toBe(true)
    expect(hasStamp(bytes, HEADER.stamp.replace(/^./, '~'))).toBe(false)
    expect(hasStamp(Buffer.concat([Buffer.from('zzzz'), bytes.subarray(4)]), HEADER.stamp)).toBe(false)
    expect(hasStamp(bytes.subarray(0, 19), HEADER.stamp)).toBe(false)
  })

  it('has the layout that instances of other versions read', () => {
    const bytes = Buffer.from(
      encodeEntry({ ...HEADER, staleWhileRevalidate: 6, staleIfError: 7, cost: 8, beta: 0.5, tags: ['t'] }, PAYLOAD),
    )
    const expected = [
      Buffer.from(`atc1${HEADER.stamp}`),
      Buffer.from('4278bcfe56800000', 'hex'),
      Buffer.from('4014000000000000', 'hex'),
      Buffer.from('4018000000000000', 'hex'),
      Buffer.from('401c000000000000', 'hex'),
      Buffer.from('41000000', 'hex'),
      Buffer.from('3f000000', 'hex'),
      Buffer.from('0000000e', 'hex'),
      Buffer.from([4]),
      Buffer.from('json'),
      Buffer.from('{"tags":["t"]}'),
      PAYLOAD,
    ]
    expect(bytes.toString('hex')).toBe(Buffer.concat(expected).toString('hex'))
  })

  it('without tags spends no byte on them', () => {
    expect(encodeEntry(HEADER, PAYLOAD)).toHaveLength(MARK_BYTES + 4 * 8 + 2 * 4 + 4 + 1 + 4 + PAYLOAD.length)
  })

  it('comes back with its payload as a view, not a copy', () => {
    // Too large for Node's pool, which small copies share as well.
    const payload = Buffer.alloc(10_000, 7)
    const bytes = encodeEntry(HEADER, payload)
    expect(read(bytes)).toEqual({ ...HEADER, payload })
    expect(decodeEntry(bytes)?.payload.buffer).toBe(bytes.buffer)
  })

  it('is read from a Uint8Array that is no Buffer and begins inside its memory', () => {
    const bytes = encodeEntry(HEADER, PAYLOAD)
    const memory = new Uint8Array(bytes.length + 7)
    memory.set(bytes, 5)
    expect(read(memory.subarray(5, 5 + bytes.length))).toEqual({ ...HEADER, payload: PAYLOAD })
  })

  it('may live for ever', () => {
    expect(decodeEntry(encodeEntry({ ...HEADER, ttl: Infinity }, PAYLOAD))?.ttl).toBe(Infinity)
  })

  it('comes back as it was made, whatever is in it', () => {
    fc.assert(
      fc.property(header, fc.uint8Array(), (made, payload) => {
        expect(read(encodeEntry(made, payload))).toEqual({ ...made, payload: Buffer.from(payload) })
      }),
    )
  })

  it('is refused at writing where it could not be read back', () => {
    const broken: Partial<EntryHeader>[] = [
      { stamp: 'short' },
      { stamp: 'AbCd_012-xyzWXY\n' },
      { codec: '' },
      { codec: 'JSON' },
      { codec: 'x'.repeat(33) },
      { createdAt: Number.NaN },
      { createdAt: -1 },
      { createdAt: Infinity },
      { ttl: Number.NaN },
      { ttl: -1 },
      { staleWhileRevalidate: -1 },
      { staleIfError: Number.NaN },
      { cost: -1 },
      { beta: Number.NaN },
    ]
    for (const part of broken) expect(() => encodeEntry({ ...HEADER, ...part }, PAYLOAD)).toThrow(RangeError)
  })
})

describe('bytes of somebody else', () => {
  it('are no entry, and no exception either', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(decodeEntry(bytes)).toBeUndefined()
      }),
    )
  })

  it('that look like an entry never throw, and what is read of them is well-formed', () => {
    const start = Buffer.from(`atc1${HEADER.stamp}`)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (rest) => {
        expectWellFormed(Buffer.concat([start, rest]))
      }),
      { numRuns: 1_000 },
    )
  })

  it('made of an entry by changing some never throw, and what is read of them is well-formed', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(
        header,
        fc.uint8Array(),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (made, payload, changes) => {
          const bytes = Buffer.from(encodeEntry(made, payload))
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          expectWellFormed(bytes)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('cut from an entry before its payload are no entry', () => {
    const bytes = encodeEntry({ ...HEADER, tags: ['a', 'b'] }, new Uint8Array())
    for (let length = 0; length < bytes.length; length++) expect(decodeEntry(bytes.subarray(0, length))).toBeUndefined()
    expect(decodeEntry(bytes)).toBeDefined()
  })

  it.each([
    ['a negative ttl', raw({ ttl: -1 })],
    ['a ttl that is no number', raw({ ttl: Number.NaN })],
    ['a negative staleWhileRevalidate', raw({ staleWhileRevalidate: -1 })],
    ['a staleIfError that is no number', raw({ staleIfError: Number.NaN })],
    ['a negative cost', raw({ cost: -1 })],
    ['a beta that is no number', raw({ beta: Number.NaN })],
    ['a negative createdAt', raw({ createdAt: -1 })],
    ['an infinite createdAt', raw({ createdAt: Infinity })],
    ['a createdAt that is no number', raw({ createdAt: Number.NaN })],
    ['an extension that ends after the bytes do', raw({ extensionLength: 4_294_967_295 })],
    ['another version of the format', raw({ magic: 'atc2' })],
    ['a stamp with foreign characters', raw({ stamp: 'AbCd 012-xyzWXYZ' })],
    ['a codec id of no length', raw({ codec: '' })],
    ['a codec id in capitals', raw({ codec: 'JSON' })],
  ])('with %s are no entry', (_, bytes) => {
    expect(decodeEntry(bytes)).toBeUndefined()
  })

  it('with members of a later version in the extension are an entry all the same', () => {
    expect(read(raw({ extension: '{"tags":["a"],"cost":3}' }))?.tags).toEqual(['a'])
    expect(read(raw({ extension: '{"cost":3}' }))?.tags).toEqual([])
    expect(read(raw({ extension: '{"__proto__":{"tags":["a"]}}' }))?.tags).toEqual([])
  })

  it.each([
    ['no JSON', '{"tags":['],
    ['an array', '["tags"]'],
    ['null', 'null'],
    ['tags that are no array', '{"tags":"a"}'],
    ['a tag that is no string', '{"tags":["a",1]}'],
    ['a tag that is ill-formed', '{"tags":["a","\\ud800"]}'],
  ])('with %s for an extension are an entry without tags', (_, extension) => {
    expect(read(raw({ extension }))).toMatchObject({ payload: PAYLOAD, tags: [] })
  })
})

describe('the mark', () => {
  it('is the first 20 bytes of whatever is there, or all of fewer', () => {
    expect(markOf(Buffer.from('x'.repeat(50)))).toEqual(Buffer.from('x'.repeat(20)))
    expect(markOf(Buffer.from('foreign'))).toEqual(Buffer.from('foreign'))
    expect(markOf(new Uint8Array())).toHaveLength(0)
  })

  it('differs between entries of different flights, and only then', () => {
    const other = { ...HEADER, stamp: 'BbCd_012-xyzWXYZ' }
    expect(markOf(encodeEntry(HEADER, PAYLOAD))).not.toEqual(markOf(encodeEntry(other, PAYLOAD)))
    expect(markOf(encodeEntry(HEADER, PAYLOAD))).toEqual(
      markOf(encodeEntry({ ...HEADER, ttl: 9 }, Buffer.from('other'))),
    )
  })
})

function duration(): fc.Arbitrary<number> {
  return fc.oneof(fc.nat(), fc.constant(Infinity), fc.double({ min: 0, noNaN: true }))
}

const header: fc.Arbitrary<EntryHeader> = fc.record({
  stamp: fc.stringMatching(/^[A-Za-z0-9_-]{16}$/),
  codec: fc.stringMatching(/^[a-z0-9._-]{1,32}$/),
  createdAt: fc.oneof(fc.nat(), fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true })),
  ttl: duration(),
  staleWhileRevalidate: duration(),
  staleIfError: duration(),
  cost: fc.float({ min: 0, noNaN: true }),
  beta: fc.float({ min: 0, noNaN: true }),
  tags: fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', '"'))),
})

/** Header and payload, as they were given to `encodeEntry`. */
function read(bytes: Uint8Array): (EntryHeader & { payload: Uint8Array }) | undefined {
  const entry = decodeEntry(bytes)
  if (entry === undefined) return undefined
  const { extension: _, ...rest } = entry
  return { ...rest, tags: entryTags(entry) }
}

function expectWellFormed(bytes: Uint8Array): void {
  const entry = read(bytes)
  if (entry === undefined) return
  // What was read can be written, and is then read again as the same: nothing in it is out of bounds.
  expect(read(encodeEntry(entry, entry.payload))).toEqual(entry)
  expect(entry.payload.length).toBeLessThan(bytes.length - MARK_BYTES)
}

interface Parts {
  magic?: string
  stamp?: string
  codec?: string
  createdAt?: number
  ttl?: number
  staleWhileRevalidate?: number
  staleIfError?: number
  cost?: number
  beta?: number
  extension?: string
  extensionLength?: number
}

/** An entry written by hand, with what `encodeEntry` refuses. */
function raw(parts: Parts): Buffer {
  const { magic = 'atc1', stamp = HEADER.stamp, codec = 'json', createdAt = 1, ttl = 1, extension = '' } = parts
  const numbers = Buffer.alloc(44)
  numbers.writeDoubleBE(createdAt, 0)
  numbers.writeDoubleBE(ttl, 8)
  numbers.writeDoubleBE(parts.staleWhileRevalidate ?? 0, 16)
  numbers.writeDoubleBE(parts.staleIfError ?? 0, 24)
  numbers.writeFloatBE(parts.cost ?? 0, 32)
  numbers.writeFloatBE(parts.beta ?? 0, 36)
  numbers.writeUInt32BE(parts.extensionLength ?? Buffer.byteLength(extension), 40)
  const tail = Buffer.from(`${String.fromCharCode(codec.length)}${codec}${extension}`)
  return Buffer.concat([Buffer.from(`${magic}${stamp}`), numbers, tail, PAYLOAD])
}
