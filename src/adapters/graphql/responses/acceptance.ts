import type { Times } from '../../../core/entry.ts'
import { ageOf, freshFor } from '../../../core/freshness.ts'
import type { Internals } from '../../../core/internals.ts'
import type { RequestDirectives } from '../../http/requestDirectives.ts'

/** What a request wants: what is there or is made, what is made from now on, or what is there, which is nothing. */
export type Wanted = 'any' | 'new' | 'none'

/**
 * What a request accepts by its directives (RFC 9111 §5.2.1). That a stale response may be answered is said by whoever keeps it, by
 * its windows: so one within `staleWhileRevalidate` is for `only-if-cached` too, and is refreshed behind that answer. With `max-age`
 * the client says that it wants nothing stale (§5.2.1.1), unless `max-stale` says how much it bears (§5.2.1.2), which is also less
 * than the windows where it is said alone.
 */
export async function wantedOf(
  internals: Pick<Internals, 'now' | 'peek'>,
  id: string,
  { noCache, maxAge, maxStale, onlyIfCached }: RequestDirectives,
): Promise<Wanted> {
  if (noCache) return onlyIfCached ? 'none' : 'new'
  if (!onlyIfCached && maxAge === undefined && maxStale === undefined) return 'any'
  let times: Times | undefined
  const look = (_stored: unknown, entry: Times) => {
    times = entry
    return true
  }
  const given = await internals.peek(id, look)
  const found = times as Times | undefined
  if (found === undefined) return onlyIfCached ? 'none' : 'any'
  const now = internals.now()
  const staleFor = -freshFor(found, now)
  const usable = given !== undefined || staleFor < found.staleWhileRevalidate
  const mostStale = maxStale ?? (maxAge === undefined ? Number.POSITIVE_INFINITY : 0)
  const accepted =
    staleFor <= mostStale * 1000 && ageOf(found.createdAt, now) <= (maxAge ?? Number.POSITIVE_INFINITY) * 1000
  if (onlyIfCached) return usable && accepted ? 'any' : 'none'
  return accepted ? 'any' : 'new'
}
