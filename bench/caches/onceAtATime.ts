/** One run for all callers of a key that ask while it goes on, in this process: what those without it get in front. */
export function onceAtATime<Rest extends unknown[], T>(
  run: (key: string, ...rest: Rest) => Promise<T>,
): (key: string, ...rest: Rest) => Promise<T> {
  /** What has come is taken out before: see `Underway` in src/core/lookup.ts. */
  const flights = new Map<string, { flight: Promise<T> | undefined }>()
  return (key, ...rest) => {
    const joined = flights.get(key)?.flight
    if (joined !== undefined) return joined
    const own: { flight: Promise<T> | undefined } = { flight: undefined }
    own.flight = run(key, ...rest).finally(() => {
      own.flight = undefined
      flights.delete(key)
    })
    flights.set(key, own)
    return own.flight
  }
}
