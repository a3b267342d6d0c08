import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import type { Internals } from '../../../core/internals.ts'
import type { Plan } from '../documents/plans.ts'
import { membersOf } from '../documents/rules.ts'
import type { Part, Shape } from '../documents/shapes.ts'
import { withoutPrefixed } from '../results/data.ts'
import type { Payload } from '../results/incremental.ts'
import { type Entity, readResponse } from '../results/reading.ts'
import { relay } from '../results/relay.ts'
import { withMetadata } from './metadata.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'

/** Runs a mutation, and invalidates the responses that have what it returns, before its result leaves. */
export type Mutating = <A extends Execution>(args: A, execute: (args: A) => unknown, plan: Plan) => Promise<unknown>

export function createMutations(settings: ResponseCacheSettings, internals: Internals): Mutating {
  /** The mutation is committed: its data are in the result also where the user wants an error. */
  async function conclude(result: ExecutionResult, plan: Plan, schema: GraphQLSchema): Promise<Concluded> {
    const { data, entities } = readResponse(result.data, plan.shape, undefined)
    const own = result.data === undefined ? result : { ...result, data: data as Record<string, unknown> | null }
    const lost = hasLost(result, plan.shape) ? entitiesIn(plan.document, schema) : []
    const invalidated = new Map([...lost, ...entities])
    if (invalidated.size === 0) return { result: own }
    const error = await internals.invalidate({ tags: [...invalidated.keys()] })
    const metadata = settings.includeExtensionMetadata ? { invalidatedEntities: [...invalidated.values()] } : undefined
    const said = withMetadata(own, metadata)
    if (error === undefined || settings.onInvalidateError === 'retry') return { result: said }
    const told = unconfirmed()
    return { result: { ...said, errors: [...(said.errors ?? []), told] }, error: told }
  }

  return async (args, execute, plan) => {
    const { schema } = args
    let given: unknown
    try {
      given = await execute({ ...args, document: plan.document })
    } catch (error) {
      // Ended by a deadline, or by a client that left, it may have changed anything before.
      const lost = [...entitiesIn(plan.document, schema).keys()]
      if (lost.length > 0) await internals.invalidate({ tags: lost })
      throw error
    }
    const relayed = await relay(given, {
      change: (part: Payload) => withoutPrefixed(part, plan.prefix),
      async before(whole, isLast) {
        const { error } = await conclude(whole, plan, schema)
        if (isLast && error !== undefined) throw error
      },
    })
    if (relayed === undefined) return isResult(given) ? (await conclude(given, plan, schema)).result : given
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
 * Whether objects are not in the data because something in them failed: the mutation may have changed them before. What is
 * null for another reason is read with the data.
 */
function hasLost({ data, errors = [] }: ExecutionResult, root: Shape): boolean {
  if (data === undefined) return false // nothing was run
  if (data === null) return true
  return errors.some(({ path }) => path !== undefined && isLostAt(path, data, root))
}

function isLostAt(path: readonly (string | number)[], data: unknown, root: Shape): boolean {
  let value = data
  let shapes: ReadonlySet<Shape> = new Set([root])
  let isObject = true
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return isObject
    value = (value as Record<string | number, unknown>)[step]
    if (typeof step === 'number') continue
    const parts = [...shapes].flatMap((shape) => shape.parts.filter(({ key }) => key === step))
    isObject = parts.some(({ selection }) => selection !== undefined)
    shapes = shapesOf(parts)
    if (shapes.size > MAX_SHAPES) return true
  }
  return isObject && (value === null || value === undefined)
}

/** Of one type at one place there is one shape; of more than so many, below abstract types, nobody wants to know. */
const MAX_SHAPES = 1000

function shapesOf(parts: readonly Part[]): ReadonlySet<Shape> {
  const shapes = new Set<Shape>()
  for (const { rule, selection } of parts) {
    for (const typename of rule.returns) {
      const shape = selection?.shapeOf(typename)
      if (shape !== undefined) shapes.add(shape)
    }
  }
  return shapes
}

/** The types of all that the fields of the document may return, by tag. */
function entitiesIn(document: DocumentNode, schema: GraphQLSchema): ReadonlyMap<string, Entity> {
  const found = new Map<string, Entity>()
  const types = new TypeInfo(schema)
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const type = getNamedType(types.getType())
        if (!isCompositeType(type)) return
        for (const typename of membersOf(type, schema))
          if (!typename.startsWith('__')) found.set(typename, { typename })
      },
    }),
  )
  return found
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
