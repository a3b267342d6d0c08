import { AsyncLocalStorage } from 'node:async_hooks'

/** What is known in the course of a call, and of all that it calls and awaits. */
export interface Course<T> {
  /** What the innermost call was run with; `undefined` outside of all. */
  readonly current: T | undefined
  run<R>(value: T, call: () => Promise<R>): Promise<R>
  /** Calls it as outside of all. */
  outside<R>(call: () => R): R
}

interface Shared {
  readonly storage: AsyncLocalStorage<unknown>
  running: number
}

/**
 * The course of this name: one for the process, whether it is entered by the ESM or by the CommonJS build.
 *
 * It is on only while something runs: before Node 24 an `AsyncLocalStorage` that was used once slows every promise of the
 * process down, also those of hits, which need none of it.
 */
export function courseOf<T>(name: string): Course<T> {
  const shared = globalThis as { [key: symbol]: Shared | undefined }
  const symbol = Symbol.for(`atomcache.${name}.1`)
  shared[symbol] ??= { storage: new AsyncLocalStorage(), running: 0 }
  const course = shared[symbol]
  return {
    get current() {
      return course.storage.getStore() as T | undefined
    },
    outside: (call) => (course.storage.getStore() === undefined ? call() : course.storage.exit(call)),
    async run(value, call) {
      course.running++
      try {
        return await course.storage.run(value, call)
      } finally {
        course.running--
        if (course.running === 0) course.storage.disable()
      }
    },
  }
}
