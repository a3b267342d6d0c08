/** An object of a result. */
export type Data = Record<string, unknown>

/** Whether it is an object of a result, not the value of a scalar that is an instance of something. */
export function isData(value: unknown): value is Data {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** As its own: an alias may be `__proto__`, and a plain write of that name would set the prototype. */
export function define(object: Data, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value
  else Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
}

/** The object without some of its members, and what is made of the others. */
export function copyWithout(object: Data, isLeftOut: (key: string) => boolean, of = (value: unknown) => value): Data {
  const copy: Data = {}
  for (const key of Object.keys(object)) if (!isLeftOut(key)) define(copy, key, of(object[key]))
  return copy
}

/** Objects of results, and lists, anew, all else as it is. */
export function copyOf<V>(value: V): V {
  if (Array.isArray(value)) return value.map(copyOf) as V
  return isData(value) ? (copyWithout(value, () => false, copyOf) as V) : value
}

/** Anything of a result, also a part of it, without the members whose keys begin so. */
export function withoutPrefixed<V>(value: V, prefix: string): V {
  const inner = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(inner)
    return isData(part) ? copyWithout(part, (key) => key.startsWith(prefix), inner) : part
  }
  return inner(value) as V
}
