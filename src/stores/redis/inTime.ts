import { StoreError } from '../../core/errors.ts'

/** What comes within `limit` ms; `undefined` for what comes later, or fails. */
export function inTime<T>(promise: Promise<T>, limit: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    // Timers run before sockets are read: where the event loop was blocked the reply may be here already.
    const timer = setTimeout(() => setImmediate(resolve, undefined), limit)
    promise.then(resolve, () => resolve(undefined)).finally(() => clearTimeout(timer))
  })
}

/** As the promise; rejects as `TIMEOUT` where nothing comes within `limit` ms. */
export async function inTimeOrFail(promise: Promise<unknown>, limit: number): Promise<void> {
  let failure: unknown = new StoreError('TIMEOUT', `no reply within ${limit} ms`)
  const settled = promise.then(
    () => true,
    (error) => {
      failure = error
      throw error
    },
  )
  if ((await inTime(settled, limit)) !== true) throw failure
}
