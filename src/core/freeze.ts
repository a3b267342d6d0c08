/** Deeper than anything that people write by hand; a cycle ends at what is frozen already. */
const MAX_DEPTH = 100

/**
 * In development (`NODE_ENV=development`) plain data is frozen, deeply: all callers share one object, and one that
 * writes into it should learn so from a TypeError, not from another caller's answer.
 */
export const freeze: <V>(value: V) => V = process.env.NODE_ENV === 'development' ? deepFreeze : (value) => value

/** Deeper than data is nested; a text of JSON may be. */
const MAX_DATA_DEPTH = 1000

/** Freezes what JSON gives, wholly. `false`: it is nested too deeply, and not all of it is frozen. */
export function freezeAll(data: unknown, depth = 0): boolean {
  if (typeof data !== 'object' || data === null) return true
  if (depth > MAX_DATA_DEPTH) return false
  Object.freeze(data)
  for (const name of Object.keys(data)) {
    if (!freezeAll((data as Record<string, unknown>)[name], depth + 1)) return false
  }
  return true
}

export function deepFreeze<V>(value: V, depth = 0): V {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== null && prototype !== Object.prototype) return value
  Object.freeze(value)
  for (const name of Object.keys(value)) {
    // A getter is not run.
    deepFreeze(Object.getOwnPropertyDescriptor(value, name)?.value, depth + 1)
  }
  return value
}
