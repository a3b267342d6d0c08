/** What comes within `limit` ms; `undefined` for what comes later, or fails. */
export function inTime<T>(promise: Promise<T>, limit: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    // Timers run before sockets are read: where the event loop was blocked the reply may be here already.
    const timer = setTimeout(() => setImmediate(resolve, undefined), limit)
    promise.then(resolve, () => resolve(undefined)).finally(() => clearTimeout(timer))
  })
}
