import type { ExecutionResult } from 'graphql'
import { freshFor } from '../../../core/freshness.ts'
import type { CacheOutcome } from '../../http/cacheStatus.ts'
import type { StoredResponse } from '../results/response.ts'
import { servedResult } from '../results/served.ts'
import type { Answer, Lifetime } from './answer.ts'
import type { ResponseCacheMetadata } from './metadata.ts'
import { tellOuter, tellPart } from './resolverHints.ts'
import type { Why } from './run.ts'

/** Where a response is from that was not made for this request. */
export type Source =
  /** It was stored, and is answered without the origin: fresh, or stale and refreshed behind that. */
  | 'hit'
  /** It was stored, and is answered in the place of what did not come. */
  | 'fallback'
  /** Another request has made it: why that was asked for. */
  | Why

/** An answer that is stored, or that another request has made. `now` is by the store's clock, as `times`. */
export function sharedAnswer(
  response: StoredResponse,
  source: Source,
  scope: string | null,
  times: Lifetime,
  now: number,
  withSaid: (result: ExecutionResult, metadata: ResponseCacheMetadata) => ExecutionResult,
): Answer {
  const isStored = response.ttl > 0
  const left = freshFor(times, now)
  const owner = response.private ? scope : null
  // Its resolvers, which say so, were not run in the course of what this is part of. That it is stale says nothing of the next one.
  const scopeHint = response.private ? 'PRIVATE' : undefined
  tellOuter({ maxAge: response.said && left > 0 ? left / 1000 : undefined, scope: scopeHint })
  if (left <= 0) tellPart(() => ({ tags: [], ttl: left, scope: owner, varies: false, clock: Number.POSITIVE_INFINITY }))
  return {
    result: withSaid(servedResult(response), metadataOf(source, isStored, left, times)),
    outcome: outcomeOf(source, isStored, left),
    scope,
    response: response.failed ? undefined : response,
    times,
  }
}

function metadataOf(source: Source, isStored: boolean, left: number, { ttl }: Lifetime): ResponseCacheMetadata {
  if (source === 'hit' || source === 'fallback') return left < 0 ? { hit: true, stale: true } : { hit: true }
  return isStored ? { hit: false, didCache: true, ttl } : { hit: false, didCache: false }
}

function outcomeOf(source: Source, isStored: boolean, left: number): CacheOutcome {
  switch (source) {
    case 'hit':
      return { type: 'hit', ttl: left }
    case 'fallback':
      return { type: 'forwarded', why: 'stale', ttl: left, detail: 'origin failed, slow or busy' }
    default:
      return { type: 'forwarded', why: source, collapsed: true, ...(isStored ? { ttl: left } : {}) }
  }
}
