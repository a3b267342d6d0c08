import type { ExecutionResult, GraphQLSchema } from 'graphql'
import type { Times } from '../../../core/entry.ts'
import type { LoadContext } from '../../../core/order.ts'
import type { Plan } from '../documents/plans.ts'
import { withoutPrefixed } from '../results/data.ts'
import type { Payload } from '../results/incremental.ts'
import { PassingResult } from '../results/passing.ts'
import { relay } from '../results/relay.ts'
import { servedResult } from '../results/served.ts'
import { isWholeResult } from '../results/wholeResult.ts'
import type { Answer } from './answer.ts'
import type { ResponseCacheMetadata } from './metadata.ts'
import { heldSince, type Part } from './parts.ts'
import { type Hints, type Subject, withHints } from './resolverHints.ts'
import type { Verdict } from './verdict.ts'

/** Why an operation is run. */
export type Why = 'miss' | 'stale' | 'request' | 'bypass' | 'method'

/** What a loader returns where each must run the operation. */
export const UNSHARED = Object.freeze({ unshared: true })

/** One execution of a query, whose response may be for all who ask. */
export interface Run {
  /**
   * Runs it: what others get, a stored response or `UNSHARED`. It may be run behind the answer to its request, or go on behind it:
   * what it makes is not that answer then.
   *
   * @throws PassingResult for what is not stored this time, where a stale response is there
   */
  load(context: LoadContext): Promise<unknown>
  /** The response was sent to be stored, with these times. */
  store(times: Times): void
  /** The tags of the response. */
  tags(): readonly string[]
  /** What it is made of holds since then: as in the order. */
  since(): ReadonlyMap<string, number>
  /** Resolves when the first part of a response in parts is there: its reader need not wait for the whole. */
  readonly begun: Promise<void>
  /** Aborted when that reader leaves; only where there may be parts. */
  readonly leaving: AbortController | undefined
  /** Whether it was this request that ran it. */
  readonly ran: boolean
  /** The answer for the request that ran it, as soon as there is one. */
  readonly made: Answer | undefined
}

export interface RunOptions {
  readonly plan: Plan
  readonly schema: GraphQLSchema
  readonly subject: Subject
  readonly scope: string | null
  /** Asked when the result is there. */
  why(): Why
  /** `refreshing`: there is a stale response, so that it is not for the request alone. */
  execute(refreshing: boolean): unknown
  /** Whether a stale response is a better answer than the result. */
  isOutage(result: ExecutionResult): boolean
  judge(result: ExecutionResult, hints: Hints): Verdict
  /** The response is for nobody else, and the next one will hardly be. */
  refuse(): void
  withSaid(result: ExecutionResult, metadata: ResponseCacheMetadata): ExecutionResult
}

export function createRun(options: RunOptions): Run {
  const { plan, schema, subject, scope, execute, judge, refuse, withSaid } = options
  const leaving = plan.incremental ? new AbortController() : undefined
  let ran = false
  let made: Answer | undefined
  let kept: ((times: Times) => Answer) | undefined
  let tags: readonly string[] = []
  let parts: readonly Part[] = []
  let begin!: () => void
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })

  const forwarded = (result: unknown): Answer => ({ result, outcome: { type: 'forwarded', why: options.why() }, scope })

  function conclude({ own, response, lasting, passing, tags: found }: Verdict, stale: unknown): unknown {
    tags = found
    if (lasting) refuse()
    const isKept = response !== undefined && response.ttl > 0
    // Of a response in parts its reader has the parts.
    if (made === undefined) {
      made = forwarded(withSaid(own, { hit: false, didCache: false }))
      if (isKept) kept = (times) => keptAnswer(own, response, times)
    }
    if (passing && stale !== undefined) {
      throw new PassingResult({ outage: options.isOutage(own), response }, own.errors?.[0])
    }
    return response ?? UNSHARED
  }

  function keptAnswer(own: ExecutionResult, response: NonNullable<Verdict['response']>, times: Times): Answer {
    const { ttl } = times
    const result = own.extensions?.http !== undefined ? own : servedResult(response, own)
    return {
      result: withSaid(result, { hit: false, didCache: true, ttl }),
      outcome: { type: 'forwarded', why: options.why(), stored: true, ttl },
      scope,
      response: response.failed ? undefined : response,
      times,
      made: true,
    }
  }

  async function run({ signal, stale }: LoadContext, hints: Hints): Promise<unknown> {
    ran = true
    made = undefined
    kept = undefined
    parts = hints.parts
    const given = await execute(stale !== undefined)
    if (isWholeResult(given)) return conclude(judge(given, hints), stale)
    const relayed = await relay(given, {
      change: (part: Payload) => withoutPrefixed(part, plan.prefix),
      left: () => leaving?.abort(),
      signal,
    })
    // What is neither whole nor in parts nobody knows: it goes to its own client only.
    made = forwarded(relayed?.result ?? withoutPrefixed(given, plan.prefix))
    if (relayed === undefined) return UNSHARED
    begin()
    return conclude(judge(await relayed.whole, hints), stale)
  }

  return {
    load: (context) => withHints({ schema, operation: plan.executed }, subject, (hints) => run(context, hints)),
    store(times) {
      made = kept?.(times) ?? made
    },
    tags: () => tags,
    since: () => heldSince(parts),
    begun,
    leaving,
    get ran() {
      return ran
    },
    get made() {
      return made
    },
  }
}
