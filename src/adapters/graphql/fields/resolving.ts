import type { GraphQLFieldResolver } from 'graphql'
import { notAsync } from '../../../core/checks.ts'
import type { Times } from '../../../core/entry.ts'
import { messageOf } from '../../../core/errors.ts'
import { freshFor } from '../../../core/freshness.ts'
import type { Internals } from '../../../core/internals.ts'
import type { Look } from '../../../core/lookup.ts'
import type { FoundUse, LoadContext, Order } from '../../../core/order.ts'
import { scopeOf } from '../../../core/scope.ts'
import { heldSince, type Part } from '../responses/parts.ts'
import { isHeard, isInField, tellPart, withFieldHints } from '../responses/resolverHints.ts'
import { mayHear, othersError } from '../results/failures.ts'
import { createKeeping, type Refused } from './keeping.ts'
import { isKept, type Kept, UNSHARED } from './kept.ts'
import type { FieldCall, FieldsSettings } from './options.ts'
import { type FieldOutcomes, noteOutcome } from './outcomes.ts'
import type { FieldPlan } from './plan.ts'
import { FailedMembers, settled } from './values.ts'

type Resolver = GraphQLFieldResolver<unknown, unknown>

/** What a resolver gave, and where it came from. */
interface Resolved {
  readonly value: unknown
  readonly outcome: keyof FieldOutcomes
  /** ms that it is fresh yet; 0 or less where it is stale. */
  readonly ttl: number
  /** Of what it is made of, besides its own. */
  readonly tags: readonly string[]
  /** As of a part. */
  readonly clock: number
}

/** What the resolver gave when it was run for all. */
interface Own {
  readonly value: unknown
}

/** The resolver of a cached field: in queries it asks the cache first; in all else it is the one that was there. */
export function cachedResolver(
  resolve: Resolver,
  plan: FieldPlan,
  { cache, session, strict }: FieldsSettings,
  internals: Internals,
  refused: Refused,
): Resolver {
  const { coordinate, what, revive } = plan
  const { events } = internals
  const keeping = createKeeping(plan, strict, events, refused)
  /** Whose the value is: as of a part. */
  function scopeFor(context: unknown): string | null | undefined {
    if (!plan.private) return null
    // Of `null` it is known that it is nobody's.
    return scopeOf(internals, what, 'session', () => session?.(context)) ?? undefined
  }

  /** The id of the value; `undefined` where it can't be had from the cache. */
  function idOf({ parent, args, context }: FieldCall, scope: string | null): string | undefined {
    try {
      const secret = [args, plan.parentOf(parent), scope, plan.variedBy(context), plan.schema]
      const id = internals.idOf(what, ['field', coordinate], secret)
      return id === undefined || refused.has(id) ? undefined : id
    } catch (error) {
      events.emit({ type: 'bypass', what, reason: messageOf(error) })
      return undefined
    }
  }

  function uncached(value: unknown): Resolved {
    return { value, outcome: 'uncached', ttl: keeping.ttlOf(value, what), tags: [], clock: Number.POSITIVE_INFINITY }
  }

  async function alone(run: () => unknown): Promise<Resolved> {
    return uncached(await run())
  }

  /**
   * What others have made, `left` ms fresh where it was stored before; the field is resolved for this request alone where that
   * can't be had.
   */
  function others(kept: Kept, id: string, left: number | undefined, run: () => unknown): Resolved | Promise<Resolved> {
    const { ttl = plan.ttl, tags = [], clock = 0, since = clock } = kept
    try {
      const value = revive === undefined ? kept.value : notAsync('revive', revive(kept.value as never))
      if (left === undefined) return { value, outcome: 'followed', ttl, tags, clock: since }
      return { value, outcome: left > 0 ? 'hit' : 'stale', ttl: left, tags, clock }
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'revive', error })
      return alone(run)
    }
  }

  /** Waits for nobody: who computes it may wait for the field in whose course this is. */
  async function peek(id: string, run: () => unknown): Promise<Resolved> {
    let left: number | undefined
    const kept = await internals.peek(id, (stored, entry) => {
      left = leftOf(entry)
      return isKept(stored)
    })
    return kept === undefined ? alone(run) : others(kept as Kept, id, left, run)
  }

  function leftOf(entry: Pick<Times, 'createdAt' | 'ttl'>): number {
    return freshFor(entry, internals.now())
  }

  /** What is done with its errors; one that nobody could invalidate is not stored. */
  function errorsOf(call: FieldCall): Pick<Order, 'policy' | 'errorTags'> {
    const { policy } = plan
    if (policy.errorTtl === 0) return { policy }
    try {
      return { policy, errorTags: plan.errorTagsOf(call) }
    } catch {
      return { policy: { ...policy, errorTtl: 0 } }
    }
  }

  /** What is stored; `undefined` where `ask` must decide. */
  function hit(id: string, look: Look, run: () => unknown): Resolved | Promise<Resolved> | undefined {
    const found = internals.usable(id, look)
    if (found === undefined) return undefined
    return isKept(found.value) ? others(found.value, id, leftOf(found.entry), run) : alone(run)
  }

  async function ask(
    id: string,
    scope: string | null,
    call: FieldCall,
    run: () => unknown,
    look: Look | undefined,
  ): Promise<Resolved> {
    let ran = false
    let led: number | undefined
    let parts: readonly Part[] = []
    let own: Own | undefined
    let failed: { readonly error: unknown } | undefined
    /** As of `others`: where it is known the answer is none of what is resolved here, which may go on behind it. */
    let left: number | undefined
    let stored: Times | undefined
    const order = {
      id,
      key: ['field', coordinate],
      shape: what,
      ...errorsOf(call),
      tags: (kept: unknown) => [...plan.tagsOf({ ...call, result: own?.value }), ...((kept as Kept).tags ?? [])],
      forced: false,
      asker: { scope, operation: what },
      since: () => heldSince(parts),
      onLead(clock: number | undefined) {
        led = clock
      },
      onFound(entry: Times, use: FoundUse) {
        if (use !== 'stale') left = leftOf(entry)
      },
      onStore(times: Times) {
        stored = times
      },
    }
    const load = ({ stale }: Pick<LoadContext, 'stale'>) => {
      const waits = () => left === undefined
      return withFieldHints({ cache, id }, waits, async (said) => {
        ran = true
        own = undefined
        failed = undefined
        parts = said.parts
        const flown = { id, scope, clock: led }
        let given: unknown
        try {
          given = await run()
          if (given instanceof Error) throw given // as executors take it
        } catch (error) {
          if (!keeping.isPersonal(said, flown)) throw error
          failed = { error } // it may tell of what is private
          return UNSHARED
        }
        const value = await settled(given)
        if (value instanceof FailedMembers) {
          own = { value: given }
          // All of what was there before may be better than a part.
          if (stale !== undefined && !keeping.isPersonal(said, flown)) throw value
          return UNSHARED
        }
        own = { value }
        return keeping.keptOf(value, flown, said)
      })
    }
    let kept: unknown
    try {
      kept = await internals.ask(order, load, undefined, look)
    } catch (error) {
      if (ran && left === undefined) {
        if (own !== undefined && error instanceof FailedMembers) return uncached((own as Own).value)
        throw error
      }
      if (mayHear(error, plan.shareError)) throw othersError(error)
      return alone(run)
    }
    if (ran && left === undefined) {
      if (failed !== undefined) throw (failed as { readonly error: unknown }).error
      const value = (own as Own | undefined)?.value
      if (!isKept(kept)) return uncached(value)
      const { ttl = plan.ttl, tags = [] } = kept
      const made = { value, tags, clock: Number.POSITIVE_INFINITY }
      if (stored === undefined) return { ...made, outcome: 'uncached', ttl }
      return { ...made, outcome: 'led', ttl: (stored as Times).ttl }
    }
    return isKept(kept) ? others(kept, id, left, run) : alone(run)
  }

  /** Tells the response that the value is for what it is made of. */
  function tell(call: FieldCall, scope: Part['scope'], { value, ttl, tags, clock }: Resolved): void {
    const { varies } = plan
    tellPart(() => {
      try {
        return { tags: [...plan.tagsOf({ ...call, result: value }), ...tags], ttl, scope, varies, clock }
      } catch {
        return { tags: [], ttl: 0, scope, varies, clock } // told by the flight: nobody knows how to invalidate it
      }
    })
  }

  function note(context: unknown, outcome: keyof FieldOutcomes): void {
    if (isHeard()) noteOutcome(context, coordinate, outcome)
  }

  function resolved(
    call: FieldCall,
    scope: Part['scope'],
    id: string | undefined,
    look: Look | undefined,
    run: () => unknown,
  ): Resolved | Promise<Resolved> {
    if (scope === undefined || id === undefined) return alone(run)
    if (isInField()) return peek(id, run)
    return (look && hit(id, look, run)) ?? ask(id, scope, call, run, look)
  }

  return async (parent, args, context, info) => {
    const run = () => resolve(parent, args, context, info)
    if (info.operation.operation !== 'query') {
      note(context, 'uncached')
      return run()
    }
    const call = { parent, args, context }
    const scope = scopeFor(context)
    const { varies } = plan
    // Before it is resolved: where that fails its error is as private.
    if (scope !== null || varies) {
      tellPart(() => ({ tags: [], ttl: Number.POSITIVE_INFINITY, scope, varies, clock: Number.POSITIVE_INFINITY }))
    }
    const id = scope === undefined ? undefined : idOf(call, scope)
    // A hit waits for nothing else: of a list each item is one.
    const look = id === undefined || isInField() ? undefined : await internals.glance(id)
    const coming = resolved(call, scope, id, look, run)
    const made = coming instanceof Promise ? await coming : coming
    note(context, made.outcome)
    tell(call, scope, made)
    return made.value
  }
}
