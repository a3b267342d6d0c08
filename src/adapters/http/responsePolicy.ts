/** What caches on the way to the client, its own included, may do with a response. */
export interface ResponsePolicy {
  /** Caches that serve several users may keep it: `public`, else `private`. */
  readonly shared: boolean
  /** Seconds without asking again. `undefined`, and less than a whole one: each use must be validated (`no-cache`). */
  readonly maxAge: number | undefined
  /** Seconds after those, in which it may be served while it is asked for (RFC 5861 §3). Default: none. */
  readonly staleWhileRevalidate?: number | undefined
  /** Seconds after those, in which it may be served where who is asked fails (RFC 5861 §4). Default: none. */
  readonly staleIfError?: number | undefined
  /** `false`: nobody may keep it, and the rest does not count. */
  readonly store: boolean
}

/** The policy as a `Cache-Control` field (RFC 9111 §5.2.2), such as `private, max-age=42, stale-while-revalidate=10`. */
export function cacheControlOf(policy: ResponsePolicy): string {
  if (!policy.store) return 'no-store'
  const scope = policy.shared ? 'public' : 'private'
  const maxAge = wholeSeconds(policy.maxAge)
  // No windows beside it: what must be validated is never served stale.
  if (maxAge === 0) return `${scope}, no-cache`
  const windows = `${directive('stale-while-revalidate', policy.staleWhileRevalidate)}${directive('stale-if-error', policy.staleIfError)}`
  return `${scope}, max-age=${maxAge}${windows}`
}

/**
 * The policy as it is sent at this age in seconds, of which `Age` says the whole ones, and from which `max-age` counts (RFC 9111
 * §4.2). What is stale has a `maxAge` of 0 or less here, since when it is: it is sent with one that is over, and with those of its
 * windows that are not; where all are, each use must be validated.
 */
export function sentWithAge(policy: ResponsePolicy, age: number): ResponsePolicy {
  const { maxAge: left, staleWhileRevalidate, staleIfError } = policy
  if (left === undefined) return policy
  if (left >= 1) return { ...policy, maxAge: left + Math.floor(age) }
  const open = (window = 0) => (window + left >= 1 ? window : undefined)
  const windows = { staleWhileRevalidate: open(staleWhileRevalidate), staleIfError: open(staleIfError) }
  const isOver = windows.staleWhileRevalidate === undefined && windows.staleIfError === undefined
  return { ...policy, ...windows, maxAge: isOver ? undefined : left + age }
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
    staleIfError: smaller(a.staleIfError, b.staleIfError),
    store: a.store && b.store,
  }
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.min(a, b)
}

function directive(name: string, given: number | undefined): string {
  const seconds = wholeSeconds(given)
  return seconds === 0 ? '' : `, ${name}=${seconds}`
}

/** RFC 9111 §1.2.2: what is larger is sent as this. */
const MAX_SECONDS = 2 ** 31

/** Rounded down: never fresher than was said. 0 for what is no number of seconds. */
function wholeSeconds(seconds = 0): number {
  return seconds > 0 ? Math.min(Math.floor(seconds), MAX_SECONDS) : 0
}
