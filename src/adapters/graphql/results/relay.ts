import type { ExecutionResult } from 'graphql'
import { createMerger, type Payload } from './incremental.ts'

/** A result in parts, on its way to whoever asked for it. */
export interface Relay {
  /** For that one, in the form of what was given: it may take its time, or leave. */
  readonly result: unknown
  /** The whole, when the last part has come; rejects with what the source throws, or with the reason of `signal`. */
  readonly whole: Promise<ExecutionResult>
}

export type Progress = 'begun' | 'complete' | 'broken'

export interface RelayOptions {
  /** What is handed out of a part. */
  change(payload: Payload): Payload
  /**
   * Told of all that has come so far: awaited before the first part is handed out (`'begun'`), and before the last one is
   * (`'complete'`) or the end of a source that throws or has no last part (`'broken'`). What it throws the reader gets; it
   * must not throw when that has only begun.
   */
  before?(whole: ExecutionResult, progress: Progress): Promise<unknown>
  /** The reader has left before the end. */
  left?(): void
  /** Ends the source: nobody waits for the whole. */
  readonly signal?: AbortSignal
}

/** What executors give: all parts in one iterable; or, as graphql-js, the first part and an iterable of the others. */
type Given =
  | AsyncIterable<Payload>
  | { readonly initialResult: Payload; readonly subsequentResults: AsyncIterable<Payload> }

/**
 * Reads a result in parts to its end, whether its reader keeps up or not: others wait for the whole. `undefined` for what
 * does not come in parts.
 */
export async function relay(given: unknown, options: RelayOptions): Promise<Relay | undefined> {
  if (!isInParts(given)) return undefined
  const outlet = createOutlet(options.left ?? (() => {}))
  if (!('initialResult' in given)) return { result: outlet.parts, whole: pump(undefined, given, outlet, options) }
  const { initialResult, subsequentResults } = given
  const whole = pump(initialResult, subsequentResults, outlet, options)
  const merger = createMerger()
  merger.add(initialResult)
  await options.before?.(merger.result, 'begun')
  return { result: { initialResult: options.change(initialResult), subsequentResults: outlet.parts }, whole }
}

function isInParts(given: unknown): given is Given {
  if (typeof given !== 'object' || given === null) return false
  return Symbol.asyncIterator in given || ('initialResult' in given && 'subsequentResults' in given)
}

async function pump(
  first: Payload | undefined,
  source: AsyncIterable<Payload>,
  outlet: Outlet,
  { change, before = async () => {}, signal }: RelayOptions,
): Promise<ExecutionResult> {
  const merger = createMerger()
  const iterator = source[Symbol.asyncIterator]()
  let begun = first !== undefined
  let told = false

  async function tell(progress: Progress): Promise<void> {
    if (told) return
    told = progress !== 'begun'
    begun = true
    await before(merger.result, progress)
  }

  /** It is given up, whatever it says to that. */
  function stop(): void {
    const stopped = async () => iterator.return?.()
    stopped().catch(() => undefined)
  }

  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  try {
    if (first !== undefined) merger.add(first)
    for (;;) {
      const { done, value } = await iterator.next()
      signal?.throwIfAborted()
      if (done) break
      merger.add(value)
      if (value.hasNext === false) await tell('complete')
      else if (!begun) await tell('begun')
      outlet.push(change(value))
    }
    await tell('broken')
    outlet.end()
    return merger.result
  } catch (error) {
    stop()
    await tell('broken').catch(() => undefined) // the first error counts
    outlet.end({ error })
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** Parts on the way to one reader. */
interface Outlet {
  push(part: Payload): void
  /** Nothing comes after what was pushed, but the error. */
  end(failure?: { readonly error: unknown }): void
  /** Its `return` counts at once, also before the first part was asked for and while one is: that of a generator does not. */
  readonly parts: AsyncIterableIterator<Payload, undefined>
}

interface Waiting {
  resolve(result: IteratorResult<Payload, undefined>): void
  reject(error: unknown): void
}

function createOutlet(left: () => void): Outlet {
  const parts: Payload[] = []
  const waiting: Waiting[] = []
  let over = false
  let failure: { readonly error: unknown } | undefined

  function serve(): void {
    while (waiting.length > 0 && (parts.length > 0 || over)) {
      const reader = waiting.shift() as Waiting
      const part = parts.shift()
      if (part !== undefined) reader.resolve({ value: part, done: false })
      else if (failure === undefined) reader.resolve({ value: undefined, done: true })
      else reader.reject(failure.error)
      if (part === undefined) failure = undefined // an iterator fails once, and is done
    }
  }

  function leave(): void {
    parts.length = 0
    failure = undefined
    if (over) return
    over = true
    serve()
    left()
  }

  return {
    push(part) {
      if (over) return
      parts.push(part)
      serve()
    },
    end(how) {
      if (over) return
      over = true
      failure = how
      serve()
    },
    parts: {
      next: () =>
        new Promise((resolve, reject) => {
          waiting.push({ resolve, reject })
          serve()
        }),
      async return() {
        leave()
        return { value: undefined, done: true }
      },
      async throw(error) {
        leave()
        throw error
      },
      [Symbol.asyncIterator]() {
        return this
      },
    },
  }
}
