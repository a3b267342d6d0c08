/** What is stored of a field. */
export interface Kept {
  readonly value: unknown
  /** ms, where it is not that of the field: its resolver, or what it is made of, said less, or it is negative. */
  readonly ttl?: number
  /** Nothing was found: it is of no use when it is not fresh. */
  readonly negative?: true
  /** Of what it is made of, besides its own. */
  readonly tags?: readonly string[]
  /** The clock of tags when its flight began, where that is known: what is stored holds since then. */
  readonly clock?: number
  /** That of the oldest of what it is made of, where that is less: until it is stored it holds since then. */
  readonly since?: number
}

/** In place of a value that is for nobody else. */
export const UNSHARED = Object.freeze({ unshared: true })

/** Whether it is that: whoever wrote what is in the store. */
export function isKept(stored: unknown): stored is Kept {
  if (typeof stored !== 'object' || stored === null || !('value' in stored)) return false
  const { ttl = 0, tags = [], clock = 0, since = 0 } = stored as { [name in keyof Kept]?: unknown }
  const isList = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')
  return typeof ttl === 'number' && isList && Number.isFinite(clock) && Number.isFinite(since)
}
