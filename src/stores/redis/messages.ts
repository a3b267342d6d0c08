import { isUtf8 } from 'node:buffer'
import type { Bytes } from '../../core/codec.ts'
import { TOKEN_LENGTH } from '../../core/entry.ts'
import type { Message, Notice, Outcome } from '../../core/store.ts'

/** First byte of a message: the outcome. The `end` script writes them. */
export const VALUE = 'V'
export const READY = 'R'
export const ERROR = 'E'
export const AGAIN = 'A'
export const ALONE = 'O'
/** Not an end: the leader waits for a place. */
export const QUEUED = 'Q'

/** A message to oneself. */
export const PROBE = 'P'

const NONE = Buffer.alloc(0)
/** Of an id, in bytes. */
const LENGTH = /^(?:0|[1-9]\d{0,2})$/

/** A message as the `end` script builds it: outcome, token, byte length of the id, `:`, id, body. */
export function encodeMessage(letter: string, token: string, id: string, body: Bytes = NONE): Buffer {
  return Buffer.concat([Buffer.from(`${letter}${token}${Buffer.byteLength(id)}:${id}`), body])
}

/** `undefined` for bytes that are not a message: anybody may publish on a channel. */
export function decodeMessage(bytes: Buffer): Message | undefined {
  const digits = 1 + TOKEN_LENGTH
  const colon = bytes.indexOf(':', digits, 'latin1')
  if (colon <= digits || colon > digits + 4) return undefined
  const length = bytes.toString('latin1', digits, colon)
  if (!LENGTH.test(length)) return undefined
  const start = colon + 1
  const end = start + Number(length)
  if (end > bytes.length) return undefined
  if (!isUtf8(bytes.subarray(start, end))) return undefined
  const outcome = decodeOutcome(bytes.toString('latin1', 0, 1), bytes.subarray(end))
  if (outcome === undefined) return undefined
  return { id: bytes.toString('utf8', start, end), token: bytes.toString('latin1', 1, digits), outcome }
}

function decodeOutcome(letter: string, body: Bytes): Outcome | undefined {
  switch (letter) {
    case VALUE:
      return { type: 'value', entry: body }
    case READY:
      return body.length === 0 ? { type: 'ready' } : undefined
    case ERROR:
      return { type: 'error', error: body }
    case AGAIN:
      return body.length === 0 ? { type: 'again' } : undefined
    case ALONE:
      return body.length === 0 ? { type: 'alone' } : undefined
    case QUEUED:
      return body.length === 0 ? { type: 'queued' } : undefined
    default:
      return undefined
  }
}

export function encodeNotice(notice: Notice): string {
  return JSON.stringify(notice)
}

/** `undefined` for bytes that are not a notice. */
export function decodeNotice(bytes: Buffer): Notice | undefined {
  try {
    const said: unknown = JSON.parse(bytes.toString())
    if (typeof said !== 'object' || said === null) return undefined
    const { from, ids, tags, all } = said as Record<string, unknown>
    if (typeof from !== 'string' || !areNames(ids) || !areNames(tags) || typeof all !== 'boolean') return undefined
    return { from, ids, tags, all }
  } catch {
    return undefined
  }
}

function areNames(said: unknown): said is string[] {
  return Array.isArray(said) && said.every((name) => typeof name === 'string')
}
