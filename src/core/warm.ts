import { notAsync, show } from './checks.ts'
import type { Key } from './key.ts'
import { freshIn, valueIn } from './lookup.ts'
import type { Asking } from './many.ts'
import type { CallOptions, RequestOptions } from './options.ts'
import type { LoadContext } from './order.ts'

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

/** As `Cache.warm`. */
export async function warm<K extends Key, V>(
  { calls, idOf, policyOf }: Asking,
  keys: Iterable<K>,
  load: (key: K, context: LoadContext) => V | Promise<V>,
  options: WarmOptions & CallOptions<V> & RequestOptions = {},
): Promise<Warmed> {
  if (typeof keys?.[Symbol.iterator] !== 'function' || typeof keys === 'string') {
    throw new TypeError('warm takes a list of keys')
  }
  if (typeof load !== 'function') throw new TypeError('warm takes keys and a function that computes the value of one')
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, got ${show(options)}`)
  const { concurrency = 10, onProgress, ...rest } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be an integer of at least 1, got ${show(concurrency)}`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new TypeError(`onProgress must be a function, got ${show(onProgress)}`)
  }
  const policy = policyOf('warm', rest)
  const { signal, forceRefresh: forced = false } = rest
  const all = new Map([...keys].map((key) => [idOf(key), key]))
  const left = all.entries()
  const failed: { key: Key; error: unknown }[] = []
  let loaded = 0
  let done = 0
  /** By what `onProgress` threw, or the signal. */
  let ended = false

  /** Whether this instance ran its loader. */
  async function computed(id: string, key: K): Promise<boolean> {
    let ran = false
    const run = async (context: LoadContext) => {
      const value = await load(key, context)
      ran = true
      return value
    }
    const order = { id, key, policy, forced }
    const look = forced || !calls.enabled(id) ? undefined : await calls.look(id)
    const isStale = look !== undefined && valueIn(look) !== undefined && freshIn(look) === undefined
    if (!isStale) await calls.ask(order, run, signal, look)
    else {
      // What is stale would be answered, and refreshed behind the answer, by all at once.
      const refreshed = await calls.refresh(order, run, look)
      if (refreshed.type === 'failed') throw refreshed.error
    }
    return ran
  }

  async function warmOne(id: string, key: K): Promise<void> {
    try {
      if (await computed(id, key)) loaded++
    } catch (error) {
      signal?.throwIfAborted()
      failed.push({ key, error })
    }
    done++
    notAsync('onProgress', onProgress?.({ done, failed: failed.length, total: all.size }))
  }

  async function work(): Promise<void> {
    // All take from one iterator: each key is one's own.
    for (const [id, key] of left) {
      if (ended) return
      signal?.throwIfAborted()
      try {
        await warmOne(id, key)
      } catch (error) {
        ended = true
        throw error
      }
    }
  }

  await Promise.all(Array.from({ length: Math.min(concurrency, all.size) }, work))
  return { loaded, present: done - loaded - failed.length, failed }
}
