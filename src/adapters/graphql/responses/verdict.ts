import { Buffer } from 'node:buffer'
import type { ExecutionResult } from 'graphql'
import { notAsync } from '../../../core/checks.ts'
import { messageOf } from '../../../core/errors.ts'
import type { Events } from '../../../core/events.ts'
import { etagOf } from '../../http/etag.ts'
import type { Hints } from '../documents/cacheControl.ts'
import type { Plan } from '../documents/plans.ts'
import { least } from '../documents/rules.ts'
import { sharedExtensions, tellsHttpCaches } from '../results/extensions.ts'
import { failureText, mayBeTold } from '../results/failures.ts'
import { type Reading, readResponse } from '../results/reading.ts'
import type { StoredResponse } from '../results/response.ts'
import type { ResponseCacheSettings } from './options.ts'

/** What of a result is for others. */
export interface Verdict {
  /** For whoever asked, without what was added to the document. */
  readonly own: ExecutionResult
  /** For others; `undefined` where each must run the operation. Its `ttl` is 0 where it is only for those who wait. */
  readonly response: StoredResponse | undefined
  /** Of the response. */
  readonly tags: readonly string[]
  /** Whether the next one will hardly be for others either: for reasons that do not pass, as errors may. */
  readonly lasting: boolean
}

/** What a verdict is about. */
export interface Case {
  readonly id: string
  readonly plan: Plan
  readonly scope: string | null
  readonly context: unknown
  readonly hints: Hints
  /** ms: of a response of which nothing is said. */
  readonly ttl: number
  /** ms since the epoch, by the store's clock. */
  readonly now: number
}

/** Judges results by the options, the schema and what is in them. */
export type Judge = (result: ExecutionResult, about: Case) => Verdict

export function createJudge(
  settings: ResponseCacheSettings,
  shareError: (error: unknown) => boolean,
  events: Events,
): Judge {
  const { onTtl, shouldCacheResult, rules } = settings

  function ttlOf(reading: Reading, { id, plan, ttl: usual, context }: Case): number {
    const said = least(plan.ttl, reading.ttl) ?? (rules.requirePolicy ? 0 : usual)
    if (onTtl === undefined) return said
    try {
      const ttl: unknown = notAsync('onTtl', onTtl({ ttl: said, context: context as Record<string, unknown> }))
      if (typeof ttl === 'number' && !Number.isNaN(ttl)) return ttl
      throw new TypeError(`onTtl returned ${String(ttl)}, not a number`)
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'onTtl', error })
      return 0
    }
  }

  function mayTell(result: ExecutionResult, id: string): boolean {
    try {
      return mayBeTold(result, (error) => Boolean(notAsync('shareError', shareError(error))))
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'shareError', error })
      return false
    }
  }

  /** `undefined` where the user says nothing. */
  function wanted(result: ExecutionResult, id: string): boolean | undefined {
    if (shouldCacheResult === undefined) return undefined
    try {
      return Boolean(notAsync('shouldCacheResult', shouldCacheResult({ cacheKey: id, result })))
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'shouldCacheResult', error })
      return false
    }
  }

  return (result, about) => {
    const { id, plan, scope, hints, now } = about
    const reading = readResponse(result.data, plan.shape, hints.size === 0 ? undefined : hints)
    const own = result.data === undefined ? result : { ...result, data: reading.data as Record<string, unknown> | null }
    const none = (lasting: boolean): Verdict => ({ own, response: undefined, tags: [], lasting })
    const { errors = [] } = own
    const failed = errors.length > 0
    if (reading.ignored || (reading.private && scope === null)) return none(true)
    // What failed is not in the data, and its error may tell of it.
    if (failed && scope === null && (plan.private || hasPrivate(hints))) return none(false)
    if (failed ? !mayTell(own, id) : own.data === undefined || own.data === null) return none(false)
    const ttl = ttlOf(reading, about)
    if (!failed && ttl <= 0) return none(true)
    const wish = wanted(own, id)
    if (!failed && wish === false) return none(false)
    const extensions = sharedExtensions(own)
    let text: string
    try {
      text = failed ? failureText(own.data, errors, extensions) : JSON.stringify({ data: own.data, extensions })
    } catch (error) {
      const shape = `query ${plan.operation.name?.value ?? '(anonymous)'}`
      events.emit({ type: 'uncacheable', key: id, shape, reason: messageOf(error), path: '' })
      return none(false)
    }
    const bytes = Buffer.from(text)
    const response: StoredResponse = {
      bytes,
      etag: failed ? '' : etagOf(bytes),
      createdAt: now,
      ttl: failed && wish !== true ? 0 : Math.max(ttl, 0),
      said: reading.hinted,
      private: reading.private || (failed && (plan.private || hasPrivate(hints))),
      noCache: tellsHttpCaches(own),
      extended: extensions !== undefined,
      failed,
    }
    return { own, response, tags: tagsOf(plan, reading), lasting: false }
  }
}

function hasPrivate(hints: Hints): boolean {
  return [...hints.values()].some((hint) => hint.scope === 'PRIVATE')
}

function tagsOf({ operation }: Plan, { entities }: Reading): readonly string[] {
  const tags = new Set<string>()
  if (operation.name !== undefined) tags.add(`query:${operation.name.value}`)
  for (const [tag, { typename }] of entities) {
    tags.add(typename)
    tags.add(tag)
  }
  return [...tags]
}
