import type { Times } from './entry.ts'

/** How an entry may be used now. */
export type Freshness =
  /** As it is. */
  | 'fresh'
  /** As it is, and whoever uses it refreshes it, although it is fresh yet. */
  | 'early'
  /** At once, while it is refreshed (RFC 5861 §3). */
  | 'stale'
  /** In place of an error, or of a wait that is too long (RFC 5861 §4). */
  | 'fallback'
  /** Not at all. */
  | 'expired'

/**
 * How an entry may be used, by its times and the store's clock. What has neither windows nor β is fresh for as long as the store
 * has it: no clock is asked.
 *
 * Early is what XFetch refreshes: with a loader that takes `cost` ms, where `-cost × β × ln(random)` reaches the end of the ttl
 * (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015, §4). So of many who ask some
 * one will be early enough, and hardly two at once.
 *
 * @param now ms since the epoch
 * @param random at least 0, below 1
 */
export function freshnessOf(times: Times, now: () => number, random: () => number = Math.random): Freshness {
  const { createdAt, ttl, staleWhileRevalidate, staleIfError, cost, beta } = times
  const early = cost * beta
  if (staleWhileRevalidate === 0 && staleIfError === 0 && early === 0) return 'fresh'
  const left = createdAt + ttl - now()
  if (left > 0) return early > 0 && -early * Math.log(random()) >= left ? 'early' : 'fresh'
  if (-left < staleWhileRevalidate) return 'stale'
  return -left < staleIfError ? 'fallback' : 'expired'
}

/** ms from `createdAt` for which an entry is of any use: what the store keeps it for. */
export function lifeOf({ ttl, staleWhileRevalidate, staleIfError }: Times): number {
  return ttl + Math.max(staleWhileRevalidate, staleIfError)
}

/** ms that it is fresh for yet, by the store's clock; negative: since when it is stale. */
export function freshFor({ createdAt, ttl }: Pick<Times, 'createdAt' | 'ttl'>, now: number): number {
  // Clocks of two servers may differ by a little: nothing is younger than now.
  return ttl - ageOf(createdAt, now)
}

/** ms since then, by the store's clock. */
export function ageOf(createdAt: number, now: number): number {
  return Math.max(0, now - createdAt)
}
