import { show } from './checks.ts'
import type { Key } from './key.ts'

export interface WarmProgress {
  /** Keys that are done, the failed ones among them. */
  readonly done: number
  readonly failed: number
  readonly total: number
}

export interface WarmOptions {
  /** How many keys are asked for at once: an integer of at least 1. Default: 10. */
  concurrency?: number | undefined
  /** Called after each key; what it throws ends the warming. */
  onProgress?: ((progress: WarmProgress) => void) | undefined
}

export interface Warmed {
  /** Keys whose loader this instance ran. */
  readonly loaded: number
  /** Keys that were stored already, or that another instance computed meanwhile. */
  readonly present: number
  /** Keys that failed, and how. */
  readonly failed: readonly { readonly key: Key; readonly error: unknown }[]
}

/** The options of warming, and those of the calls. @throws TypeError or RangeError for bad ones */
export function warmOptions<O extends WarmOptions>(
  options: O,
): {
  readonly concurrency: number
  readonly onProgress: WarmOptions['onProgress']
  readonly rest: Omit<O, keyof WarmOptions>
} {
  const { concurrency = 10, onProgress, ...rest } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be an integer of at least 1, got ${show(concurrency)}`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new TypeError(`onProgress must be a function, got ${show(onProgress)}`)
  }
  return { concurrency, onProgress, rest }
}

/** Does it for each key, so many at once. `ask` says whether it ran the loader. */
export async function warmAll<K extends Key>(
  keys: readonly K[],
  { concurrency, onProgress, signal }: { concurrency: number; signal?: AbortSignal | undefined } & WarmOptions,
  ask: (key: K) => Promise<boolean>,
): Promise<Warmed> {
  const failed: { key: Key; error: unknown }[] = []
  let loaded = 0
  let done = 0
  const left = keys.values()

  async function work(): Promise<void> {
    for (const key of left) {
      signal?.throwIfAborted()
      try {
        if (await ask(key)) loaded++
      } catch (error) {
        signal?.throwIfAborted()
        failed.push({ key, error })
      }
      done++
      onProgress?.({ done, failed: failed.length, total: keys.length })
    }
  }

  await Promise.all(Array.from({ length: Math.min(concurrency, keys.length) }, work))
  return { loaded, present: done - loaded - failed.length, failed }
}
