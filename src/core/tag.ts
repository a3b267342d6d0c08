import { keyId } from './key.ts'

/**
 * Tags as the store knows them, each once: a tag is kept as it is, unless it could be taken for something else, and a
 * digest where it is longer than an id may be. Not of one `version` only: an invalidation reaches all deployments.
 *
 * @throws TypeError for what is not an array of well-formed strings
 */
export function tagIds(tags: readonly string[]): string[] {
  checkTags(tags)
  // A set would cost more than it saves on the one or two tags that most values have.
  const ids = tags.map((tag) => keyId(tag))
  return ids.length === 1 ? ids : [...new Set(ids)]
}

/** @throws TypeError for what is not an array of well-formed strings */
export function checkTags(tags: unknown): asserts tags is readonly string[] {
  if (!Array.isArray(tags))
    throw new TypeError(`tags must be an array of strings, got ${tags === null ? 'null' : typeof tags}`)
  for (const [i, tag] of tags.entries()) {
    if (typeof tag !== 'string')
      throw new TypeError(`tags[${i}] must be a string, got ${tag === null ? 'null' : typeof tag}`)
    // Two of them are the same bytes of UTF-8: what is tagged with one would be invalidated by the other, or by neither.
    if (!tag.isWellFormed())
      throw new TypeError(`tags[${i}] is not well-formed Unicode: it has half of a surrogate pair`)
  }
}
