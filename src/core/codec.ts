import { Buffer } from 'node:buffer'
import { types } from 'node:util'
import { parse, type StringifyOptions, stringify } from 'devalue'

export type Bytes = Uint8Array

/** How values become bytes and come back. */
export interface Codec {
  /**
   * Kept in the entry, so that a reader knows what to decode with: 1–32 characters of `[a-z0-9._-]`. An entry whose
   * id the reader does not know is a miss: give a changed format a new id.
   */
  readonly id: string
  encode(value: unknown): Bytes | Promise<Bytes>
  /**
   * Must not trust the bytes; what it throws is a miss. What it returns must not be a view of them: they may be shared by all.
   * What answers by a promise is not kept by the memory tier.
   */
  decode(bytes: Bytes): unknown
  /** Nobody can change what `decode` returns: the memory tier decodes it once, for all. Default: `false`. */
  readonly immutable?: boolean | undefined
}

/** Plain data as JSON text. Values that JSON would change are the caller's affair: see `fitOf`. */
export const json: Codec = {
  id: 'json',
  encode(value) {
    // Not a string for undefined, a function or a symbol, whatever the declaration says.
    const text: string | undefined = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`the json codec cannot encode ${typeof value}`)
    return Buffer.from(text)
  },
  decode: (bytes) => JSON.parse(textOf(bytes)),
}

/**
 * Plain data and Date, Map, Set, RegExp, URL, URLSearchParams, ArrayBuffer, DataView, typed arrays, Buffer, BigInt,
 * `undefined`, NaN, ±Infinity, -0, holes in arrays, objects without prototype, and references that repeat or cycle.
 * About 3 times slower than `json`. Of a view only the bytes it shows are kept, never the rest of its buffer.
 * @throws Error for what it cannot restore, RangeError for what is nested too deeply: see `fitOf`.
 */
export const rich: Codec = {
  id: 'rich',
  encode: (value) => Buffer.from(stringify(value, REDUCERS, OPERATIONS)),
  decode: (bytes) => parse(textOf(bytes), REVIVERS),
}

function textOf(bytes: Bytes): string {
  // Clients give Buffers; a view of any other bytes costs no copy.
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString()
}

/** A Buffer is a Uint8Array to devalue. The colon keeps the text of an empty one truthy: falsy means "not mine". */
const REDUCERS = {
  Buffer: (value: unknown) => Buffer.isBuffer(value) && `:${value.toString('base64')}`,
}

const REVIVERS = {
  Buffer(text: unknown): Buffer {
    // Anything else, a number above all, would let a few bytes allocate what they like.
    if (typeof text !== 'string') throw new TypeError('the bytes of a Buffer must be text')
    return Buffer.from(text.slice(1), 'base64')
  },
}

const OPERATIONS: StringifyOptions = {
  operations: {
    /** A view of a part would take the whole buffer along: somebody else's bytes, where it is Node's pool. */
    viewInfo(view: NodeJS.ArrayBufferView & { length?: number }) {
      const { byteLength } = view
      let { buffer } = view
      if (byteLength !== buffer.byteLength || !types.isArrayBuffer(buffer)) {
        buffer = new Uint8Array(new Uint8Array(buffer, view.byteOffset, byteLength)).buffer
      }
      return { buffer, byteOffset: 0, byteLength, length: view.length ?? byteLength, bufferByteLength: byteLength }
    },
  },
}
