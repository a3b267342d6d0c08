import type { CacheHint } from '../documents/cacheControl.ts'
import { type Fixed, least, msOf } from '../documents/rules.ts'
import type { Part, Selection, Shape } from '../documents/shapes.ts'
import { copyWithout, type Data, define, isData } from './data.ts'

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
  /** A `maxAge` of the schema or a resolver is among what says so. */
  readonly hinted: boolean
  /** Something in it is only for the session that asked. */
  readonly private: boolean
  /** There is an object of a type that is never cached. */
  readonly ignored: boolean
  /** Without those of the query itself; by tag. */
  readonly entities: ReadonlyMap<string, Entity>
}

/** What is said of one field's value in place of what the schema says; `maxAge` in seconds. */
export type ValueHint = Pick<CacheHint, 'maxAge' | 'scope'>

/** Such hints, by path: response keys and indexes, each after a dot. */
export interface ValueHints {
  at(path: string): ValueHint | undefined
}

/** Where a value stands. */
interface Place {
  readonly part: Part
  /** What its resolver said. */
  readonly hint: ValueHint | undefined
  /** Response keys and indexes, each after a dot; only where there are hints. */
  readonly path: string | undefined
}

/** Reads the data of a response of this shape. `hints` are those that resolvers gave. */
export function readResponse(data: unknown, shape: Shape, hints: ValueHints | undefined): Reading {
  let ttl: number | undefined
  let isPrivate = false
  let ignored = false
  let hinted = false
  const entities = new Map<string, Entity>()

  function count(fixed: Fixed): void {
    ttl = least(ttl, fixed.ttl)
    if (fixed.private) isPrivate = true
  }

  function readObject(object: Data, shape: Shape, place: Place | undefined, path: string | undefined): Data {
    const { type, typeName } = shape
    if (type.ignored) ignored = true
    count(type)
    if (place !== undefined) {
      // Of an abstract type's field: the objects may say less than it does.
      const { maxAge, scope } = { ...place.part.rule.hint, ...place.hint }
      if (maxAge === undefined) ttl = least(ttl, msOf(type.hint.maxAge))
      hinted ||= typeof (maxAge ?? type.hint.maxAge) === 'number'
      if (scope === undefined && type.hint.scope === 'PRIVATE') isPrivate = true
    }
    if (!shape.root) addEntity(typeName, idOf(object, shape))
    let read = object
    for (const part of shape.parts) {
      const value = object[part.key]
      if (value === undefined) continue // skipped, or in a fragment that does not apply
      const at = path === undefined ? undefined : `${path}.${part.key}`
      const hint = at === undefined ? undefined : hints?.at(at)
      readRule(part, hint)
      if (part.selection === undefined) continue
      const next = readValue(value, part.selection, { part, hint, path: at }, at)
      if (next === value) continue
      if (read === object) read = { ...object }
      define(read, part.key, next)
    }
    return shape.added.length === 0 ? read : copyWithout(read, (key) => shape.added.includes(key))
  }

  function readRule({ rule }: Part, hint: ValueHint | undefined): void {
    hinted ||= typeof (hint?.maxAge ?? rule.hint.maxAge) === 'number'
    if (hint === undefined) {
      count(rule)
      return
    }
    ttl = least(ttl, hint.maxAge === undefined ? rule.ttl : least(rule.fixed.ttl, msOf(hint.maxAge)))
    if (hint.scope === undefined ? rule.private : rule.fixed.private || hint.scope === 'PRIVATE') isPrivate = true
  }

  function readValue(value: unknown, selection: Selection, place: Place, path: string | undefined): unknown {
    if (Array.isArray(value)) {
      if (value.length === 0) addTypes(place.part)
      let read: unknown[] = value
      for (let i = 0; i < value.length; i++) {
        const next = readValue(value[i], selection, place, path === undefined ? undefined : `${path}.${i}`)
        if (next === value[i]) continue
        if (read === value) read = [...value]
        read[i] = next
      }
      return read
    }
    if (typeof value !== 'object' || value === null) {
      addTypes(place.part)
      return value
    }
    const typeName = selection.typeName ?? (value as Data)[selection.typeKey]
    const shape = typeof typeName === 'string' ? selection.shapeOf(typeName) : undefined
    if (shape === undefined) {
      // Nobody knows what it is made of.
      ignored = true
      return value
    }
    return readObject(value as Data, shape, place, path)
  }

  /** What is not there may come to be: by an object of one of these types. */
  function addTypes({ rule }: Part): void {
    count(rule.absent)
    for (const typename of rule.returns) addEntity(typename, undefined)
  }

  function addEntity(typename: string, id: string | number | undefined): void {
    if (typename.startsWith('__')) return
    if (id === undefined) entities.set(typename, { typename })
    // Half of a surrogate pair can't be in a tag.
    else entities.set(`${typename}:${id}`.toWellFormed(), { typename, id })
  }

  const read = isData(data) ? readObject(data, shape, undefined, hints === undefined ? undefined : '') : data
  return { data: read, ttl, hinted, private: isPrivate, ignored, entities }
}

function idOf(object: Data, { idKeys }: Shape): string | number | undefined {
  for (const key of idKeys) {
    const id = object[key]
    if (typeof id === 'string' || typeof id === 'number') return id
  }
  return undefined
}
