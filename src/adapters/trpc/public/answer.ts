import { Buffer } from 'node:buffer'
import type { Bytes, Codec } from '../../../core/codec.ts'

/** A whole HTTP answer that is the same for everybody. */
export interface PublicAnswer {
  readonly bytes: Bytes
  /** With its quotes. */
  readonly etag: string
  /** Its `Content-Type`. */
  readonly type: string
  /** ms since the epoch, by the store's clock. */
  readonly createdAt: number
  /** ms from then on. */
  readonly ttl: number
}

/** What an answer is made of: `| 8 createdAt | 8 ttl | 1 length of the type | 1 length of the tag | type | tag | bytes |`. */
export const publicAnswerCodec: Codec = {
  id: 'trpc-public',
  immutable: true, // nobody writes into it
  encode(value) {
    const { bytes, etag, type, createdAt, ttl } = value as PublicAnswer
    const encoded = Buffer.allocUnsafe(FIXED_BYTES + type.length + etag.length + bytes.byteLength)
    encoded.writeDoubleBE(createdAt, 0)
    encoded.writeDoubleBE(ttl, 8)
    encoded.writeUInt8(type.length, 16)
    encoded.writeUInt8(etag.length, 17)
    encoded.write(type + etag, FIXED_BYTES, 'latin1')
    encoded.set(bytes, FIXED_BYTES + type.length + etag.length)
    return encoded
  },
  decode(encoded) {
    const buffer = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
    if (buffer.byteLength < FIXED_BYTES) throw new RangeError('it is too short')
    const etagAt = FIXED_BYTES + buffer.readUInt8(16)
    const bytesAt = etagAt + buffer.readUInt8(17)
    const type = buffer.toString('latin1', FIXED_BYTES, etagAt)
    const etag = buffer.toString('latin1', etagAt, bytesAt)
    const createdAt = buffer.readDoubleBE(0)
    const ttl = buffer.readDoubleBE(8)
    const answer = { bytes: buffer.subarray(bytesAt), etag, type, createdAt, ttl }
    if (!isPublicAnswer(answer)) throw new SyntaxError('it is no answer')
    return answer
  },
}

const FIXED_BYTES = 18
const ETAG = /^"[\x21\x23-\x7e]+"$/

/**
 * Whether it is an answer, whoever wrote it, and by whatever codec: nothing but JSON is served as one, and nothing but what may be
 * a header gets into one.
 */
export function isPublicAnswer(value: unknown): value is PublicAnswer {
  const { bytes, etag, type, createdAt, ttl } = Object(value) as Record<keyof PublicAnswer, unknown>
  return (
    bytes instanceof Uint8Array &&
    typeof type === 'string' &&
    isJsonType(type) &&
    typeof etag === 'string' &&
    ETAG.test(etag) &&
    isTime(createdAt) &&
    isTime(ttl)
  )
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0
}

/** Whether it is a `Content-Type` of JSON, short and with nothing else in it. */
export function isJsonType(type: string): boolean {
  return /^application\/json(?:; ?charset=utf-8)?$/i.test(type)
}
