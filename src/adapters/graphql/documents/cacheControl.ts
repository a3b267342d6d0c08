import { AsyncLocalStorage } from 'node:async_hooks'
import type { GraphQLResolveInfo } from 'graphql'
import { show } from '../../../core/checks.ts'

/** Whose data a part of a response is: that of everybody, or of the session that asked. */
export type CacheScope = 'PUBLIC' | 'PRIVATE'

/** What is said of a field or of the objects of a type; in schemas, as in HTTP, in seconds. */
export interface CacheHint {
  /** s, 0 or more: 0 is never. */
  readonly maxAge?: number | undefined
  readonly scope?: CacheScope | undefined
  /** Only with `requirePolicy`, in place of `maxAge`: the field is as fresh as what it is in. */
  readonly inheritMaxAge?: boolean | undefined
}

/**
 * The type definitions of `@cacheControl`, as Apollo Server has them. Code-first schemas say the same in the `extensions`
 * of a field or type: `{ cacheControl: { maxAge: 60 } }`.
 */
export const cacheControlTypeDefs = /* GraphQL */ `
  enum CacheControlScope {
    PUBLIC
    PRIVATE
  }

  directive @cacheControl(
    maxAge: Int
    scope: CacheControlScope
    inheritMaxAge: Boolean
  ) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
`

/** What a resolver may say of its field. */
export type FieldHint = Pick<CacheHint, 'maxAge' | 'scope'>

/** Hints that resolvers gave, by path of the field: response keys and indexes, each after a dot. */
export type Hints = ReadonlyMap<string, FieldHint>

/** Those of the execution in whose course something is called. */
const running = new AsyncLocalStorage<Map<string, FieldHint>>()

let executions = 0

/** Runs an execution; `hints` are there when it has ended. */
export async function withHints<T>(run: (hints: Hints) => Promise<T>): Promise<T> {
  const hints = new Map<string, FieldHint>()
  executions++
  try {
    return await running.run(hints, run, hints)
  } finally {
    executions--
    // Before Node 24 it slows every promise of the process down, for as long as it is on: hits need none of it.
    if (executions === 0) running.disable()
  }
}

/**
 * Says in a resolver how long, or for whom, this field's value may be cached: in place of what the schema says of the field.
 * `maxAge` in seconds. To be called in the course of the resolver; of what is not cached it says nothing to anybody.
 *
 * @throws TypeError or RangeError for what is no hint
 */
export function setCacheHint(info: Pick<GraphQLResolveInfo, 'path'>, hint: FieldHint): void {
  if (typeof info?.path !== 'object') throw new TypeError('setCacheHint takes the info of the resolver, and the hint')
  if (typeof hint !== 'object' || hint === null) throw new TypeError('setCacheHint takes a hint: { maxAge, scope }')
  checkHint(hint, 'setCacheHint', ['maxAge', 'scope'])
  const hints = running.getStore()
  if (hints === undefined) return
  const path = pathOf(info.path)
  hints.set(path, { ...hints.get(path), ...hint })
}

/** @throws TypeError or RangeError for what is no hint */
export function checkHint(hint: CacheHint, what: string, names: readonly string[]): void {
  for (const name of Object.keys(hint)) {
    if (!names.includes(name)) throw new TypeError(`${what}: there is no "${name}", only ${names.join(', ')}`)
  }
  const { maxAge, scope, inheritMaxAge } = hint
  if (maxAge !== undefined && !(typeof maxAge === 'number' && maxAge >= 0)) {
    throw new RangeError(`${what}: maxAge must be at least 0 (s), got ${show(maxAge)}`)
  }
  if (scope !== undefined && scope !== 'PUBLIC' && scope !== 'PRIVATE') {
    throw new TypeError(`${what}: scope must be 'PUBLIC' or 'PRIVATE', got ${show(scope)}`)
  }
  if (inheritMaxAge !== undefined && typeof inheritMaxAge !== 'boolean') {
    throw new TypeError(`${what}: inheritMaxAge must be true or false, got ${show(inheritMaxAge)}`)
  }
  if (inheritMaxAge === true && maxAge !== undefined) {
    throw new TypeError(`${what}: inheritMaxAge is in place of maxAge, not beside it`)
  }
}

function pathOf(path: GraphQLResolveInfo['path']): string {
  const { prev, key } = path
  return prev === undefined ? `.${key}` : `${pathOf(prev)}.${key}`
}
