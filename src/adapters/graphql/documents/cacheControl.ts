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
