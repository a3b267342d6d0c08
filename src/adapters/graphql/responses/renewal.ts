import type { Cache } from '../../../core/cache.ts'
import { courseOf } from '../../../core/course.ts'
import type { Renew } from '../../../core/internals.ts'

/** A response that is to be kept fresh, on its way to the cache. */
export interface Renewal {
  readonly cache: Cache
  readonly renew: Renew
  /** The operation has arrived: those that its resolvers ask are others. */
  taken: boolean
  /** Why it is not fresh. Not thrown: plugins make results of what is. */
  failure?: { readonly error: unknown }
}

const course = courseOf<Renewal>('renewal')

/** Runs the operation, whose response is to be refreshed. @throws what it was not refreshed for */
export async function renewing(cache: Cache, renew: Renew, execute: () => Promise<unknown>): Promise<void> {
  const renewal: Renewal = { cache, renew, taken: false }
  await course.run(renewal, execute)
  if (renewal.failure !== undefined) throw renewal.failure.error
}

/** The renewal in whose course an operation comes to this cache, for the first that does. */
export function takeRenewal(cache: Cache): Renewal | undefined {
  const renewal = course.current
  if (renewal === undefined || renewal.taken || renewal.cache !== cache) return undefined
  renewal.taken = true
  return renewal
}
