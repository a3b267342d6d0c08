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
export async function inTimeOrFail<T>(promise: Promise<T>, limit: number): Promise<T> {
  const settled = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  const result = (await inTime(settled, limit)) ?? { error: new StoreError('TIMEOUT', `no reply within ${limit} ms`) }
  if ('error' in result) throw result.error
  return result.value
}

/**
 * What comes within `limit` ms of each: of several servers one may be silent, and the others not. Rejects where all fail;
 * where only some do `fault` is told of one.
 */
export async function inTimeEach<T>(
  promises: readonly Promise<T>[],
  limit: number,
  fault: (error: unknown) => void,
): Promise<readonly (T | undefined)[]> {
  const results = await Promise.allSettled(promises.map((one) => inTimeOrFail(one, limit)))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined && results.every(({ status }) => status === 'rejected')) throw failed.reason
  if (failed !== undefined) fault(failed.reason)
  return results.map((result) => (result.status === 'fulfilled' ? result.value : undefined))
}
