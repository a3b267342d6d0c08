import {
  type ExecutionResult,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { speaksOfRights } from '../../../core/errors.ts'
import type { Internals } from '../../../core/internals.ts'
import type { Plan } from '../documents/plans.ts'
import { membersOf } from '../documents/rules.ts'
import type { Part, Shape } from '../documents/shapes.ts'
import { copyWithout, withoutPrefixed } from '../results/data.ts'
import type { Payload } from '../results/incremental.ts'
import { type Entity, readResponse } from '../results/reading.ts'
import { relay } from '../results/relay.ts'
import { withMetadata } from './metadata.ts'
import type { Execution, ResponseCacheSettings } from './options.ts'

/** Runs a mutation, and invalidates the responses that have what it returns, before its result leaves. */
export type Mutating = <A extends Execution>(args: A, execute: (args: A) => unknown, plan: Plan) => Promise<unknown>

export function createMutations(settings: ResponseCacheSettings, internals: Internals): Mutating {
  /** The mutation is committed: its data are in the result also where the user wants an error. */
  async function conclude(result: ExecutionResult, lost: ReadonlyMap<string, Entity>, plan: Plan): Promise<Concluded> {
    const read = readResponse(result.data, plan.shape, undefined)
    const { data } = read
    const done = withoutRefused(result)
    const { entities } = done === result.data ? read : readResponse(done, plan.shape, undefined)
    const own = result.data === undefined ? result : { ...result, data: data as Record<string, unknown> | null }
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
    const all = () => entitiesIn(plan, args.schema)
    const lostOf = (result: ExecutionResult) => (hasLost(result, plan.shape) ? all() : NONE)
    let given: unknown
    try {
      given = await execute({ ...args, document: plan.document })
    } catch (error) {
      // Ended by a deadline, or by a client that left, it may have changed anything before.
      await conclude({}, all(), plan)
      throw error
    }
    const relayed = await relay(given, {
      change: (part: Payload) => withoutPrefixed(part, plan.prefix),
      async before(whole, progress) {
        const { error } = await conclude(whole, progress === 'broken' ? all() : lostOf(whole), plan)
        if (progress !== 'begun' && error !== undefined) throw error
      },
    })
    if (relayed === undefined) return isResult(given) ? (await conclude(given, lostOf(given), plan)).result : given
    relayed.whole.catch(() => undefined) // its reader is told by the parts
    return relayed.result
  }
}

const NONE: ReadonlyMap<string, Entity> = new Map()

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
  if (data === undefined) return false // nothing was run (GraphQL §7.1.2)
  // A field that was refused may have taken others with it, which were run.
  if (data === null && (errors.length === 0 || root.parts.length > 1)) return true
  return errors.some((error) => !isRefused(error) && isLostAt(error.path, data, root))
}

/**
 * A field of the mutation itself that the client has no right to: it has done nothing, and costs others nothing. By what the
 * server says in `extensions`, not by a message, which may be that of another service, asked when something was done already.
 */
function isRefused({ path, extensions }: GraphQLError): boolean {
  return path?.length === 1 && speaksOfRights({ extensions })
}

/** The data without the fields of the mutation itself that the client has no right to: what is null there has not changed. */
function withoutRefused({ data, errors = [] }: ExecutionResult): unknown {
  const refused = new Set(errors.filter(isRefused).map(({ path }) => path?.[0]))
  return data && refused.size > 0 ? copyWithout(data, (key) => refused.has(key)) : data
}

function isLostAt(path: GraphQLError['path'], data: unknown, root: Shape): boolean {
  if (path === undefined) return true
  let value = data
  let shapes: ReadonlySet<Shape> = new Set([root])
  let isObject = true
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return isObject
    value = (value as Record<string | number, unknown>)[step]
    if (value === undefined) return true // of what was deferred, with all that should have come beside it
    if (typeof step === 'number') continue
    const parts = [...shapes].flatMap((shape) => shape.parts.filter(({ key }) => key === step))
    isObject = parts.some(({ selection }) => selection !== undefined)
    shapes = shapesOf(parts)
    if (shapes.size > MAX_SHAPES) return true
  }
  return isObject && value === null
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

/** The types of all that the fields of the operation may return, by tag. */
function entitiesIn({ document, executed }: Plan, schema: GraphQLSchema): ReadonlyMap<string, Entity> {
  const found = new Map<string, Entity>()
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  const types = new TypeInfo(schema)
  const visitor = visitWithTypeInfo(types, {
    Field() {
      const type = getNamedType(types.getType())
      if (!isCompositeType(type)) return
      for (const typename of membersOf(type, schema)) {
        if (!typename.startsWith('__')) found.set(typename, { typename })
      }
    },
    FragmentSpread({ name }) {
      const fragment = fragments.get(name.value)
      if (fragment === undefined) return
      fragments.delete(name.value) // once is enough
      visit(fragment, visitor)
    },
  })
  visit(executed, visitor)
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
