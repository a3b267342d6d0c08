import { type ExecutionResult, GraphQLError } from 'graphql'
import type { Internals } from '../../core/internals.ts'
import type { Payload } from './incremental.ts'
import { withMetadata } from './metadata.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'
import type { Plan } from './plans.ts'
import { type Entity, readResponse, withoutAdditionsIn } from './reading.ts'
import { relay } from './relay.ts'
import type { Shape } from './shapes.ts'

/** Runs a mutation, and invalidates the responses that have what it returns, before its result leaves. */
export type Mutating = <A extends Execution>(args: A, execute: (args: A) => unknown, plan: Plan) => Promise<unknown>

export function createMutations(settings: ResponseCacheSettings, internals: Internals): Mutating {
  /** The mutation is committed: its data are in the result also where the user wants an error. */
  async function conclude(result: ExecutionResult, plan: Plan): Promise<Concluded> {
    const { data, entities } = readResponse(result.data, plan.shape, undefined)
    const own = result.data === undefined ? result : { ...result, data: data as Record<string, unknown> | null }
    const invalidated = new Map([...lostEntities(result, plan.shape), ...entities])
    if (invalidated.size === 0) return { result: own }
    const error = await internals.invalidate({ tags: [...invalidated.keys()] })
    const metadata = settings.includeExtensionMetadata ? { invalidatedEntities: [...invalidated.values()] } : undefined
    const said = withMetadata(own, metadata)
    if (error === undefined || settings.onInvalidateError === 'retry') return { result: said }
    const told = unconfirmed()
    return { result: { ...said, errors: [...(said.errors ?? []), told] }, error: told }
  }

  return async (args, execute, plan) => {
    const given = await execute({ ...args, document: plan.document })
    const relayed = relay(given, {
      change: (part: Payload) => withoutAdditionsIn(part, plan.prefix),
      async last(whole) {
        const { error } = await conclude(whole, plan)
        if (error !== undefined) throw error
      },
    })
    if (relayed === undefined) return isResult(given) ? (await conclude(given, plan)).result : given
    relayed.whole.catch(() => undefined) // its reader is told by the parts
    return relayed.result
  }
}

interface Concluded {
  readonly result: ExecutionResult
  /** Where the user wants to know that it was not confirmed: it is among those of the result. */
  readonly error?: GraphQLError
}

/**
 * Types of objects that are not in the data because something in them failed: the mutation may have changed them before.
 * What is null itself is read with the data.
 */
function lostEntities({ data, errors = [] }: ExecutionResult, root: Shape): Map<string, Entity> {
  const lost = new Map<string, Entity>()
  if (data === undefined) return lost // nothing was run
  for (const { path = [] } of errors) {
    let value: unknown = data
    let shapes = [root]
    for (const step of path) {
      const inside = typeof value === 'object' && value !== null
      value = inside ? (value as Record<string | number, unknown>)[step] : undefined
      if (typeof step === 'number') continue
      const next = new Set<Shape>()
      for (const { rule, selection } of shapes.flatMap((shape) => shape.parts.filter(({ key }) => key === step))) {
        for (const typename of rule.returns) {
          if (!inside) lost.set(typename, { typename })
          const shape = selection?.shapeOf(typename)
          if (shape !== undefined) next.add(shape)
        }
      }
      shapes = widest([...next])
    }
  }
  return lost
}

/** Of one type at one place there is one shape; at many places of an error's path only so many are looked at. */
const MAX_SHAPES = 1000

function widest(shapes: Shape[]): Shape[] {
  return shapes.length > MAX_SHAPES ? shapes.slice(0, MAX_SHAPES) : shapes
}

function unconfirmed(): GraphQLError {
  return new GraphQLError('The mutation is done, but cached responses may be older than it.', {
    extensions: { code: 'INVALIDATION_UNCONFIRMED' },
  })
}

/** Whatever else is in it: what it changed is to be invalidated. */
function isResult(given: unknown): given is ExecutionResult {
  return typeof given === 'object' && given !== null
}
