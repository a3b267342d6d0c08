/** What is stored of a field. */
export interface Kept {
  readonly value: unknown
  /** ms, where its resolver, or what it is made of, said less than the field. */
  readonly ttl?: number
  /** Of what it is made of, besides its own. */
  readonly tags?: readonly string[]
}

/** In place of a value that is for nobody else. */
export const UNSHARED = Object.freeze({ unshared: true })

/** Whether it is that: whoever wrote what is in the store. */
export function isKept(stored: unknown): stored is Kept {
  if (typeof stored !== 'object' || stored === null || !('value' in stored)) return false
  const { ttl = 0, tags = [] } = stored as { ttl?: unknown; tags?: unknown }
  return typeof ttl === 'number' && Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')
}
