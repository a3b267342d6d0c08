import { type ExecutionResult, GraphQLError } from 'graphql'
import type { Internals } from '../../core/internals.ts'
import { isIncremental, type Payload, relay } from './incremental.ts'
import { withMetadata } from './metadata.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'
import type { Plan } from './plans.ts'
import { readResponse, withoutAdditionsIn } from './reading.ts'
import { isWholeResult } from './results.ts'

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
    if (isWholeResult(given)) return conclude(given, plan)
    if (!isIncremental(given)) return given
    const { parts, whole } = relay({
      source: given,
      change: withoutAdditionsIn as (part: Payload) => Payload,
      last: (result) => conclude(result, plan),
    })
    whole.catch(() => undefined) // its reader is told by the parts
    return parts
  }
}
