import type { CacheOutcome } from '../http/cacheStatus.ts'

/** How one call of a request was answered. */
export interface CallOutcome {
  readonly outcome: CacheOutcome
  /** The answer is the same for everybody. */
  readonly public: boolean
  /** ms that the answer is fresh for, from now on; `undefined` where that is not known, or it is not kept. */
  readonly left: number | undefined
  /** ms since it was made. */
  readonly age: number
}

/** By a registered symbol: it stays in the context where middlewares copy it, and from one build to the other. */
const OUTCOMES = Symbol.for('atomcache.trpc.outcomes.1')

/** What `cacheContext()` puts into a context. */
export interface CacheContext {
  readonly [OUTCOMES]: CallOutcome[]
}

/** To be spread into what `createContext` returns, so that `cacheHeaders` knows how the calls of the request were answered. */
export function cacheContext(): CacheContext {
  return { [OUTCOMES]: [] }
}

/** Notes how a call was answered, where somebody wants to know. */
export function note(ctx: unknown, outcome: CallOutcome): void {
  outcomesOf(ctx)?.push(outcome)
}

/** How the calls of the request were answered; `undefined` without `cacheContext()`. */
export function outcomesOf(
  ctx: unknown,
): (readonly CallOutcome[] & { push(outcome: CallOutcome): number }) | undefined {
  return typeof ctx === 'object' && ctx !== null ? (ctx as Partial<CacheContext>)[OUTCOMES] : undefined
}
