import { courseOf } from '../../core/course.ts'
import type { Internals, Renew } from '../../core/internals.ts'

/** A procedure that `keepFresh` calls: where it comes to the cache it is renewed there, in the place of being answered. */
export interface Renewal {
  readonly internals: Internals
  readonly path: string
  readonly renew: Renew
  /** Whether it came to the cache. What its procedure asks for itself is answered as ever. */
  taken: boolean
  /** Rejects where it is not fresh; `undefined` as long as it has not come so far. */
  renewed: Promise<void> | undefined
}

/** The renewal in whose course a call is made. */
export const renewing = courseOf<Renewal>('trpc.renewing')

/** That of the call, once: of several caches in its chain the first one that is given to `keepFresh`. */
export function takeRenewal(internals: Internals, path: string): Renewal | undefined {
  const renewal = renewing.current
  if (renewal === undefined || renewal.taken || renewal.internals !== internals || renewal.path !== path)
    return undefined
  renewal.taken = true
  return renewal
}
