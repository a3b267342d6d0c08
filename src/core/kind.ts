import { Buffer } from 'node:buffer'
import { types } from 'node:util'

/**
 * The built-in type of an object by its exact prototype and what it is inside, of this realm or another (`node:vm`,
 * Jest): `'Object'` also without prototype, `'Array'`, `'Date'`, `'Map'`, `'Buffer'`, ... `undefined` for anything
 * else, subclasses of these included.
 */
export function kindOf(value: object): string | undefined {
  const prototype: object | null = Object.getPrototypeOf(value)
  const name = prototype === null ? 'Object' : builtinOf(prototype)
  return name !== '' && KINDS[name]?.(value) ? name : undefined
}

/** What something is that is no data, with its article, and whether it can be consumed only once. */
export function refusalOf(value: unknown): { reason: string; once: boolean } {
  if (typeof value !== 'object' || value === null) return { reason: `a ${typeof value}`, once: false }
  if (types.isPromise(value) || hasMethod(value, 'then')) return { reason: 'a promise', once: true } // what it comes to may be a stream
  if (hasMethod(value, 'pipe') || hasMethod(value, 'getReader')) return { reason: 'a stream', once: true }
  if (hasMethod(value, Symbol.asyncIterator)) return { reason: 'an async iterable', once: true }
  if (hasMethod(value, 'next')) return { reason: 'an iterator', once: true }
  // Request and Response; a Blob can be read again.
  const once = hasMethod(value, 'arrayBuffer') && propertyOf(value, 'bodyUsed') !== undefined
  return { reason: `an instance of ${classOf(value)}`, once }
}

/** A property, an index, or a place in a Map or Set. */
export type Step = string | number | typeof MAP_KEY | typeof MEMBER

/** Steps as one would write them, `.products[3]["a-b"]`; at most 160 characters. */
export function pathOf(steps: readonly Step[]): string {
  let path = ''
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`
    else if (typeof step === 'symbol') path += step === MAP_KEY ? '.keys()' : '.values()'
    else path += /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
    if (path.length > 160) return `${path.slice(0, 159)}…`
  }
  return path
}

/** The step to a key of a Map. */
export const MAP_KEY = Symbol('keys')

/** The step to a value of a Map or Set. */
export const MEMBER = Symbol('values')

/**
 * Whether any own enumerable property has a symbol for a name: neither codec nor key keeps those. (Non-enumerable
 * ones are how libraries hide their marks on plain data.)
 */
export function hasSymbols(value: object): boolean {
  const symbols = Object.getOwnPropertySymbols(value)
  return symbols.length !== 0 && symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol))
}

/** Built-in types by their constructor's name, and whether a value is one: `Object.create(Map.prototype)` is not. */
const KINDS: Readonly<Record<string, (value: object) => boolean>> = {
  Object: () => true,
  Array: Array.isArray,
  Date: types.isDate,
  Map: types.isMap,
  Set: types.isSet,
  RegExp: types.isRegExp,
  // A resizable one comes back with a fixed size.
  ArrayBuffer: (value) => types.isArrayBuffer(value) && (value as { resizable?: boolean }).resizable !== true,
  DataView: types.isDataView,
  Int8Array: types.isInt8Array,
  Uint8Array: types.isUint8Array,
  Uint8ClampedArray: types.isUint8ClampedArray,
  Int16Array: types.isInt16Array,
  Uint16Array: types.isUint16Array,
  Int32Array: types.isInt32Array,
  Uint32Array: types.isUint32Array,
  Float32Array: types.isFloat32Array,
  Float64Array: types.isFloat64Array,
  BigInt64Array: types.isBigInt64Array,
  BigUint64Array: types.isBigUint64Array,
  Buffer: types.isUint8Array,
  URL: (value) => answers(URL.prototype.toString, value),
  URLSearchParams: (value) => answers(URLSearchParams.prototype.toString, value),
}

/** The name in KINDS of the built-in type with this prototype, `''` for none. Those of Node are made in JavaScript. */
const BUILTINS = new WeakMap<object, string>([
  [Buffer.prototype, 'Buffer'],
  [URL.prototype, 'URL'],
  [URLSearchParams.prototype, 'URLSearchParams'],
])

function builtinOf(prototype: object): string {
  let name = BUILTINS.get(prototype)
  if (name === undefined) {
    name = ''
    const make: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
    if (typeof make === 'function' && make.prototype === prototype) {
      // No function written in JavaScript has such a source, and bound ones have no name in it.
      const found = /^function (\w+)\(\) \{ \[native code\] \}$/.exec(Function.prototype.toString.call(make))?.[1]
      if (found !== undefined && Object.hasOwn(KINDS, found)) name = found
    }
    BUILTINS.set(prototype, name)
  }
  return name
}

/** Whether a method of a prototype works on the value: those of Node throw on what is not one inside. */
function answers(method: () => unknown, value: object): boolean {
  try {
    method.call(value)
    return true
  } catch {
    return false
  }
}

/** Own or inherited; a getter is not run, and so is no method. */
export function hasMethod(value: object, name: PropertyKey): boolean {
  return name in value && typeof propertyOf(value, name)?.value === 'function'
}

function propertyOf(value: object, name: PropertyKey): PropertyDescriptor | undefined {
  let at: object | null = value
  while (at !== null) {
    const property = Object.getOwnPropertyDescriptor(at, name)
    if (property !== undefined) return property
    at = Object.getPrototypeOf(at)
  }
  return undefined
}

function classOf(value: object): string {
  const make: unknown = propertyOf(value, 'constructor')?.value
  const name: unknown = typeof make === 'function' ? propertyOf(make, 'name')?.value : undefined
  return typeof name === 'string' && name !== '' ? name.slice(0, 80) : 'a class'
}
