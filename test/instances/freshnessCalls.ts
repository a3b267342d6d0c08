import type { Cache, CacheEntry } from '../../src/index.ts'
import type { AskOptions, LoaderSpec } from './worker.ts'

/** What a worker does with what is kept fresh, warmed, or asked for together. */
export function freshnessCalls(cache: () => Cache, load: (key: string, spec: LoaderSpec) => Promise<unknown>) {
  return {
    entry: (key: string): Promise<CacheEntry | undefined> => cache().entry(key),

    /** One call of a loader for all of them that this process leads. */
    askMany: (keys: string[], spec: LoaderSpec = {}, options: AskOptions = {}): Promise<unknown[]> =>
      cache().getOrSetMany(keys, (missing) => Promise.all(missing.map((key) => load(key, spec))), options),

    async warm(keys: string[], spec: LoaderSpec = {}) {
      const { loaded, present, failed } = await cache().warm(keys, (key) => load(key, spec))
      return { loaded, present, failed: failed.map(({ key }) => key) }
    },

    /** Until the cache is closed. */
    keepFresh(key: string, spec: LoaderSpec = {}, options: AskOptions = {}): void {
      cache().keepFresh(key, () => load(key, spec), options)
    },
  }
}
