import { EventEmitter, once } from 'node:events'
import type { Key, LoadContext } from '../../src/index.ts'

/** One run of a loader, which lasts until the test ends it. */
export interface Run<V> {
  readonly signal: AbortSignal
  readonly key: Key
  finish(value: V): void
  fail(error: unknown): void
}

/** A loader in the test's hands. */
export interface Origin<V> {
  load(context: LoadContext): Promise<V>
  readonly runs: readonly Run<V>[]
  /** The `nth` run; waits until it has started. */
  started(nth?: number): Promise<Run<V>>
}

export function createOrigin<V = string>(): Origin<V> {
  const runs: Run<V>[] = []
  const arrivals = new EventEmitter().setMaxListeners(0)
  return {
    runs,
    load: ({ signal, key }) =>
      new Promise((resolve, reject) => {
        runs.push({ signal, key, finish: resolve, fail: reject })
        arrivals.emit('run')
      }),
    async started(nth = 1) {
      while (runs.length < nth) await once(arrivals, 'run')
      return runs[nth - 1] as Run<V>
    },
  }
}
