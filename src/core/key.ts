import { Buffer } from 'node:buffer'
import crypto from 'node:crypto'
import { hasSymbols, kindOf, MAP_KEY, MEMBER, pathOf, refusalOf, type Step } from './kind.ts'

/** A string, or an array of values; object keys in any order are the same key. */
export type Key = string | readonly unknown[]

/** The most bytes of UTF-8 an id has. */
export const MAX_ID_BYTES = 256

/**
 * The id of a key: one for one key, and never the same for two. It is readable where it is short, well-formed
 * Unicode, at most `MAX_ID_BYTES` bytes of UTF-8; what would be longer becomes `#` and its SHA-256 in base64url.
 *
 * A string stays as it is, unless it could be taken for something else or is ill-formed: then it is quoted. An array
 * becomes text in the manner of JSON, but with a form of its own for every type: `["product",42n,Date(0)]`.
 *
 * Allowed in an array, at any depth down to 100: null, undefined, booleans, numbers (NaN, ±Infinity, and -0, which is
 * not 0), bigints, strings, Dates, arrays, plain objects (`{ a: undefined }` is not `{}`; what is not enumerable
 * does not count), Maps and Sets (whose order counts), Buffers and Uint8Arrays (the same bytes are the same key) and
 * URLs.
 *
 * @param version of the values' shape: put in front, so that deployments with different shapes have different ids.
 * @param maxSize characters and values that an array may have, so that a hostile one is refused in bounded time.
 * @throws TypeError for a part that has no canonical text (an instance of a class, a function, a symbol, a promise,
 * an accessor, a hole, ...); it names the place.
 * @throws RangeError for a key that is nested deeper than 100 levels, as a cycle is, or larger than
 * `maxSize`.
 */
export function keyId(key: Key, version?: string, maxSize = MAX_SIZE): string {
  const text = typeof key === 'string' ? textOf(key) : (simpleText(key) ?? write(listOf(key), writing(maxSize)))
  return shortened(version === undefined ? text : `${quote(version)}:${text}`)
}

/**
 * The digest of values that are of nobody's concern, to stand in a key in their place: SHA-256 in base64url of their canonical
 * text.
 *
 * @throws as `keyId`; the place is told without the names of properties, which are of nobody's concern either.
 */
export function keyDigest(values: readonly unknown[], maxSize = MAX_SIZE): string {
  return sha256(write(values, { ...writing(maxSize), secret: true }))
}

/**
 * What keys of one kind have in common, to count events by: `["product",string,object]` or `product:*`. Of a key's
 * values it has only the leading word, where that looks like one (letters, `_`, `-` and separators, at most 48): of an
 * array its first string, of a string what stands before the first `:` or `/`. At most 200 characters; of what is no
 * key, its type.
 */
export function keyShape(key: Key): string {
  if (typeof key === 'string') return `${LEADING_WORD.exec(key)?.[0] ?? ''}*`
  if (!Array.isArray(key)) return typeOf(key)
  const shown = key.slice(0, MAX_SHAPE_PARTS).map((part: unknown, index) => {
    return index === 0 && typeof part === 'string' && WORD.test(part) ? `"${part}"` : typeOf(part)
  })
  if (key.length > MAX_SHAPE_PARTS) shown.push('…')
  return `[${shown.join()}]`
}

/** The way to the part being written, and how much more may be written. */
interface Writing {
  path: Step[]
  left: number
  readonly maxSize: number
  readonly secret: boolean
}

function writing(maxSize: number): Writing {
  return { path: [], left: maxSize, maxSize, secret: false }
}

const MAX_DEPTH = 100

/** Shared references multiply: without a bound a few dozen small objects are 2^40 values. */
const MAX_SIZE = 4_194_304

/** How the other forms of an id begin: an array with `[`, a quoted string or version with `"`, a digest with `#`. */
const AMBIGUOUS = /^["#[]/

/** Quote, backslash, control characters, which JSON.stringify escapes, and surrogates, which it does where alone. */
const ESCAPED = /[^ !#-[\]-\ud7ff\ue000-\uffff]/

const LEADING_WORD = /^[A-Za-z_-]{1,48}[:/]/

const WORD = /^[A-Za-z_][A-Za-z_./:-]{0,47}$/

const MAX_SHAPE_PARTS = 8

function textOf(key: string): string {
  return AMBIGUOUS.test(key) || !key.isWellFormed() ? JSON.stringify(key) : key
}

/** Parts of most keys: a name, and what tells one from another. */
const SIMPLE_PARTS = 8
const SIMPLE_LENGTH = 64

/** As `write`, of a few short texts and numbers; `undefined` for any other, at which that looks. */
function simpleText(key: unknown): string | undefined {
  if (!Array.isArray(key) || Object.getPrototypeOf(key) !== Array.prototype) return undefined
  const { length } = key
  if (length > SIMPLE_PARTS || Object.keys(key).length !== length || hasSymbols(key)) return undefined
  let text = '['
  for (let i = 0; i < length; i++) {
    const part: unknown = key[i]
    if (i !== 0) text += ','
    if (typeof part === 'string' && part.length <= SIMPLE_LENGTH && !ESCAPED.test(part)) text += `"${part}"`
    else if (typeof part === 'number' && !Object.is(part, -0)) text += part
    else return undefined
  }
  return `${text}]`
}

function listOf(key: unknown): object {
  if (typeof key === 'object' && key !== null && kindOf(key) === 'Array') return key
  const what = typeof key === 'object' && key !== null ? (kindOf(key) ?? refusalOf(key).reason) : String(key)
  throw new TypeError(`a key is a string or an array of values, got ${what}`)
}

function shortened(text: string): string {
  // A UTF-16 unit is at most 3 bytes of UTF-8, and at least 1.
  if (text.length <= MAX_ID_BYTES / 3) return text
  if (text.length <= MAX_ID_BYTES && Buffer.byteLength(text) <= MAX_ID_BYTES) return text
  return `#${sha256(text)}`
}

/** `crypto.hash` is several times faster on short texts; other runtimes than Node may not have it. */
const sha256: (text: string) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'base64url')
    : (text) => crypto.createHash('sha256').update(text).digest('base64url')

/** Canonical text of a value. No form is the beginning of another one's that could stand in the same place. */
function write(value: unknown, writing: Writing): string {
  switch (typeof value) {
    case 'string':
      spend(writing, value.length)
      return quote(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'undefined':
      return 'undefined'
    case 'bigint':
      return writeBigint(value, writing)
    case 'object':
      return value === null ? 'null' : writeObject(value, writing)
    default:
      return refuse(writing, refusalOf(value).reason)
  }
}

function writeBigint(value: bigint, writing: Writing): string {
  const text = `${value}n`
  spend(writing, text.length)
  return text
}

function writeObject(value: object, writing: Writing): string {
  if (writing.path.length > MAX_DEPTH) {
    const place = placeOf(writing)
    throw new RangeError(`${place} is more than ${MAX_DEPTH} levels deep, or contains itself: put an id into the key`)
  }
  const kind = kindOf(value)
  if (kind === undefined) refuse(writing, refusalOf(value).reason)
  // Two keys that differ only there would have one id.
  if (hasSymbols(value)) refuse(writing, 'an object with a property named by a symbol')
  if (kind === 'Array') return writeArray(value as unknown[], writing)
  if (kind === 'Object') return writeProperties(value, writing)
  if (kind === 'Uint8Array' || kind === 'Buffer') return writeBytes(value as Uint8Array, writing)
  const text = writeBuiltin(kind, value, writing)
  if (Object.keys(value).length !== 0) refuse(writing, `a ${kind} with properties`)
  return text
}

function writeBuiltin(kind: string, value: object, writing: Writing): string {
  switch (kind) {
    case 'Date':
      return `Date(${Date.prototype.getTime.call(value)})`
    case 'Map':
      return writeMap(value as Map<unknown, unknown>, writing)
    case 'Set':
      return writeSet(value as Set<unknown>, writing)
    case 'URL':
      return `URL(${write((value as URL).href, writing)})`
    default:
      return refuse(writing, `a ${kind}`)
  }
}

function writeArray(values: unknown[], writing: Writing): string {
  spend(writing, values.length)
  let text = '['
  for (let i = 0; i < values.length; i++) {
    if (i !== 0) text += ','
    const value = values[i]
    writing.path.push(i)
    if (value === undefined && !Object.hasOwn(values, i)) refuse(writing, 'a hole')
    text += write(value, writing)
    writing.path.pop()
  }
  // There are no holes: more names than elements are properties, in which two keys could differ.
  if (Object.keys(values).length !== values.length) refuse(writing, 'an array with properties')
  return `${text}]`
}

function writeProperties(value: object, writing: Writing): string {
  const names = Object.keys(value)
  spend(writing, names.length)
  let text = '{'
  for (const name of inOrder(names)) {
    if (text.length !== 1) text += ','
    spend(writing, name.length)
    writing.path.push(name)
    const property = Object.getOwnPropertyDescriptor(value, name)
    if (property?.writable === undefined) refuse(writing, 'an accessor')
    text += `${quote(name)}:${write(property.value, writing)}`
    writing.path.pop()
  }
  return `${text}}`
}

function writeMap(map: Map<unknown, unknown>, writing: Writing): string {
  spend(writing, map.size)
  let text = 'Map('
  for (const [key, value] of map) {
    if (text.length !== 4) text += ','
    writing.path.push(MAP_KEY)
    text += write(key, writing)
    writing.path[writing.path.length - 1] = MEMBER
    text += `:${write(value, writing)}`
    writing.path.pop()
  }
  return `${text})`
}

function writeSet(set: Set<unknown>, writing: Writing): string {
  spend(writing, set.size)
  let text = 'Set('
  for (const value of set) {
    if (text.length !== 4) text += ','
    writing.path.push(MEMBER)
    text += write(value, writing)
    writing.path.pop()
  }
  return `${text})`
}

function writeBytes(bytes: Uint8Array, writing: Writing): string {
  spend(writing, bytes.byteLength)
  return `Bytes(${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')})`
}

/** As JSON.stringify does, which is slower on what needs no escape. */
function quote(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`
}

/** By UTF-16 code unit, in place. A native sort costs more than it sorts on the few names most objects have. */
function inOrder(names: string[]): string[] {
  if (names.length > 16) return names.sort()
  for (let i = 1; i < names.length; i++) {
    const name = names[i] as string
    let at = i
    for (; at > 0 && (names[at - 1] as string) > name; at--) names[at] = names[at - 1] as string
    names[at] = name
  }
  return names
}

function spend(writing: Writing, cost: number): void {
  writing.left -= cost
  if (writing.left < 0) {
    throw new RangeError(`key is larger than ${writing.maxSize} characters and values: put a digest of it into the key`)
  }
}

function refuse(writing: Writing, reason: string): never {
  throw new TypeError(`${placeOf(writing)} is ${reason}: ${ADVICE[reason] ?? 'put its id into the key'}`)
}

function placeOf({ path, secret }: Writing): string {
  return `key${pathOf(secret ? path.map((step) => (typeof step === 'string' ? '…' : step)) : path)}`
}

const ADVICE: Readonly<Record<string, string>> = {
  'a function': 'put a name into the key',
  'a symbol': 'put its description into the key',
  'a promise': 'await it first',
  'a hole': 'put undefined or null into the key',
  'an accessor': 'put its value into the key',
  'an array with properties': 'put an object into the key',
  'an object with a property named by a symbol': 'leave that out, or name it by a string',
}

/** `string`, `null`, `object` (also instances), `array`, `Date`, `Map`, ... */
function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  const kind = kindOf(value)
  if (kind === 'Array') return 'array'
  return kind === undefined || kind === 'Object' ? 'object' : kind
}
