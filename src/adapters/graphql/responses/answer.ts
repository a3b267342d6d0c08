import type { OperationDefinitionNode } from 'graphql'
import type { Times } from '../../../core/entry.ts'
import type { Scope } from '../../../core/scope.ts'
import type { CacheOutcome } from '../../http/cacheStatus.ts'
import type { RequestDirectives } from '../../http/requestDirectives.ts'
import type { Plan } from '../documents/plans.ts'
import type { StoredResponse } from '../results/response.ts'
import type { Admitted } from './admission.ts'
import type { Execution } from './options.ts'

/** An operation that is to be answered. */
export interface Question<A extends Execution = Execution> {
  readonly args: A
  execute(args: A): unknown
  /** Whether the cache has anything to do with it. */
  enabled(): boolean
  /** Whose data the answer is. */
  scope(operation: OperationDefinitionNode): Scope
  /** Told how it is run, where its answer may come from the cache. */
  planned?(plan: Plan, admitted: Admitted): void
  /** What the request says about caches; `undefined` for nothing, or where nobody listens. */
  readonly directives?: RequestDirectives | undefined
}

/** A result, and where it is from. */
export interface Answer {
  /** For whoever asked alone: it may write into it. `undefined` where the request wants it from the cache only, and it is not there. */
  readonly result: unknown
  readonly outcome: CacheOutcome
  /** Whose it is; `undefined` where that is not known, or was not asked. */
  readonly scope?: string | null | undefined
  /** What is known of the response, where it was or may be kept. */
  readonly response?: StoredResponse | undefined
  /** Of that response: those of what is stored, where that is known. */
  readonly times?: Lifetime | undefined
  /** It was made for this very request. */
  readonly made?: boolean | undefined
}

/** How long a response is of use. */
export type Lifetime = Pick<Times, 'createdAt' | 'ttl' | 'staleWhileRevalidate' | 'staleIfError'>

/** Answers operations, from the cache where that may be. */
export type Answering = <A extends Execution>(question: Question<A>) => Promise<Answer>
