/** ms; about 285 years. Redis refuses an expiry that overflows its clock. */
const LONGEST = 2 ** 53 / 1000

/** As Redis takes it: whole ms, at least 1. */
export function wholeMs(duration: number): string {
  return String(Math.max(1, Math.ceil(duration)))
}

/** As `wholeMs`; empty for what has no end. */
export function expiryOf(ttl: number): string {
  return ttl >= LONGEST ? '' : wholeMs(ttl)
}
