import { hasMethod, hasSymbols, kindOf, MAP_KEY, MEMBER, pathOf, refusalOf, type Step } from './kind.ts'

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
