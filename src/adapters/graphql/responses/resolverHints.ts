import type { GraphQLResolveInfo } from 'graphql'
import { show } from '../../../core/checks.ts'
import { courseOf } from '../../../core/course.ts'
import { type CacheHint, checkHint } from '../documents/cacheControl.ts'
import type { Part } from './parts.ts'

/** What a resolver may say of its field. */
export type FieldHint = Pick<CacheHint, 'maxAge' | 'scope'>

/** What resolvers said in the course of one execution. */
export interface Hints {
  /** Whether anything was said of a field. */
  readonly any: boolean
  /** What the response is made of. */
  readonly parts: readonly Part[]
  /** Of the field at the path: response keys and indexes, each after a dot. */
  at(path: string): FieldHint | undefined
  /**
   * Of all else: of fields that nobody has asked `at` for, and of other operations that were executed in the course of this
   * one, such as those of a gateway's parts. Where in the response they are is not known.
   */
  readonly others: readonly FieldHint[]
}

type Info = Pick<GraphQLResolveInfo, 'path' | 'operation' | 'schema'>

/** What is executed: the same operation for another schema is another one's. */
type Executed = Pick<GraphQLResolveInfo, 'operation' | 'schema'>

/** Of which response an execution is. */
export interface Subject {
  readonly cache: object
  readonly id: string
}

/** Where is kept what is said in the course of one execution. */
interface Notes {
  readonly subject: Subject
  /** Whether it is one field that is resolved, for its own value. */
  readonly field: boolean
  /** Of the execution in whose course this one was begun. */
  readonly outer: Notes | undefined
  /** Whether what is said here is said of what a request waits for. */
  readonly heard: boolean
  add(info: Info, hint: FieldHint): void
  /** Of what has no place in the response that is known; it is in the outer ones too. */
  addForeign(hint: FieldHint): void
  /** As `addForeign`. */
  addPart(part: Part): void
}

/** Those of the execution in whose course something is called. */
const course = courseOf<Notes>('hints')

/** Runs the operation for a response; `hints` are there when it has ended. */
export function withHints<T>(executed: Executed, subject: Subject, run: (hints: Hints) => Promise<T>): Promise<T> {
  const notes = createNotes(executed, subject, course.current)
  return course.run(notes, () => run(notes))
}

/** Whether this is called in the course of the execution for that very response: who waited for it would wait for itself. */
export function isWithin({ cache, id }: Subject): boolean {
  let notes = course.current
  while (notes !== undefined) {
    if (notes.subject.id === id && notes.subject.cache === cache) return true
    notes = notes.outer
  }
  return false
}

/** Whether this is called in the course of resolving a field for its own value: others wait for that. */
export function isInField(): boolean {
  let notes = course.current
  while (notes !== undefined && !notes.field) notes = notes.outer
  return notes !== undefined
}

/** Whether a request waits for what this is called in the course of; not where a value is resolved anew behind its answer. */
export function isHeard(): boolean {
  return course.current?.heard ?? true
}

/** What was said in the course of resolving one field. */
export interface FieldHints {
  readonly hints: readonly FieldHint[]
  readonly parts: readonly Part[]
}

/**
 * Resolves a field for its own value; what is said is said of the response too that it is resolved for, as long as that `waits` for
 * it: not behind its answer.
 */
export function withFieldHints<T>(
  subject: Subject,
  waits: () => boolean,
  run: (said: FieldHints) => Promise<T>,
): Promise<T> {
  const begun = waits() ? course.current : undefined
  const outer = () => (waits() ? begun : undefined)
  const hints: FieldHint[] = []
  const parts: Part[] = []
  const notes: Notes = {
    subject,
    field: true,
    outer: begun,
    get heard() {
      return waits() && (begun?.heard ?? true)
    },
    add(info, hint) {
      hints.push(hint)
      outer()?.add(info, hint)
    },
    addForeign(hint) {
      hints.push(hint)
      outer()?.addForeign(hint)
    },
    addPart(part) {
      parts.push(part)
      outer()?.addPart(part)
    },
  }
  return course.run(notes, () => run({ hints, parts }))
}

/** Says it of all that is executed where this is called: of an answer from the cache, which is part of that. */
export function tellOuter(hint: FieldHint): void {
  course.current?.addForeign(hint)
}

/** As `tellOuter`, of a value; `part` is asked only where anybody listens. */
export function tellPart(part: () => Part): void {
  course.current?.addPart(part())
}

function createNotes({ operation, schema }: Executed, subject: Subject, outer: Notes | undefined): Notes & Hints {
  const own = new Map<string, FieldHint>()
  const foreign: FieldHint[] = []
  const parts: Part[] = []
  const met = new Set<string>()
  return {
    subject,
    field: false,
    outer,
    get heard() {
      return outer?.heard ?? true
    },
    get any() {
      return own.size + foreign.length > 0
    },
    parts,
    at(path) {
      met.add(path)
      return own.get(path)
    },
    get others() {
      return [...foreign, ...[...own].filter(([path]) => !met.has(path)).map(([, hint]) => hint)]
    },
    add(info, hint) {
      // Another operation has other fields at the same paths: what it says of them must not take the place of what is said here.
      if (info.operation !== operation || info.schema !== schema) {
        this.addForeign(hint)
        return
      }
      const path = pathOf(info.path)
      own.set(path, { ...own.get(path), ...hint })
      outer?.addForeign(hint)
    },
    addForeign(hint) {
      foreign.push(hint)
      outer?.addForeign(hint)
    },
    addPart(part) {
      parts.push(part)
      outer?.addPart(part)
    },
  }
}

/**
 * Says in a resolver how long, or for whom, this field's value may be cached: in place of what the schema says of the field.
 * `maxAge` in seconds. To be called by the resolver, also after its awaits; not in callbacks of what is shared by many
 * requests, such as a connection, where it is not known of which request it speaks. Of what is not cached it says nothing to
 * anybody.
 *
 * @throws TypeError or RangeError for what is no hint
 */
export function setCacheHint(info: Info, hint: FieldHint): void {
  if (typeof info?.path !== 'object' || info.path === null) {
    throw new TypeError(`setCacheHint takes the info of the resolver, and a hint; got ${show(info)} for the info`)
  }
  if (typeof hint !== 'object' || hint === null || Array.isArray(hint)) {
    throw new TypeError(`setCacheHint takes a hint: { maxAge, scope }, got ${show(hint)}`)
  }
  checkHint(hint, 'setCacheHint', ['maxAge', 'scope'])
  course.current?.add(info, hint)
}

function pathOf({ prev, key }: GraphQLResolveInfo['path']): string {
  return prev === undefined ? `.${key}` : `${pathOf(prev)}.${key}`
}
