import type { OperationDefinitionNode } from 'graphql'
import { LRUCache } from 'lru-cache'
import { messageOf } from '../../../core/errors.ts'
import type { Internals } from '../../../core/internals.ts'
import { type Scope, scopeOf } from '../../../core/scope.ts'
import type { Plan } from '../documents/plans.ts'
import { keyOf, type ResponseKey } from './key.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'
import { shapeOf } from './verdict.ts'

/** A query whose response may be had from the cache, or be made for all. */
export interface Admitted {
  readonly id: string
  /** What of its key may be seen. */
  readonly key: readonly unknown[]
  readonly scope: string | null
}

/** Which queries go to the cache, and under which key. */
export interface Admission {
  /** What is to be asked for; or why it is not. */
  of(plan: Plan, args: Execution, scope: (operation: OperationDefinitionNode) => Scope): Promise<Admitted | string>
  /** The response was for nobody else: for a while nobody waits for another's. */
  refuse(id: string): void
}

/** ms that an operation is run without the cache whose response was for nobody else. */
const REFUSED_FOR = 10_000
/** So many of them are remembered. */
const MAX_REFUSED = 1000

export function createAdmission(settings: ResponseCacheSettings, internals: Internals): Admission {
  const refused = new LRUCache<string, true>({ max: MAX_REFUSED, ttl: REFUSED_FOR })
  return {
    async of(plan, args, give) {
      const what = shapeOf(plan)
      if (plan.ttl !== undefined && plan.ttl <= 0) return 'ttl 0'
      const scope = scopeOf(internals, what, 'session', () => give(plan.operation))
      if (scope === undefined) return 'no session'
      let made: ResponseKey
      try {
        made = await keyOf(settings, plan, args, scope)
      } catch (error) {
        internals.events.emit({ type: 'bypass', what, reason: `its key can't be made: ${messageOf(error)}` })
        return 'no key'
      }
      const id = internals.idOf(what, made.key, made.secret)
      if (id === undefined) return 'no key'
      return refused.has(id) ? 'uncacheable' : { id, key: made.key, scope }
    },
    refuse: (id) => void refused.set(id, true),
  }
}
