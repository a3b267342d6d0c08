import { GraphQLError, type GraphQLFieldResolver, isNonNullType } from 'graphql'
import { notAsync } from '../../../core/checks.ts'
import { isShareable, LoaderError, messageOf } from '../../../core/errors.ts'
import { fitOf } from '../../../core/fit.ts'
import type { Internals } from '../../../core/internals.ts'
import { scopeOf } from '../../../core/scope.ts'
import { type FieldHints, isWithin, tellPart, withFieldHints } from '../responses/resolverHints.ts'
import { toldOf } from '../results/failures.ts'
import { isKept, type Kept, UNSHARED } from './kept.ts'
import type { FieldCall, FieldsSettings } from './options.ts'
import { type FieldOutcomes, noteOutcome } from './outcomes.ts'
import type { FieldPlan } from './plan.ts'
import { FAILED, settled } from './values.ts'

type Resolver = GraphQLFieldResolver<unknown, unknown>

/** What a resolver gave, and where it came from. */
interface Resolved {
  readonly value: unknown
  readonly outcome: keyof FieldOutcomes
  /** ms that it is fresh; of what is not kept without an end. */
  readonly ttl: number
  /** Of what it is made of, besides its own. */
  readonly tags: readonly string[]
}

/** ms that a field is resolved without the cache after a value that can't be kept. */
const UNFIT_FOR = 10_000

const MEND = 'Return plain data, or say in the extensions of the field how to serialize and revive it'

/** The resolver of a cached field: in queries it asks the cache first; in all else it is the one that was there. */
export function cachedResolver(
  resolve: Resolver,
  plan: FieldPlan,
  { cache, session, strict }: FieldsSettings,
  internals: Internals,
): Resolver {
  const { coordinate, what, serialize, revive } = plan
  const { events } = internals
  /** By `performance.now()`. */
  let unfitUntil = 0
  let told = false

  /** The id of the value; `undefined` where it can't be had from the cache. */
  function idOf({ parent, args, context }: FieldCall): string | undefined {
    const scope = plan.private ? scopeOf(internals, what, 'session', () => session?.(context)) : null
    if (plan.private && typeof scope !== 'string') return undefined // it is known to be nobody's
    try {
      return internals.idOf(what, ['field', coordinate], [args, plan.parentOf(parent), scope, plan.variedBy(context)])
    } catch (error) {
      events.emit({ type: 'bypass', what, reason: messageOf(error) })
      return undefined
    }
  }

  /** The value as it can be kept; `UNSHARED` where each must resolve it. @throws TypeError with `strict`, for what can't be kept */
  function plainOf(value: unknown, id: string): unknown {
    let plain = value
    try {
      if (serialize !== undefined) plain = notAsync('serialize', serialize(value))
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'serialize', error })
      return UNSHARED
    }
    const fit = fitOf(plain)
    if (fit.type !== 'unfit') return plain
    const { reason, path } = fit
    if (strict) {
      const place = path === '' ? 'it is' : `its ${path} is`
      throw new TypeError(`@cached of ${coordinate}: its value can't be kept: ${place} ${reason}. ${MEND}`)
    }
    unfitUntil = performance.now() + UNFIT_FOR
    if (!told) events.emit({ type: 'uncacheable', key: id, shape: what, reason, path })
    told = true
    return UNSHARED
  }

  /** Whether what is shared by all turned out to be for the session that asked. */
  function isPersonal({ hints, parts }: FieldHints): boolean {
    return !plan.private && (hints.some(({ scope }) => scope === 'PRIVATE') || parts.some((part) => part.private))
  }

  function keptOf(value: unknown, id: string, { hints, parts }: FieldHints): unknown {
    const plain = plainOf(value, id)
    if (plain === UNSHARED || isPersonal({ hints, parts })) return UNSHARED
    const said = hints.map(({ maxAge }) => (maxAge === undefined ? Number.POSITIVE_INFINITY : maxAge * 1000))
    // It will be an error of the executor, and errors are not stored.
    const isRefused = isNonNullType(plan.type) && (value === null || value === undefined)
    const most = isRefused ? 0 : plan.ttl
    const ttl = [...said, ...parts.map((part) => part.ttl)].reduce((a, b) => Math.min(a, b), most)
    const tags = parts.flatMap((part) => part.tags)
    return {
      value: plain,
      ...(ttl < plan.ttl ? { ttl } : {}),
      ...(tags.length === 0 ? {} : { tags }),
    } satisfies Kept
  }

  async function alone(run: () => unknown): Promise<Resolved> {
    return { value: await run(), outcome: 'uncached', ttl: Number.POSITIVE_INFINITY, tags: [] }
  }

  async function ask(id: string, call: FieldCall, run: () => unknown): Promise<Resolved> {
    let ran = false
    let own: { readonly value: unknown } | undefined
    let failed: { readonly error: unknown } | undefined
    let left: number | undefined
    let stored = false
    const order = {
      id,
      key: ['field', coordinate],
      shape: what,
      policy: plan.policy,
      tags: (kept: unknown) => [...plan.tagsOf({ ...call, result: own?.value }), ...((kept as Kept).tags ?? [])],
      forced: false,
      onHit({ createdAt, ttl }: { readonly createdAt: number; readonly ttl: number }) {
        left = createdAt + ttl - internals.now()
      },
      onStore() {
        stored = true
      },
    }
    const load = () =>
      withFieldHints({ cache, id }, async (said) => {
        ran = true
        own = undefined
        failed = undefined
        let given: unknown
        try {
          given = await run()
          if (given instanceof Error) throw given // as executors take it
        } catch (error) {
          if (!isPersonal(said)) throw error
          failed = { error } // it may tell of what is private
          return UNSHARED
        }
        const value = await settled(given)
        own = { value: value === FAILED ? given : value }
        return value === FAILED ? UNSHARED : keptOf(value, id, said)
      })
    let kept: unknown
    try {
      kept = await internals.ask(order, load, undefined)
    } catch (error) {
      if (ran) throw error
      if (isShareable(error)) throw othersError(error)
      return alone(run) // it may speak of the rights of another caller
    }
    const { ttl = plan.ttl, tags = [] } = isKept(kept) ? kept : {}
    if (ran) {
      if (failed !== undefined) throw (failed as { readonly error: unknown }).error
      const value = (own as { readonly value: unknown } | undefined)?.value
      return { value, outcome: stored ? 'led' : 'uncached', ttl: isKept(kept) ? ttl : Number.POSITIVE_INFINITY, tags }
    }
    if (!isKept(kept)) return alone(run)
    try {
      const value = revive === undefined ? kept.value : notAsync('revive', revive(kept.value as never))
      return { value, outcome: left === undefined ? 'followed' : 'hit', ttl: left ?? ttl, tags }
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'revive', error })
      return alone(run)
    }
  }

  /** Tells the response that the value is for what it is made of. */
  function tell(call: FieldCall, { value, ttl, tags }: Resolved): void {
    tellPart(() => {
      try {
        const all = [...plan.tagsOf({ ...call, result: value }), ...tags]
        return { tags: all, ttl, private: plan.private }
      } catch {
        return { tags: [], ttl: 0, private: plan.private } // told by the flight: nobody knows how to invalidate it
      }
    })
  }

  return async (parent, args, context, info) => {
    const run = () => resolve(parent, args, context, info)
    if (info.operation.operation !== 'query') return run()
    const call = { parent, args, context }
    // Before it is resolved: where that fails its error is as private.
    if (plan.private) tellPart(() => ({ tags: [], ttl: Number.POSITIVE_INFINITY, private: true }))
    const id = performance.now() < unfitUntil ? undefined : idOf(call)
    const resolved = id === undefined || isWithin({ cache, id }) ? await alone(run) : await ask(id, call, run)
    noteOutcome(context, coordinate, resolved.outcome)
    tell(call, resolved)
    return resolved.value
  }
}

/** What was thrown for another caller, as it may be told: masked where that was, and without headers for that one. */
function othersError(error: unknown): unknown {
  if (!(error instanceof GraphQLError) && !(error instanceof LoaderError && error.name === 'GraphQLError')) return error
  const { message } = error
  const originalError = error instanceof GraphQLError ? error.originalError : undefined
  return new GraphQLError(message, { extensions: toldOf(error.extensions), originalError })
}
