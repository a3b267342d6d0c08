import { Buffer } from 'node:buffer'
import type { ExecutionResult } from 'graphql'
import { failureOf } from './failures.ts'
import type { StoredResponse } from './response.ts'

/** Results that were written as they are stored. */
const unchanged = new WeakSet<object>()

/** What results were made of, as long as nobody has changed them, or may have. */
const untouched = new WeakMap<object, () => StoredResponse | undefined>()

/**
 * The result of a stored response, anew for each request: plugins write into results. It has a `stringify`, which GraphQL
 * Yoga and others call to write it: that gives the stored text, and nothing is parsed, unless somebody looks into the data.
 *
 * @param own what the text was made of, where it was made here
 */
export function servedResult(stored: StoredResponse, own?: ExecutionResult): ExecutionResult {
  if (stored.failed) return own ?? failureOf(textOf(stored))
  let looked = false
  let whole = own
  const read = () => {
    whole ??= JSON.parse(textOf(stored)) as ExecutionResult
    return whole
  }
  const result: ExecutionResult = {
    get data() {
      looked = true
      return read().data ?? null
    },
    set data(data) {
      looked = true
      whole = { ...read(), data }
    },
  }
  if (stored.extended) result.extensions = { ...read().extensions }
  const extensions = extensionsText(result)
  const isSame = () => !looked && extensionsText(result) === extensions && Object.keys(result).every(isKnown)
  untouched.set(result, () => (isSame() ? stored : undefined))
  const stringify = (asked: ExecutionResult): string => {
    // Where somebody has changed it, or may have, it is written anew.
    const same = asked === result && isSame()
    const text = same ? textOf(stored) : JSON.stringify(asked)
    // Who only looked at it has changed nothing.
    if (same || text === textOf(stored)) unchanged.add(result)
    else unchanged.delete(result)
    return text
  }
  return Object.defineProperty(result, 'stringify', { value: stringify })
}

/** What the result was made of, if that can be written in its place. */
export function untouchedOf(result: unknown): StoredResponse | undefined {
  return typeof result === 'object' && result !== null ? untouched.get(result)?.() : undefined
}

/** Says that the result is written as it is stored. */
export function unchangedResult<T extends object>(result: T): T {
  unchanged.add(result)
  return result
}

/** Whether the result was written as it is stored. */
export function isUnchanged(result: unknown): boolean {
  return typeof result === 'object' && result !== null && unchanged.has(result)
}

function isKnown(member: string): boolean {
  return member === 'data' || member === 'extensions'
}

function extensionsText({ extensions }: ExecutionResult): string | undefined {
  return extensions === undefined ? undefined : JSON.stringify(extensions)
}

/** By the stored response: many requests may be answered with one. */
const texts = new WeakMap<StoredResponse, string>()

function textOf(stored: StoredResponse): string {
  let text = texts.get(stored)
  if (text === undefined) {
    const { bytes } = stored
    text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    texts.set(stored, text)
  }
  return text
}
