/** What the cache did with a request, in the words of RFC 9211 §2. */
export type CacheOutcome = Hit | Forwarded | Refused

/** Answered without the origin (§2.1). */
export interface Hit {
  readonly type: 'hit'
  /** How long it stays fresh: ms; negative where it is stale, `Infinity` allowed. */
  readonly ttl: number
}

/** The origin was asked (§2.2). */
export interface Forwarded {
  readonly type: 'forwarded'
  /**
   * `'miss'`: nothing was there; `'stale'`: it was too old; `'request'`: the request asked for it (`no-cache`);
   * `'method'`: nothing one caches, such as a mutation; `'bypass'`: the cache was told to keep out.
   */
  readonly why: 'miss' | 'request' | 'stale' | 'bypass' | 'method'
  /** The answer was kept (§2.5). Default: `false`. */
  readonly stored?: boolean | undefined
  /** Another request's answer was waited for (§2.6). Default: `false`. */
  readonly collapsed?: boolean | undefined
  /** How long the answer is fresh: ms. Default: not said. */
  readonly ttl?: number | undefined
  /** For people: the first 100 characters, those outside of ASCII as `?`. Default: none. */
  readonly detail?: string | undefined
}

/** Neither: what is stored was all that was wanted, and it is not there (`only-if-cached`). */
export interface Refused {
  readonly type: 'refused'
  /** As that of `Forwarded`. */
  readonly detail: string
}

/** Our member of a `Cache-Status` field: `atomcache; fwd=miss; stored; ttl=60`. A ttl without end is not said. */
export function cacheStatusOf(outcome: CacheOutcome): string {
  switch (outcome.type) {
    case 'hit':
      return `atomcache; hit${ttlOf(outcome.ttl)}`
    case 'forwarded': {
      const { why, stored, collapsed, ttl, detail } = outcome
      const done = `${stored ? '; stored' : ''}${collapsed ? '; collapsed' : ''}`
      return `atomcache; fwd=${why}${done}${ttlOf(ttl)}${detail === undefined ? '' : `; detail=${quoted(detail)}`}`
    }
    case 'refused':
      return `atomcache; detail=${quoted(outcome.detail)}`
    default:
      return outcome satisfies never
  }
}

/** The field with our member at its end: the caches stand in it from the origin to the user (§2). */
export function appendCacheStatus(before: string | null, outcome: CacheOutcome): string {
  const others = before?.trim() ?? ''
  const ours = cacheStatusOf(outcome)
  return others === '' ? ours : `${others}, ${ours}`
}

/** An Integer has at most 15 digits (RFC 8941 §3.3.1). */
const MAX_INTEGER = 999_999_999_999_999

/** In whole seconds, as §2.4 has it, rounded down: -1 ms is stale. */
function ttlOf(ttl = Infinity): string {
  if (!Number.isFinite(ttl)) return ''
  return `; ttl=${Math.max(-MAX_INTEGER, Math.min(Math.floor(ttl / 1_000), MAX_INTEGER))}`
}

/** A String (RFC 8941 §3.3.3): ASCII without control characters, so that no text can begin a field of its own. */
function quoted(text: string): string {
  const shown = text.slice(0, 100).replace(/[^\x20-\x7e]/gu, '?')
  return `"${shown.replace(/["\\]/g, '\\$&')}"`
}
