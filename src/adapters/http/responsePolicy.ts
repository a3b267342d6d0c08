/** What caches on the way to the client, its own included, may do with a response. */
export interface ResponsePolicy {
  /** Caches that serve several users may keep it: `public`, else `private`. */
  readonly shared: boolean
  /** Seconds without asking again. `undefined`, and less than a whole one: each use must be validated (`no-cache`). */
  readonly maxAge: number | undefined
  /** Seconds after those, in which it may be served while it is asked for (RFC 5861 §3). Default: none. */
  readonly staleWhileRevalidate?: number | undefined
  /** `false`: nobody may keep it, and the rest does not count. */
  readonly store: boolean
}

/** The policy as a `Cache-Control` field (RFC 9111 §5.2.2), such as `private, max-age=42, stale-while-revalidate=10`. */
export function cacheControlOf(policy: ResponsePolicy): string {
  if (!policy.store) return 'no-store'
  const scope = policy.shared ? 'public' : 'private'
  const maxAge = wholeSeconds(policy.maxAge)
  // No stale-while-revalidate beside it: what must be validated is never served stale.
  if (maxAge === 0) return `${scope}, no-cache`
  const stale = wholeSeconds(policy.staleWhileRevalidate)
  return `${scope}, max-age=${maxAge}${stale === 0 ? '' : `, stale-while-revalidate=${stale}`}`
}

/** What all of the policies allow: for one response that holds several answers. Of none: not to be kept. */
export function strictest(policies: readonly ResponsePolicy[]): ResponsePolicy {
  return policies.length === 0 ? { shared: false, maxAge: undefined, store: false } : policies.reduce(stricter)
}

function stricter(a: ResponsePolicy, b: ResponsePolicy): ResponsePolicy {
  return {
    shared: a.shared && b.shared,
    maxAge: smaller(a.maxAge, b.maxAge),
    staleWhileRevalidate: smaller(a.staleWhileRevalidate, b.staleWhileRevalidate),
    store: a.store && b.store,
  }
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.min(a, b)
}

/** RFC 9111 §1.2.2: what is larger is sent as this. */
const MAX_SECONDS = 2 ** 31

/** Rounded down: never fresher than was said. 0 for what is no number of seconds. */
function wholeSeconds(seconds = 0): number {
  return seconds > 0 ? Math.min(Math.floor(seconds), MAX_SECONDS) : 0
}
