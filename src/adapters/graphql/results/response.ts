import { Buffer } from 'node:buffer'
import type { Bytes, Codec } from '../../../core/codec.ts'

/** A response to an operation, as it is kept and shared: its text, and what an HTTP cache has to know of it. */
export interface StoredResponse {
  /** The JSON text of the result, in UTF-8. */
  readonly bytes: Bytes
  /** An entity tag of the text, with its quotes; empty for a result with errors. */
  readonly etag: string
  /** ms since the epoch, by the store's clock. */
  readonly createdAt: number
  /** ms that it is kept from then on; 0 where it is only told to those who wait. */
  readonly ttl: number
  /** Schema or resolvers said how long it may be cached: HTTP caches may be told. */
  readonly said: boolean
  /** Only for the session that asked. */
  readonly private: boolean
  /** Whoever made it told HTTP caches in a header of its own, which others do not get: they are to ask each time. */
  readonly noCache: boolean
  /** It has `extensions`. */
  readonly extended: boolean
  /** It has errors, and is not what a client sees: `failureOf` makes that of it. */
  readonly failed: boolean
}

/**
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 1 | 1: said; 2: private; 4: extended; 8: failed; 16: noCache |
 * | 1 | 8 | createdAt, float64, big-endian |
 * | 9 | 8 | ttl, float64, big-endian |
 * | 17 | 4 | length of the text, uint32, big-endian |
 * | 21 | 1 | length n of the entity tag |
 * | 22 | n | entity tag, ASCII |
 * | 22 + n | | text, to the end |
 */
export const responseCodec: Codec = {
  id: 'graphql',
  immutable: true, // nobody writes into it
  encode(value) {
    const { bytes, etag, createdAt, ttl } = value as StoredResponse
    const encoded = Buffer.allocUnsafe(FIXED_BYTES + etag.length + bytes.byteLength)
    encoded.writeUInt8(flagsOf(value as StoredResponse), 0)
    encoded.writeDoubleBE(createdAt, 1)
    encoded.writeDoubleBE(ttl, 9)
    encoded.writeUInt32BE(bytes.byteLength, 17)
    encoded.writeUInt8(etag.length, 21)
    encoded.write(etag, FIXED_BYTES, 'latin1')
    encoded.set(bytes, FIXED_BYTES + etag.length)
    return encoded
  },
  decode(encoded) {
    const buffer = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
    if (buffer.byteLength < FIXED_BYTES) throw new RangeError('it is too short')
    const flags = buffer.readUInt8(0)
    const textAt = FIXED_BYTES + buffer.readUInt8(21)
    const bytes = buffer.subarray(textAt)
    const etag = buffer.toString('latin1', FIXED_BYTES, textAt)
    // Whoever wrote it: nothing but what may be a header gets into one, nothing but what may be an object to a client.
    if (
      bytes.byteLength !== buffer.readUInt32BE(17) ||
      bytes[0] !== 0x7b ||
      bytes.at(-1) !== 0x7d ||
      !ETAG.test(etag)
    ) {
      throw new SyntaxError('it is no response')
    }
    const createdAt = buffer.readDoubleBE(1)
    const ttl = buffer.readDoubleBE(9)
    if (!(createdAt >= 0 && ttl >= 0)) throw new RangeError('it has no age')
    return {
      bytes,
      etag,
      createdAt,
      ttl,
      said: (flags & SAID) !== 0,
      private: (flags & PRIVATE) !== 0,
      extended: (flags & EXTENDED) !== 0,
      failed: (flags & FAILED) !== 0,
      noCache: (flags & NO_CACHE) !== 0,
    } satisfies StoredResponse
  },
}

const FIXED_BYTES = 22
const SAID = 1
const PRIVATE = 2
const EXTENDED = 4
const FAILED = 8
const NO_CACHE = 16
const ETAG = /^(?:"[\x21\x23-\x7e]*")?$/

function flagsOf({ said, private: isPrivate, extended, failed, noCache }: StoredResponse): number {
  const flags: [boolean, number][] = [
    [said, SAID],
    [isPrivate, PRIVATE],
    [extended, EXTENDED],
    [failed, FAILED],
    [noCache, NO_CACHE],
  ]
  return flags.reduce((sum, [on, flag]) => (on ? sum + flag : sum), 0)
}
