/** The server's clock, as well as it can be known here. */
export interface Clock {
  /** ms since the epoch. */
  now(): number
  /** Takes a reply that told the time; `sentAt` is by `performance.now()`. */
  set(seconds: number, microseconds: number, sentAt: number): void
}

/** ms: replies that took longer do not set the clock while what it was set by is no older than `LASTS`. */
const TRIP = 50
/** ms: a clock that is off by a ten-thousandth is off by 6 ms then. */
const LASTS = 60_000

export function createClock(): Clock {
  /** Server time less `performance.now()`, ms. */
  let offset = performance.timeOrigin
  /** By `performance.now()`. */
  let setAt = Number.NEGATIVE_INFINITY

  return {
    now: () => offset + performance.now(),
    set(seconds, microseconds, sentAt) {
      const serverTime = seconds * 1000 + microseconds / 1000
      const now = performance.now()
      // Of a long trip nobody knows when in it the server looked at its clock: what was known before is better.
      if (!Number.isFinite(serverTime) || (now - sentAt > TRIP && now - setAt < LASTS)) return
      offset = serverTime - (sentAt + now) / 2
      setAt = now
    },
  }
}
