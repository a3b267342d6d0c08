import { Buffer } from 'node:buffer'
import type { ExecutionResult } from 'graphql'
import { failureOf } from './failures.ts'
import type { StoredResponse } from './response.ts'

/** What is known of a result that was made of a stored response. In the result: weak maps keep the collector busy. */
const SERVED = Symbol('served')

interface Served {
  /** What it was made of, as long as it is this very one, and nobody has changed it, or may have. */
  untouched(result: unknown): StoredResponse | undefined
  /** It was written as it is stored. */
  unchanged: boolean
}

/** The result of who is answered with the stored bytes, and gets no result. */
export const BYTES: object = Object.freeze({ [SERVED]: { untouched: () => undefined, unchanged: true } })

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
  const isSame = (asked: unknown) =>
    asked === result && !looked && extensionsText(result) === extensions && Object.keys(result).every(isKnown)
  const served: Served = { untouched: (asked) => (isSame(asked) ? stored : undefined), unchanged: false }
  const stringify = (asked: ExecutionResult): string => {
    // Where somebody has changed it, or may have, it is written anew.
    const same = isSame(asked)
    const text = same ? textOf(stored) : JSON.stringify(asked)
    // Who only looked at it has changed nothing.
    served.unchanged = same || text === textOf(stored)
    return text
  }
  return Object.defineProperties(result, { stringify: { value: stringify }, [SERVED]: { value: served } })
}

/** What the result was made of, if that can be written in its place. */
export function untouchedOf(result: unknown): StoredResponse | undefined {
  return servedOf(result)?.untouched(result)
}

/** Says that the result is written as it is stored. */
export function unchangedResult(result: unknown): void {
  const served = servedOf(result)
  if (served !== undefined && !served.unchanged) served.unchanged = true
}

/** Whether the result was written as it is stored. */
export function isUnchanged(result: unknown): boolean {
  return servedOf(result)?.unchanged === true
}

function servedOf(result: unknown): Served | undefined {
  return (result as { [SERVED]?: Served } | null | undefined)?.[SERVED]
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
