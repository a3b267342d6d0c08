import type { ExecutionResult } from 'graphql'

/** A complete result, with errors or without: not one that is delivered in parts. */
export function isWholeResult(result: unknown): result is ExecutionResult {
  if (typeof result !== 'object' || result === null || Symbol.asyncIterator in result) return false
  return Object.keys(result).every((member) => MEMBERS.has(member))
}

/** `stringify` is how envelop and Yoga are told to write a result. */
const MEMBERS: ReadonlySet<string> = new Set(['data', 'errors', 'extensions', 'stringify'])

/** Extensions for everybody: `http` is the answer to one request (its cookies, its status) and stays with who asked. */
export function sharedExtensions({ extensions }: ExecutionResult): Record<string, unknown> | undefined {
  if (extensions === undefined) return undefined
  const { http: _own, ...shared } = extensions
  return Object.keys(shared).length === 0 ? undefined : shared
}

/** Whether the answer to this request tells HTTP caches, in a header of its own, what they may do. */
export function tellsHttpCaches({ extensions }: ExecutionResult): boolean {
  const { headers } = (extensions?.http ?? {}) as { headers?: object | undefined }
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'cache-control')
}

/** Plain objects and arrays anew, all else as it is. */
export function copyOf<V>(value: V): V {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOf) as V
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return value
  const copy: Record<string, unknown> = Object.create(prototype)
  for (const [name, part] of Object.entries(value)) {
    // As its own: a scalar may be any JSON, and a plain write of that name would set the prototype.
    if (name === '__proto__') Object.defineProperty(copy, name, { value: copyOf(part), enumerable: true })
    else copy[name] = copyOf(part)
  }
  return copy as V
}
