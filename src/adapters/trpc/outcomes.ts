import { courseOf } from '../../core/course.ts'
import type { CacheOutcome } from '../http/cacheStatus.ts'

/** How one call of a request was answered. */
export interface CallOutcome {
  /** Which call of the request: its `getRawInput`. Another one for calls that a procedure makes itself. */
  readonly call: object
  readonly outcome: CacheOutcome
  /** The answer is the same for everybody. */
  readonly public: boolean
  /** It depends on what `key` or `vary` say, of which HTTP caches know nothing. Default: `false`. */
  readonly varies?: boolean | undefined
  /** ms that the answer is fresh for, from now on; `undefined` where that is not known, or it is not kept. */
  readonly left: number | undefined
  /** ms since it was made. */
  readonly age: number
  /** Of the answer, where it is kept. */
  tags?(): readonly string[]
}

/** A text: a symbol could not be named in the declarations of whoever exports a router. */
const OUTCOMES = 'atomcache.outcomes'

/** What `cacheContext()` puts into a context: for `cacheHeaders` alone. */
export interface CacheContext {
  readonly [OUTCOMES]: object
}

/** To be spread into what `createContext` returns, so that `cacheHeaders` knows how the calls of the request were answered. */
export function cacheContext(): CacheContext {
  return { [OUTCOMES]: [] satisfies CallOutcome[] }
}

interface Collection {
  readonly outcomes: CallOutcome[]
  ended: boolean
}

/** What collects the outcomes of one request without its context. */
const collecting = courseOf<Collection>('trpc.outcomes')

/** Runs what answers a request; `outcomes` are there when it has ended. */
export async function collect<T>(run: () => Promise<T>): Promise<{ result: T; outcomes: readonly CallOutcome[] }> {
  const collection: Collection = { outcomes: [], ended: false }
  try {
    return { result: await collecting.run(collection, run), outcomes: collection.outcomes }
  } finally {
    collection.ended = true // what the request has started, such as a timer, may go on in its course for ever
  }
}

/** Of a WebSocket, whose context lives as long as it does, the latest are kept: nobody asks for them. */
const MAX_OUTCOMES = 1000

/** Notes how a call was answered, where somebody wants to know. */
export function note(ctx: unknown, outcome: CallOutcome): void {
  const outcomes = outcomesOf(ctx)
  outcomes?.push(outcome)
  if (outcomes !== undefined && outcomes.length > MAX_OUTCOMES) outcomes.shift()
  const collection = collecting.current
  if (collection?.ended === false) collection.outcomes.push(outcome)
}

/** How the calls of the request were answered; `undefined` without `cacheContext()`. */
export function outcomesOf(ctx: unknown): CallOutcome[] | undefined {
  return typeof ctx === 'object' && ctx !== null ? (ctx as { [OUTCOMES]?: CallOutcome[] })[OUTCOMES] : undefined
}
