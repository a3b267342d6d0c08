import { type ExecutionResult, GraphQLError } from 'graphql'
import type { Internals } from '../../core/internals.ts'
import type { Payload } from './incremental.ts'
import { withMetadata } from './metadata.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'
import type { Plan } from './plans.ts'
import { readResponse, withoutAdditionsIn } from './reading.ts'
import { relay } from './relay.ts'

/** Runs a mutation, and invalidates the responses that have what it returns, before its result leaves. */
export type Mutating = <A extends Execution>(args: A, execute: (args: A) => unknown, plan: Plan) => Promise<unknown>

export function createMutations(settings: ResponseCacheSettings, internals: Internals): Mutating {
  /** Throws only where the user wants that: the mutation is committed, and the instance tries again. */
  async function conclude(result: ExecutionResult, plan: Plan): Promise<ExecutionResult> {
    const { data, entities } = readResponse(result.data, plan.shape, undefined)
    const own = result.data === undefined ? result : { ...result, data: data as Record<string, unknown> | null }
    if (entities.size === 0) return own
    const error = await internals.invalidate({ tags: [...entities.keys()] })
    if (error !== undefined && settings.onInvalidateError === 'throw') {
      throw new GraphQLError('The mutation is done, but cached responses may be older than it.', {
        extensions: { code: 'INVALIDATION_UNCONFIRMED' },
      })
    }
    const metadata = settings.includeExtensionMetadata ? { invalidatedEntities: [...entities.values()] } : undefined
    return withMetadata(own, metadata)
  }

  return async (args, execute, plan) => {
    const given = await execute({ ...args, document: plan.document })
    const relayed = relay(given, {
      change: withoutAdditionsIn as (part: Payload) => Payload,
      last: (result) => conclude(result, plan),
    })
    if (relayed === undefined) return isResult(given) ? conclude(given, plan) : given
    relayed.whole.catch(() => undefined) // its reader is told by the parts
    return relayed.result
  }
}

/** Whatever else is in it: what it changed is to be invalidated. */
function isResult(given: unknown): given is ExecutionResult {
  return typeof given === 'object' && given !== null
}
