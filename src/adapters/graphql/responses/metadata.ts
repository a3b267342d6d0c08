import type { ExecutionResult } from 'graphql'
import type { Entity } from '../results/reading.ts'

/** `extensions.responseCache` of a result, as @envelop/response-cache has it, and whether the answer was stale. */
export type ResponseCacheMetadata =
  | { readonly hit: true; readonly stale?: true }
  | { readonly hit: false; readonly didCache: false }
  /** ms. */
  | { readonly hit: false; readonly didCache: true; readonly ttl: number }
  | { readonly invalidatedEntities: readonly Entity[] }

/** The result with the metadata, anew; without, as it is. */
export function withMetadata(result: ExecutionResult, metadata: ResponseCacheMetadata | undefined): ExecutionResult {
  if (metadata === undefined) return result
  return { ...result, extensions: { ...result.extensions, responseCache: metadata } }
}
