import type { ExecutionResult } from 'graphql'

/** A complete result, with errors or without: not one that is delivered in parts. */
export function isWholeResult(result: unknown): result is ExecutionResult {
  if (typeof result !== 'object' || result === null || Symbol.asyncIterator in result) return false
  return Object.keys(result).every((member) => MEMBERS.has(member))
}

/** `stringify` is how envelop and Yoga are told to write a result. */
const MEMBERS: ReadonlySet<string> = new Set(['data', 'errors', 'extensions', 'stringify'])
