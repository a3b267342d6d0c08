import { createHash } from 'node:crypto'
import type { Bytes } from '../../core/codec.ts'

/** The strong entity tag of a representation, quotes included: the same bytes, the same tag (RFC 9110 §8.8.3). */
export function etagOf(content: Bytes): string {
  // 27 characters are 162 bits: no two contents share them by accident.
  return `"${createHash('sha256').update(content).digest('base64url').slice(0, 27)}"`
}

/**
 * Whether `If-None-Match` names this tag or is `*`, so that the answer is 304 (RFC 9110 §13.1.2). The comparison is the
 * weak one (§8.8.3.2): proxies that compress make strong tags weak. A field that is malformed anywhere matches nothing.
 *
 * @param etag of what would be sent, strong or weak, with quotes
 */
export function matchesEtag(ifNoneMatch: string | null | undefined, etag: string): boolean {
  if (ifNoneMatch === null || ifNoneMatch === undefined) return false
  if (ANY.test(ifNoneMatch)) return true
  const opaque = etag.replace(WEAK, '')
  // Mostly it names what was sent before a change: no need to read more of that.
  if (!ifNoneMatch.includes(opaque)) return false
  let read = 0
  let found = false
  for (const [member, tag] of ifNoneMatch.matchAll(MEMBER)) {
    read += member.length
    if (tag === opaque) found = true
  }
  return found && read === ifNoneMatch.length
}

const ANY = /^[ \t]*\*[ \t]*$/

const WEAK = /^W\//

/**
 * A member of the list, or none (§5.6.1.2), with the comma after it. A tag ends at the first quote: it has no escapes,
 * and may have commas (§8.8.3). Sticky, and no character fits two neighbouring parts: linear time on any input.
 */
const MEMBER = /[ \t]*(?:(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/gy
