/** ms: values end soon, so that nothing is left of them when the soak is over. */
export const TTL = 1000
/** ms. */
export const LEASE = 1000
/** Of the memory tier, which is full all the time. */
export const MEMORY = { maxEntries: 200, maxBytes: 1_000_000, ttl: TTL }
