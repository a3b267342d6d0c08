import { isAdded, TYPE_KEY } from './additions.ts'
import type { CacheHint } from './cacheControl.ts'
import { least, msOf } from './rules.ts'
import type { Part, Selection, Shape } from './shapes.ts'

/** An object of a type that has an id, or a type of which none has. */
export interface Entity {
  readonly typename: string
  readonly id?: string | number
}

/** What a response says of itself. */
export interface Reading {
  /** Without what was added to the selections. */
  readonly data: unknown
  /** ms: the least that anything in it says; `undefined` where nothing does. */
  readonly ttl: number | undefined
  /** Something in it is only for the session that asked. */
  readonly private: boolean
  /** There is an object of a type that is never cached. */
  readonly ignored: boolean
  /** Without those of the query itself; by tag. */
  readonly entities: ReadonlyMap<string, Entity>
}

type Data = Record<string, unknown>

/** Reads the data of a response of this shape. `hints` are those that resolvers gave, by path. */
export function readResponse(data: unknown, shape: Shape, hints: ReadonlyMap<string, CacheHint> | undefined): Reading {
  let ttl: number | undefined
  let isPrivate = false
  let ignored = false
  const entities = new Map<string, Entity>()

  function readObject(object: Data, shape: Shape, within: Part | undefined, path: string | undefined): Data {
    const { type, typeName } = shape
    if (type.ignored) ignored = true
    ttl = least(ttl, type.ttl)
    if (type.private) isPrivate = true
    // Of an abstract type's field: the objects may say less than it does.
    if (within !== undefined && within.rule.hint.maxAge === undefined) ttl = least(ttl, msOf(type.hint.maxAge))
    if (within !== undefined && within.rule.hint.scope === undefined && type.hint.scope === 'PRIVATE') isPrivate = true
    if (!shape.root) addEntity(typeName, idOf(object, shape))
    let read = object
    for (const part of shape.parts) {
      const value = object[part.key]
      if (value === undefined) continue // skipped, or in a fragment that does not apply
      const at = path === undefined ? undefined : `${path}.${part.key}`
      readRule(part, at === undefined ? undefined : hints?.get(at))
      if (part.selection === undefined) continue
      const next = readValue(value, part.selection, part, at)
      if (next === value) continue
      if (read === object) read = { ...object }
      define(read, part.key, next)
    }
    return shape.added ? withoutAdditions(read) : read
  }

  function readRule({ rule }: Part, hint: CacheHint | undefined): void {
    if (hint === undefined) {
      ttl = least(ttl, rule.ttl)
      if (rule.private) isPrivate = true
      return
    }
    ttl = least(ttl, hint.maxAge === undefined ? rule.ttl : least(rule.fixed.ttl, msOf(hint.maxAge)))
    if (hint.scope === undefined ? rule.private : rule.fixed.private || hint.scope === 'PRIVATE') isPrivate = true
  }

  function readValue(value: unknown, selection: Selection, part: Part, path: string | undefined): unknown {
    if (Array.isArray(value)) {
      if (value.length === 0) addTypes(part)
      let read: unknown[] = value
      for (let i = 0; i < value.length; i++) {
        const next = readValue(value[i], selection, part, path === undefined ? undefined : `${path}.${i}`)
        if (next === value[i]) continue
        if (read === value) read = [...value]
        read[i] = next
      }
      return read
    }
    if (typeof value !== 'object' || value === null) {
      addTypes(part)
      return value
    }
    const typeName = selection.typeName ?? (value as Data)[TYPE_KEY]
    const shape = typeof typeName === 'string' ? selection.shapeOf(typeName) : undefined
    if (shape === undefined) {
      // Nobody knows what it is made of.
      ignored = true
      return value
    }
    return readObject(value as Data, shape, part, path)
  }

  /** What is not there may come to be: by an object of one of these types. */
  function addTypes({ rule }: Part): void {
    for (const typename of rule.returns) {
      if (!typename.startsWith('__')) entities.set(typename, { typename })
    }
  }

  function addEntity(typename: string, id: string | number | undefined): void {
    if (typename.startsWith('__')) return
    if (id === undefined) entities.set(typename, { typename })
    else entities.set(`${typename}:${id}`, { typename, id })
  }

  const read = isData(data) ? readObject(data, shape, undefined, hints === undefined ? undefined : '') : data
  return { data: read, ttl, private: isPrivate, ignored, entities }
}

/** Anything of a result, also a part of it, without what was added to the selections. */
export function withoutAdditionsIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAdditionsIn)
  if (!isData(value)) return value
  const copy: Data = {}
  for (const key of Object.keys(value)) if (!isAdded(key)) define(copy, key, withoutAdditionsIn(value[key]))
  return copy
}

function withoutAdditions(object: Data): Data {
  const copy: Data = {}
  for (const key of Object.keys(object)) if (!isAdded(key)) define(copy, key, object[key])
  return copy
}

/** As its own: an alias may be `__proto__`, and a plain write of that name would set the prototype. */
function define(object: Data, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  else object[key] = value
}

/** An object of a result, not the value of a scalar that is an instance of something. */
function isData(value: unknown): value is Data {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function idOf(object: Data, { idKeys }: Shape): string | number | undefined {
  for (const key of idKeys) {
    const id = object[key]
    if (typeof id === 'string' || typeof id === 'number') return id
  }
  return undefined
}
