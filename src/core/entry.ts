import { Buffer } from 'node:buffer'
import type { Bytes } from './codec.ts'

/**
 * What is kept under a key: a header and the payload, in one string of bytes.
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | `atc1`: the format and its version |
 * | 4 | 16 | stamp |
 * | 20 | 8 | createdAt, float64, big-endian, as all numbers from here on |
 * | 28 | 8 | ttl, float64 |
 * | 36 | 8 | staleWhileRevalidate, float64 |
 * | 44 | 8 | staleIfError, float64 |
 * | 52 | 4 | cost, float32 |
 * | 56 | 4 | beta, float32 |
 * | 60 | 4 | length m of the extension, uint32 |
 * | 64 | 1 | length n of the codec id, 1–32 |
 * | 65 | n | codec id, ASCII |
 * | 65 + n | m | extension: a JSON object in UTF-8, 0 bytes when there is nothing to say |
 * | 65 + n + m | | payload, to the end |
 */

/**
 * How many first bytes tell one entry from another: magic and stamp. The store's scripts compare just these,
 * because reading a whole value into a script costs many times the read itself.
 */
export const MARK_BYTES = 20

/** Length of a token, and so of a stamp: 96 random bits in base64url. */
export const TOKEN_LENGTH = 16

/** When an entry was made, and until when it is of use; durations in ms. */
export interface Times {
  /** Server time, in milliseconds since the epoch. */
  readonly createdAt: number
  /** How long the entry is fresh from `createdAt`; may be `Infinity`. */
  readonly ttl: number
  /** How long after that it is answered while it is refreshed (RFC 5861 §3); 0 for not, may be `Infinity`. */
  readonly staleWhileRevalidate: number
  /** How long after its ttl it is answered where its loader fails (RFC 5861 §4); 0 for not, may be `Infinity`. */
  readonly staleIfError: number
  /** How long its loader ran; 0 where nobody measured it. */
  readonly cost: number
  /** How early it is refreshed, by XFetch's β (Vattani, Chierichetti, Lowenstein, VLDB 2015); 0 for not before its end. */
  readonly beta: number
}

/** Of an entry that is of use while it is fresh, and not refreshed before its end. */
export const NO_WINDOWS = Object.freeze({ staleWhileRevalidate: 0, staleIfError: 0, cost: 0, beta: 0 })

export interface EntryHeader extends Times {
  /** The token of the flight that published the entry: 16 characters of `[A-Za-z0-9_-]`. */
  stamp: string
  /** The id of the codec that made the payload: 1–32 characters of `[a-z0-9._-]`. */
  codec: string
  tags: readonly string[]
}

/** An entry as it is read. Its tags are read when they are asked for (`entryTags`): a hit does not need them. */
export interface Entry extends Times, Pick<EntryHeader, 'stamp' | 'codec'> {
  extension: Bytes
  payload: Bytes
}

/**
 * The bytes of an entry; the payload is copied.
 * @throws RangeError for a header that `decodeEntry` would not take back.
 */
export function encodeEntry(header: EntryHeader, payload: Bytes): Bytes {
  const { stamp, codec, createdAt, tags } = header
  if (!STAMP.test(stamp)) throw new RangeError(`stamp must be ${TOKEN_LENGTH} characters of A-Za-z0-9_-, got ${stamp}`)
  if (!CODEC.test(codec)) throw new RangeError(`codec id must be 1 to 32 characters of a-z0-9._-, got ${codec}`)
  if (!isInstant(createdAt)) throw new RangeError(`createdAt must be an instant (ms since the epoch), got ${createdAt}`)
  for (const name of DURATIONS) {
    if (!(header[name] >= 0)) throw new RangeError(`${name} must be at least 0, got ${header[name]}`)
  }

  const extension = tags.length === 0 ? '' : JSON.stringify({ tags })
  const extensionBytes = Buffer.byteLength(extension)
  // Not from Node's pool, of which a small entry in a memory store would keep a whole slab.
  const bytes = Buffer.allocUnsafeSlow(FIXED_BYTES + codec.length + extensionBytes + payload.length)
  bytes.writeUInt32BE(MAGIC, 0)
  bytes.write(stamp, 4, 'latin1')
  let at = MARK_BYTES
  at = bytes.writeDoubleBE(createdAt, at)
  at = bytes.writeDoubleBE(header.ttl, at)
  at = bytes.writeDoubleBE(header.staleWhileRevalidate, at)
  at = bytes.writeDoubleBE(header.staleIfError, at)
  at = bytes.writeFloatBE(header.cost, at)
  at = bytes.writeFloatBE(header.beta, at)
  at = bytes.writeUInt32BE(extensionBytes, at)
  at = bytes.writeUInt8(codec.length, at)
  at += bytes.write(codec, at, 'latin1')
  at += bytes.write(extension, at)
  bytes.set(payload, at)
  return bytes
}

/**
 * Header, extension and payload of an entry, or `undefined` for bytes that are not a well-formed one; never throws. Anybody
 * may write into a database, so every length is checked. Extension and payload are views of `bytes`, not copies.
 */
export function decodeEntry(bytes: Bytes): Entry | undefined {
  const buffer = asBuffer(bytes)
  if (buffer.length < FIXED_BYTES || buffer.readUInt32BE(0) !== MAGIC) return undefined
  const extensionStart = FIXED_BYTES + (buffer[FIXED_BYTES - 1] as number)
  const extensionEnd = extensionStart + buffer.readUInt32BE(FIXED_BYTES - 5)
  if (extensionEnd > buffer.length) return undefined

  const entry: Entry = {
    stamp: buffer.toString('latin1', 4, MARK_BYTES),
    codec: buffer.toString('latin1', FIXED_BYTES, extensionStart),
    createdAt: buffer.readDoubleBE(MARK_BYTES),
    ttl: buffer.readDoubleBE(MARK_BYTES + 8),
    staleWhileRevalidate: buffer.readDoubleBE(MARK_BYTES + 16),
    staleIfError: buffer.readDoubleBE(MARK_BYTES + 24),
    cost: buffer.readFloatBE(MARK_BYTES + 32),
    beta: buffer.readFloatBE(MARK_BYTES + 36),
    extension: extensionStart === extensionEnd ? NO_BYTES : buffer.subarray(extensionStart, extensionEnd),
    payload: buffer.subarray(extensionEnd),
  }
  if (!STAMP.test(entry.stamp) || !CODEC.test(entry.codec) || !isInstant(entry.createdAt)) return undefined
  const { ttl, staleWhileRevalidate, staleIfError, cost, beta } = entry
  return ttl >= 0 && staleWhileRevalidate >= 0 && staleIfError >= 0 && cost >= 0 && beta >= 0 ? entry : undefined
}

/** The tags that the entry was published with; none where it does not say them as it should, whoever wrote it. */
export function entryTags({ extension }: Entry): readonly string[] {
  if (extension.byteLength === 0) return []
  let said: unknown
  try {
    said = JSON.parse(asBuffer(extension).toString('utf8'))
  } catch {
    return []
  }
  // Other members are of later versions.
  if (typeof said !== 'object' || said === null || !Object.hasOwn(said, 'tags')) return []
  const { tags } = said as { tags: unknown }
  return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag.isWellFormed()) ? tags : []
}

/**
 * The first `MARK_BYTES` bytes, or fewer where there are fewer, whoever wrote them: what a claim names as seen. Bytes
 * that are not ours have a mark too, else a claim would answer for ever that they are there.
 */
export function markOf(bytes: Bytes): Bytes {
  return bytes.subarray(0, MARK_BYTES)
}

/** The mark of an entry of ours. */
export function markOfStamp(stamp: string): Bytes {
  return Buffer.from(`atc1${stamp}`, 'latin1')
}

/** Whether an entry of ours with this stamp is there: as the store's scripts see it, without a look at the rest. */
export function hasStamp(bytes: Bytes, stamp: string): boolean {
  const buffer = asBuffer(bytes)
  return (
    buffer.length >= MARK_BYTES &&
    buffer.readUInt32BE(0) === MAGIC &&
    buffer.toString('latin1', 4, MARK_BYTES) === stamp
  )
}

/** `atc1` */
const MAGIC = 0x61746331

/** The extension of most entries: to make a view of nothing takes a seventh of all that decoding takes. */
const NO_BYTES = Buffer.alloc(0)

/** Everything but codec id, extension and payload: mark, six numbers of 8 and 4 bytes, and two lengths. */
const FIXED_BYTES = MARK_BYTES + 45

/** What of the header must be at least 0; NaN is not. */
const DURATIONS = ['ttl', 'staleWhileRevalidate', 'staleIfError', 'cost', 'beta'] as const

const STAMP = /^[A-Za-z0-9_-]{16}$/

const CODEC = /^[a-z0-9._-]{1,32}$/

function isInstant(at: number): boolean {
  return at >= 0 && at < Number.POSITIVE_INFINITY
}

/** Clients give Buffers; any other Uint8Array gets a Buffer's methods without a copy. */
function asBuffer(bytes: Bytes): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
