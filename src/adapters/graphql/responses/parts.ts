/** A value that is cached by itself, and that something else is made of. */
export interface Part {
  readonly tags: readonly string[]
  /** ms that it is fresh; negative where it is stale: what is made of it is not stored. */
  readonly ttl: number
  /** Whose it is: `null` where it is the same for everybody, `undefined` where nobody knows. */
  readonly scope: string | null | undefined
  /** Whether it depends on more of the context than whose it is. */
  readonly varies: boolean
  /** The clock of tags that it holds since; `Infinity` for what was computed in the course of what it is a part of. */
  readonly clock: number
}

/** Whether the part is the same for all who get what is kept for this scope. */
export function isFor({ scope: owner, varies }: Part, scope: string | null): boolean {
  return !varies && (owner === null || owner === scope)
}

/** By each of their tags, the clock that the oldest of the parts with it holds since. */
export function heldSince(parts: readonly Part[]): ReadonlyMap<string, number> {
  const since = new Map<string, number>()
  for (const { tags, clock } of parts) {
    for (const tag of tags) since.set(tag, Math.min(since.get(tag) ?? Number.POSITIVE_INFINITY, clock))
  }
  return since
}
