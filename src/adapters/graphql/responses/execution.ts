import { type ExecutionResult, getOperationAST } from 'graphql'
import { messageOf } from '../../../core/errors.ts'
import { type Internals, internalsOf } from '../../../core/internals.ts'
import type { Policy } from '../../../core/options.ts'
import type { FoundUse } from '../../../core/trip.ts'
import type { CacheOutcome } from '../../http/cacheStatus.ts'
import type { RequestDirectives } from '../../http/requestDirectives.ts'
import { createPlans, type Plan } from '../documents/plans.ts'
import { mayHear, othersError } from '../results/failures.ts'
import { responseCodec, type StoredResponse } from '../results/response.ts'
import { servedResult } from '../results/served.ts'
import { isWholeResult } from '../results/wholeResult.ts'
import { type Admitted, createAdmission } from './admission.ts'
import type { Answer, Answering, Question } from './answer.ts'
import { createCallbacks } from './callbacks.ts'
import { type ResponseCacheMetadata, withMetadata } from './metadata.ts'
import { createMutations } from './mutations.ts'
import { type Execution, type ResponseCacheOptions, responseCacheSettings } from './options.ts'
import { isWithin, tellOuter } from './resolverHints.ts'
import { createRun, UNSHARED, type Why } from './run.ts'
import { createJudge, shapeOf } from './verdict.ts'

/** For a request that wants what is stored, and nothing else. */
const NOT_STORED: Answer = Object.freeze({
  result: undefined,
  outcome: Object.freeze({ type: 'refused', detail: 'not stored' } as const),
})

/**
 * @param who has these options, for messages
 * @param own names of options of the plugin's own
 * @throws TypeError or RangeError for bad options
 */
export function answering(who: string, options: ResponseCacheOptions<never>, own: readonly string[]): Answering {
  const settings = responseCacheSettings(who, options, own)
  const internals = internalsOf(options.cache)
  const policy = internals.policy(POLICY)
  const { ttl: usual } = internals.policy({})
  const ttl = settings.ttl ?? (typeof usual === 'number' ? usual : 60_000)
  const plans = createPlans(settings.rules, (problem) => {
    const { error } = problem
    if (problem.type === 'option') {
      const { option, coordinate } = problem
      internals.events.emit({ type: 'policyError', key: coordinate, option, error })
    } else internals.events.emit({ type: 'bypass', what: 'what has a bad hint', reason: error.message })
  })
  const admission = createAdmission(settings, internals)
  const callbacks = createCallbacks(settings, policy.shareError, internals.events)
  const judge = createJudge(settings, callbacks, internals.events)
  const mutate = createMutations(settings, internals)
  const withSaid = (result: ExecutionResult, metadata: ResponseCacheMetadata) =>
    withMetadata(result, settings.includeExtensionMetadata ? metadata : undefined)

  async function query<A extends Execution>(question: Question<A>, plan: Plan): Promise<Answer> {
    const { args, directives } = question
    if (directives?.noStore) return directives.onlyIfCached ? NOT_STORED : uncached(question, 'request')
    const admitted = await admission.of(plan, args, question.scope)
    if (typeof admitted === 'string') {
      return directives?.onlyIfCached ? NOT_STORED : uncached(question, 'bypass', admitted)
    }
    // Behind another plugin of the same cache, or asked for by a resolver of it.
    if (isWithin({ cache: options.cache, id: admitted.id })) return uncached(question, 'bypass', 'nested')
    question.planned?.(plan, admitted)
    const fresh = directives === undefined ? 'any' : await freshness(admitted, directives)
    if (fresh === 'none') return NOT_STORED
    return askFor(question, plan, admitted, fresh === 'new')
  }

  /** A query that is run for its own client. */
  async function uncached<A extends Execution>(question: Question<A>, why: Why, detail?: string): Promise<Answer> {
    const answer = await forwarded(question, why, detail)
    if (!isWholeResult(answer.result)) return answer
    return { ...answer, result: withSaid(answer.result, { hit: false, didCache: false }) }
  }

  /** What a request wants: what is there or is made, what is made from now on, or what is there, which is nothing. */
  async function freshness(
    { id }: Admitted,
    { noCache, maxAge, onlyIfCached }: RequestDirectives,
  ): Promise<'any' | 'new' | 'none'> {
    if (!onlyIfCached && maxAge === undefined) return noCache ? 'new' : 'any'
    const stored = noCache ? undefined : ((await internals.peek(id, () => true)) as StoredResponse | undefined)
    const age = stored === undefined ? Number.POSITIVE_INFINITY : internals.now() - stored.createdAt
    if (age <= (maxAge ?? Number.POSITIVE_INFINITY) * 1000 && stored !== undefined) return 'any'
    if (onlyIfCached) return 'none'
    return noCache || stored !== undefined ? 'new' : 'any'
  }

  async function askFor<A extends Execution>(
    question: Question<A>,
    plan: Plan,
    admitted: Admitted,
    forced: boolean,
  ): Promise<Answer> {
    const { id, key, scope } = admitted
    const why = forced ? 'request' : 'miss'
    const glance = forced ? undefined : await internals.glance(id)
    if (glance?.hit !== undefined) return shared(glance.hit.value as StoredResponse, scope, 'hit')
    let hit = false
    const { args, execute } = question
    const run = createRun({
      plan,
      schema: args.schema,
      subject: { cache: options.cache, id },
      scope,
      why,
      execute: () => execute({ ...args, document: plan.document }),
      judge: (result, hints) =>
        judge(result, { id, plan, scope, context: args.contextValue, hints, ttl, now: internals.now() }),
      refuse: () => admission.refuse(id),
      withSaid,
    })
    const onFound = (_: unknown, use: FoundUse) => {
      hit = use === 'hit'
    }
    const order = {
      id,
      key,
      shape: shapeOf(plan),
      policy,
      forced,
      tags: run.tags,
      since: run.since,
      onFound,
      onStore: run.store,
    }
    const asked = internals.ask(order, run.load, run.leaving?.signal, glance?.look)
    let given: unknown
    try {
      given = await (run.leaving === undefined ? asked : Promise.race([asked, run.begun]))
    } catch (error) {
      if (run.ran) throw error
      if (mayHear(error, policy.shareError)) throw othersError(error)
      return uncached(question, why)
    }
    asked.catch(() => undefined) // after the beginning its reader is told by the parts
    // Who ran it gets its own, with what is for its own request only.
    if (run.made !== undefined) return run.made
    if (given === UNSHARED) return uncached(question, why)
    return shared(given as StoredResponse, scope, hit ? 'hit' : why)
  }

  /** What is stored, or another request has made. */
  function shared(response: StoredResponse, scope: string | null, why: 'hit' | Why): Answer {
    const hit = why === 'hit'
    const left = response.createdAt + response.ttl - internals.now()
    const stored = response.ttl > 0
    // Its resolvers, which say so, were not run in the course of what this is part of.
    tellOuter({ maxAge: response.said ? left / 1000 : undefined, scope: response.private ? 'PRIVATE' : undefined })
    const result = withSaid(
      servedResult(response),
      hit ? { hit } : stored ? { hit, didCache: stored, ttl: response.ttl } : { hit, didCache: stored },
    )
    const outcome: CacheOutcome =
      why === 'hit'
        ? { type: 'hit', ttl: left }
        : { type: 'forwarded', why, collapsed: true, ...(stored ? { ttl: left } : {}) }
    return { result, outcome, scope, response: response.failed ? undefined : response }
  }

  function isEnabled({ enabled }: Question): boolean {
    try {
      return enabled()
    } catch (error) {
      internals.events.emit({ type: 'bypass', what: 'a request', reason: `enabled failed: ${messageOf(error)}` })
      return false
    }
  }

  function planOf({ schema, document, operationName }: Execution): Plan | undefined {
    try {
      return plans.of(schema, document, operationName)
    } catch (error) {
      internals.events.emit({ type: 'bypass', what: 'an operation', reason: `it has no plan: ${messageOf(error)}` })
      return undefined
    }
  }

  return async (question) => {
    const { document, operationName } = question.args
    const isQuery = getOperationAST(document, operationName)?.operation === 'query'
    // What a mutation changes others may have in the cache: it is invalidated for whomever the cache is off.
    if (isQuery && !isEnabled(question as unknown as Question)) return forwarded(question, 'bypass', 'disabled')
    const plan = planOf(question.args)
    if (plan === undefined) return forwarded(question, isQuery ? 'bypass' : 'method')
    if (isQuery) return query(question, plan)
    if (!settings.invalidateViaMutation) return forwarded(question, 'method')
    const result = await mutate(question.args, question.execute, plan)
    return { result, outcome: { type: 'forwarded', why: 'method' } }
  }
}

async function forwarded<A extends Execution>(
  { args, execute }: Question<A>,
  why: Why,
  detail?: string,
): Promise<Answer> {
  return {
    result: await execute(args),
    outcome: { type: 'forwarded', why, ...(detail === undefined ? {} : { detail }) },
  }
}

const POLICY = {
  ttl: (response: StoredResponse) => response.ttl,
  shouldCache: (response: unknown) => response !== UNSHARED,
  codec: responseCodec,
} as unknown as Parameters<Internals['policy']>[0] & Partial<Policy>
