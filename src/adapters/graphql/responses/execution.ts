import { type ExecutionResult, getOperationAST } from 'graphql'
import { NO_WINDOWS, type Times } from '../../../core/entry.ts'
import { messageOf } from '../../../core/errors.ts'
import { internalsOf } from '../../../core/internals.ts'
import type { FoundUse, Order } from '../../../core/order.ts'
import { createPlans, type Plan } from '../documents/plans.ts'
import { mayHear, othersError } from '../results/failures.ts'
import { passingOf } from '../results/passing.ts'
import type { StoredResponse } from '../results/response.ts'
import { isWholeResult } from '../results/wholeResult.ts'
import { wantedOf } from './acceptance.ts'
import { type Admitted, createAdmission } from './admission.ts'
import type { Answer, Answering, Question } from './answer.ts'
import { createCallbacks } from './callbacks.ts'
import { type ResponseCacheMetadata, withMetadata } from './metadata.ts'
import { createMutations } from './mutations.ts'
import { type Execution, type ResponseCacheOptions, responseCacheSettings } from './options.ts'
import { responsePolicies } from './policy.ts'
import { type Renewal, takeRenewal } from './renewal.ts'
import { isWithin } from './resolverHints.ts'
import { createRun, type Run, UNSHARED, type Why } from './run.ts'
import { type Source, sharedAnswer } from './shared.ts'
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
  const { said, stored: policy } = responsePolicies(internals, settings.freshness)
  const ttl = settings.ttl ?? (typeof said.ttl === 'number' ? said.ttl : 60_000)
  const plans = createPlans(settings.rules, (problem) => {
    const { error } = problem
    if (problem.type === 'option') {
      const { option, coordinate } = problem
      internals.events.emit({ type: 'policyError', key: coordinate, option, error })
    } else internals.events.emit({ type: 'bypass', what: 'what has a bad hint', reason: error.message })
  })
  const admission = createAdmission(settings, internals)
  const callbacks = createCallbacks(settings, said, internals.events)
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
    const wanted = directives === undefined ? 'any' : await wantedOf(internals, admitted.id, directives)
    if (wanted === 'none') return NOT_STORED
    return askFor(question, plan, admitted, wanted === 'new')
  }

  /** A query that is run for its own client. */
  async function uncached<A extends Execution>(question: Question<A>, why: Why, detail?: string): Promise<Answer> {
    const answer = await forwarded(question, why, detail)
    if (!isWholeResult(answer.result)) return answer
    return { ...answer, result: withSaid(answer.result, { hit: false, didCache: false }) }
  }

  /** What this request asks for, and runs where nobody else does. */
  function begin<A extends Execution>({ args, execute }: Question<A>, plan: Plan, admitted: Admitted, forced: boolean) {
    const { id, key, scope } = admitted
    const found: { times?: Times; use?: FoundUse } = {}
    const run = createRun({
      plan,
      schema: args.schema,
      subject: { cache: options.cache, id },
      scope,
      why: () => (forced ? 'request' : found.times === undefined ? 'miss' : 'stale'),
      execute: (refreshing) => execute({ ...(refreshing ? unended(args) : args), document: plan.document }),
      isOutage: (result) => callbacks.isOutage(result, id),
      judge: (result, hints) =>
        judge(result, {
          id,
          plan,
          scope,
          context: args.contextValue,
          hints,
          ttl,
          jitter: said.jitter,
          now: internals.now(),
        }),
      refuse: () => admission.refuse(id),
      withSaid,
    })
    const order: Order = {
      id,
      key,
      shape: shapeOf(plan),
      policy,
      forced,
      // A name that clients choose is not that of one operation.
      asker: { scope, operation: `${shapeOf(plan)} ${plan.digests[1]}` },
      tags: run.tags,
      since: run.since,
      onFound(times, use) {
        found.times = times
        found.use = use
      },
      onStore: run.store,
    }
    return { run, order, found }
  }

  async function askFor<A extends Execution>(
    question: Question<A>,
    plan: Plan,
    admitted: Admitted,
    forced: boolean,
  ): Promise<Answer> {
    const { id, scope } = admitted
    const look = forced ? undefined : await internals.glance(id)
    const hit = look && internals.usable(id, look)
    if (hit !== undefined) return shared(hit.value as StoredResponse, scope, 'hit', hit.entry)
    const { run, order, found } = begin(question, plan, admitted, forced)
    const why: Why = forced ? 'request' : 'miss'
    const asked = internals.ask(order, run.load, run.leaving?.signal, look)
    let given: unknown
    try {
      given = await (run.leaving === undefined ? asked : Promise.race([asked, run.begun]))
      // What this request runs behind a stale answer has begun: that is none of its own.
      if (isStored(found.use)) given = await asked
    } catch (error) {
      const passing = passingOf(error)
      if (passing !== undefined) {
        if (run.made !== undefined) return run.made
        const { response } = passing
        if (response === undefined) return uncached(question, why)
        return shared(response, scope, found.times === undefined ? why : 'stale', undefined)
      }
      if (run.ran) throw error
      if (mayHear(error, said.shareError)) throw othersError(error)
      return uncached(question, why)
    }
    asked.catch(() => undefined) // after the beginning its reader is told by the parts
    const { times, use } = found
    if (times !== undefined && isStored(use)) return shared(given as StoredResponse, scope, use, times)
    // Who ran it gets its own, with what is for its own request only.
    if (run.made !== undefined) return run.made
    if (given === UNSHARED) return uncached(question, why)
    return shared(given as StoredResponse, scope, times === undefined ? why : 'stale', undefined)
  }

  /** `times` are those of what is stored, where that is known. */
  function shared(response: StoredResponse, scope: string | null, source: Source, times: Times | undefined): Answer {
    const { createdAt, ttl, failed } = response
    const { staleWhileRevalidate, staleIfError } = failed ? NO_WINDOWS : policy
    const made = times ?? { createdAt, ttl, staleWhileRevalidate, staleIfError }
    return sharedAnswer(response, source, scope, made, internals.now(), withSaid)
  }

  /** In the course of `keepFresh`: refreshed where that is due, for nobody who asks. */
  async function renewed(question: Question, renewal: Renewal): Promise<Answer> {
    try {
      await renew(question, renewal)
    } catch (error) {
      renewal.failure = { error }
    }
    return { result: { data: null }, outcome: { type: 'forwarded', why: 'bypass', detail: 'keepFresh' } }
  }

  /** @throws Error where it is not fresh, or can't be */
  async function renew(question: Question, { renew }: Renewal): Promise<void> {
    if (!isEnabled(question)) throw new Error('it is not cached: disabled')
    const plan = planOf(question.args)
    if (plan === undefined) throw new Error('it is not cached: no plan')
    const admitted = await admission.of(plan, question.args, question.scope)
    if (typeof admitted === 'string') throw new Error(`it is not cached: ${admitted}`)
    if (admitted.scope !== null)
      throw new Error('it is of a session: only what is the same for everybody is kept fresh')
    const { run, order } = begin(question, plan, admitted, false)
    try {
      await renew(order, run.load)
    } catch (error) {
      const [failure] = errorsOf(run)
      throw failure === undefined ? error : new Error(`${messageOf(error)}: ${failure.message}`, { cause: failure })
    }
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
    const renewal = takeRenewal(options.cache)
    if (renewal !== undefined) return renewed(question as unknown as Question, renewal)
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

/** Of what was run. */
function errorsOf({ made }: Run): readonly Error[] {
  return (made?.result as ExecutionResult | undefined)?.errors ?? []
}

/** Whether what was stored is the answer. */
function isStored(use: FoundUse | undefined): use is 'hit' | 'fallback' {
  return use === 'hit' || use === 'fallback'
}

/** Whoever asked may leave: what is run is for all who ask. */
function unended<A extends Execution>(args: A): A {
  const { signal: _yoga, abortSignal: _graphql17, ...rest } = args as A & { signal?: unknown; abortSignal?: unknown }
  return rest as A
}
