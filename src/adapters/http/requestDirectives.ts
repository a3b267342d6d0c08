/**
 * What a request asks of caches (RFC 9111 §5.2.1). All of it is advice that a cache may leave aside; `min-fresh`,
 * `no-transform`, and `stale-if-error` of RFC 5861 are not read.
 */
export interface RequestDirectives {
  /** Not without asking the origin: compute anew. */
  readonly noCache: boolean
  /** Keep nothing of this request and its answer. */
  readonly noStore: boolean
  /** From the cache, or else 504. */
  readonly onlyIfCached: boolean
  /** Not older than so many seconds: 0 to 2^31. `undefined`: as old as it may be. */
  readonly maxAge: number | undefined
  /** Not stale for longer than so many seconds: 0 to 2^31; `Infinity` where any time will do. `undefined`: not said. */
  readonly maxStale: number | undefined
}

/** `undefined` where nothing is asked for, as in nearly all requests. */
export function requestDirectives(headers: { get(name: string): string | null }): RequestDirectives | undefined {
  const cacheControl = headers.get('cache-control')
  if (cacheControl !== null) return directivesOf(cacheControl)
  // Of HTTP/1.0, deprecated by RFC 9111 §5.4; it counts where there is no Cache-Control (RFC 7234 §5.4).
  const pragma = headers.get('pragma')
  return pragma !== null && directivesOf(pragma)?.noCache ? { ...NOTHING, noCache: true } : undefined
}

const NOTHING: RequestDirectives = {
  noCache: false,
  noStore: false,
  onlyIfCached: false,
  maxAge: undefined,
  maxStale: undefined,
}

function directivesOf(field: string): RequestDirectives | undefined {
  let { noCache, noStore, onlyIfCached, maxAge, maxStale } = NOTHING
  for (const member of field.match(MEMBERS) ?? []) {
    const equals = member.indexOf('=')
    const name = (equals === -1 ? member : member.slice(0, equals)).trim().toLowerCase()
    if (name === 'no-cache') noCache = true
    else if (name === 'no-store') noStore = true
    else if (name === 'only-if-cached') onlyIfCached = true
    else if (name === 'max-age') {
      const seconds = equals === -1 ? 0 : secondsOf(member.slice(equals + 1).trim())
      // Said twice, as where a proxy adds its own, the smaller one holds: it satisfies both.
      maxAge = Math.min(seconds, maxAge ?? seconds)
    } else if (name === 'max-stale') {
      const seconds = equals === -1 ? Number.POSITIVE_INFINITY : secondsOf(member.slice(equals + 1).trim())
      maxStale = Math.min(seconds, maxStale ?? seconds)
    }
  }
  const asked = noCache || noStore || onlyIfCached || maxAge !== undefined || maxStale !== undefined
  return asked ? { noCache, noStore, onlyIfCached, maxAge, maxStale } : undefined
}

/**
 * What stands between commas outside of quoted strings (RFC 9110 §5.6.4); a string without end goes to the end of the
 * field. Every alternative matches from where it begins, and nothing follows: no backtracking, linear time.
 */
const MEMBERS = /(?:[^",]+|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$))+/gs

/** RFC 9111 §1.2.2: what is larger counts as this. */
const MAX_SECONDS = 2 ** 31

/** delta-seconds, as a token or a quoted string (RFC 9111 §5.2). What is none counts as 0: everything is too old. */
function secondsOf(value: string): number {
  const quoted = /^"(.*)"$/s.exec(value)?.[1]
  const digits = quoted === undefined ? value : quoted.replace(/\\(.)/gs, '$1')
  return /^[0-9]+$/.test(digits) ? Math.min(Number(digits), MAX_SECONDS) : 0
}
