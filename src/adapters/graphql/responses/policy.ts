import type { Internals } from '../../../core/internals.ts'
import type { Policy } from '../../../core/options.ts'
import { isOutageError } from '../results/failures.ts'
import { PassingResult, passingOf } from '../results/passing.ts'
import { responseCodec, type StoredResponse } from '../results/response.ts'
import type { ResponseFreshness } from './options.ts'
import { UNSHARED } from './run.ts'

/** How responses are kept, and what the cache's own functions, which are about its other values, say of what operations fail with. */
export interface ResponsePolicies {
  readonly stored: Policy
  readonly said: Policy
}

/** @throws TypeError or RangeError for bad options */
export function responsePolicies(internals: Internals, freshness: ResponseFreshness): ResponsePolicies {
  const said = internals.policy(freshness)
  const { shareError, isOutage } = said
  const own = {
    ttl: (response: StoredResponse) => response.ttl,
    shouldCache: (response: unknown) => response !== UNSHARED,
    codec: responseCodec,
    // What the cache has for nothing found is about other values.
    isNegative: () => false,
    // What an operation throws is not stored: a result with errors may be, where shouldCacheResult says so.
    errorTtl: 0,
    // The response has it already: it is the same for who stores it and who waits for it.
    jitter: 0,
    shareError: (error: unknown) => (error instanceof PassingResult ? error.shareable : shareError(error)),
    isOutage: (error: unknown) => passingOf(error)?.outage ?? isOutageError(error, isOutage),
  }
  // An old error is no better than none.
  const neverStale = (response: unknown) => (response as StoredResponse).failed
  // A part of the result has an error: that says little of the whole.
  const outdates = () => false
  const stored = { ...internals.policy({ ...freshness, ...(own as object) }), neverStale, outdates }
  return { said, stored: Object.freeze(stored) }
}
