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
  /** Must not trust the bytes; what it throws is a miss. */
  decode(bytes: Bytes): unknown
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

/** Which built-in codec restores the value, or why none does. */
export type Fit =
  /** `json` does. Shared references come back as copies, objects without prototype as ordinary ones. */
  | { readonly type: 'plain' }
  /** `rich` does. */
  | { readonly type: 'rich' }
  | {
      readonly type: 'unfit'
      /** What is there, as in "an instance of User", "a function", "an accessor". */
      readonly reason: string
      /** Where: `''` for the value itself, else as in `.products[3].owner`. */
      readonly path: string
      /** It can be consumed only once (a stream, an iterator, a body): not even callers of one process may share it. */
      readonly once: boolean
    }

/**
 * Looks at a value before it is encoded, because JSON corrupts silently: Dates become strings, instances lose their
 * class, promises become `{}`.
 *
 * It never throws, and runs no getter and no toJSON of the value. What is inside instances of classes is not looked
 * at, since that may be a whole application. Not noticed: accessors among the elements of an array, properties put on
 * a Buffer or typed array or, by a symbol, on an array, and non-enumerable properties (which no codec keeps either).
 */
export function fitOf(value: unknown): Fit {
  const survey: Survey = { rich: false, unfit: undefined, protoAt: undefined, path: [], seen: new Set() }
  try {
    if (isPlain(value, 0, { left: MAX_UNTRACKED })) return PLAIN
    inspect(value, survey)
  } catch (error) {
    // Called with little stack left, or a proxy: nothing else runs code of the value.
    const reason = error instanceof RangeError ? TOO_DEEP : 'a proxy that throws'
    return { type: 'unfit', reason, path: '', once: false }
  }
  if (survey.unfit !== undefined) return survey.unfit
  if (!survey.rich) return PLAIN
  if (survey.protoAt === undefined) return RICH
  // JSON keeps an own property of this name as it is; devalue refuses it, so that nothing can smuggle a prototype in.
  return { type: 'unfit', reason: 'a property named __proto__', path: survey.protoAt, once: false }
}

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
  if (types.isPromise(value) || hasMethod(value, 'then')) return { reason: 'a promise', once: false }
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

const PLAIN: Fit = Object.freeze({ type: 'plain' })

const RICH: Fit = Object.freeze({ type: 'rich' })

const TOO_DEEP = 'too deeply nested'

/** Deeper than this is no longer plain: a cycle would not end. */
const MAX_PLAIN_DEPTH = 200

/** devalue recurses and overflows a default stack somewhere between 1,000 and 2,000 levels. */
const MAX_DEPTH = 500

/** After as many objects the walk remembers which it has seen: 30 pairs of shared references make 2^30 paths. */
const MAX_UNTRACKED = 100_000

/**
 * Whether JSON restores the value. The answer for nearly all values, so it keeps no path and no set; `false` only
 * means that `inspect` has to look.
 */
function isPlain(value: unknown, depth: number, budget: { left: number }): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return isJsonNumber(value)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth > MAX_PLAIN_DEPTH || budget.left-- === 0) return false
  if ('toJSON' in value) return false

  const prototype: object | null = Object.getPrototypeOf(value)
  if (prototype === Array.prototype && Array.isArray(value)) {
    // As many keys as elements, and no element undefined: neither holes nor other properties.
    if (Object.keys(value).length !== value.length) return false
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i], depth + 1, budget)) return false
    return true
  }
  if (prototype !== Object.prototype && prototype !== null) return false
  if (Object.getOwnPropertySymbols(value).length !== 0) return false
  for (const name of Object.keys(value)) {
    // Reading an accessor would run it; it has no `writable`. The descriptor costs a third of the whole walk.
    const property = Object.getOwnPropertyDescriptor(value, name)
    if (property?.writable === undefined || !isPlain(property.value, depth + 1, budget)) return false
  }
  return true
}

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0)
}

interface Survey {
  /** Something was found that JSON would change. */
  rich: boolean
  /** The first thing found that no codec restores, or the first that can be consumed only once. */
  unfit: (Fit & { type: 'unfit' }) | undefined
  /** Where a property named `__proto__` is. */
  protoAt: string | undefined
  path: Step[]
  seen: Set<object>
}

/** Looks at everything, also after the first finding: a stream behind a function must not be shared either. */
function inspect(value: unknown, survey: Survey): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!isJsonNumber(value)) survey.rich = true
      return
    case 'undefined':
    case 'bigint':
      survey.rich = true
      return
    case 'object':
      if (value !== null) inspectObject(value, survey)
      return
    default:
      refuse(survey, refusalOf(value))
  }
}

function inspectObject(value: object, survey: Survey): void {
  if (survey.seen.has(value)) {
    survey.rich = true
    return
  }
  survey.seen.add(value)
  if (survey.path.length > MAX_PLAIN_DEPTH) survey.rich = true
  if (survey.path.length > MAX_DEPTH) {
    refuse(survey, { reason: TOO_DEEP, once: false })
    return
  }

  const kind = kindOf(value)
  if (kind === undefined) {
    refuse(survey, refusalOf(value))
    return
  }
  if (hasSymbols(value)) refuse(survey, { reason: 'a property named by a symbol', once: false })
  switch (kind) {
    case 'Object':
      inspectProperties(value, survey)
      return
    case 'Array':
      inspectElements(value as unknown[], survey)
      return
  }
  survey.rich = true
  // The keys of views are their indices; there is nothing more to look for.
  if (ArrayBuffer.isView(value) && kind !== 'DataView') return
  if (Object.keys(value).length !== 0) refuse(survey, { reason: `a ${kind} with properties`, once: false })
  switch (kind) {
    case 'Map':
      for (const [key, member] of value as Map<unknown, unknown>) {
        step(key, MAP_KEY, survey)
        step(member, MEMBER, survey)
      }
      return
    case 'Set':
      for (const member of value as Set<unknown>) step(member, MEMBER, survey)
      return
    case 'RegExp':
      if ((value as RegExp).lastIndex !== 0) refuse(survey, { reason: 'a RegExp with a lastIndex', once: false })
  }
}

function inspectProperties(value: object, survey: Survey): void {
  if (hasMethod(value, 'toJSON')) refuse(survey, { reason: 'a toJSON method', once: false })
  let hasMethods = hasSymbols(value)
  for (const name of Object.keys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, name)
    if (property?.writable === undefined) {
      survey.path.push(name)
      refuse(survey, { reason: 'an accessor', once: false })
      survey.path.pop()
      continue
    }
    if (typeof property.value === 'function') hasMethods = true
    if (name === '__proto__') survey.protoAt ??= pathOf([...survey.path, name])
    step(property.value, name, survey)
  }
  if (!hasMethods) return
  // An iterator written by hand is a plain object.
  const refusal = refusalOf(value)
  if (refusal.once) refuse(survey, refusal)
}

function inspectElements(value: unknown[], survey: Survey): void {
  if (hasMethod(value, 'toJSON')) refuse(survey, { reason: 'a toJSON method', once: false })
  const names = Object.keys(value)
  if (names.length === value.length && (names.length === 0 || names.at(-1) === String(names.length - 1))) {
    // Indices come first and in order: where the last is one, all are, and none is missing.
    for (let i = 0; i < value.length; i++) step(value[i], i, survey)
    return
  }
  survey.rich = true
  for (const name of names) {
    const index = Number(name)
    // 2^32 - 1 and above are ordinary names; so are '01' and '-1'.
    if (!(index < value.length) || String(index >>> 0) !== name) {
      refuse(survey, { reason: 'an array with properties', once: false })
      return
    }
    step(value[index], index, survey)
  }
}

function step(value: unknown, to: Step, survey: Survey): void {
  survey.path.push(to)
  inspect(value, survey)
  survey.path.pop()
}

function refuse(survey: Survey, { reason, once }: { reason: string; once: boolean }): void {
  if (survey.unfit === undefined || (once && !survey.unfit.once)) {
    survey.unfit = { type: 'unfit', reason, path: pathOf(survey.path), once }
  }
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
function hasMethod(value: object, name: PropertyKey): boolean {
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
