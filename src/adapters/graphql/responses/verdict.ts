import { Buffer } from 'node:buffer'
import type { ExecutionResult } from 'graphql'
import { messageOf } from '../../../core/errors.ts'
import type { Events } from '../../../core/events.ts'
import { etagOf } from '../../http/etag.ts'
import type { Plan } from '../documents/plans.ts'
import { least, msOf } from '../documents/rules.ts'
import { sharedExtensions, tellsHttpCaches } from '../results/extensions.ts'
import { failureText } from '../results/failures.ts'
import { type Reading, readResponse } from '../results/reading.ts'
import type { StoredResponse } from '../results/response.ts'
import type { Callbacks } from './callbacks.ts'
import type { ResponseCacheSettings } from './options.ts'
import { isFor } from './parts.ts'
import type { Hints } from './resolverHints.ts'

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
  /** Whether it is not stored, but the next one may be: what is stored need not go. */
  readonly passing: boolean
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
  /** By up to which part of its ttl a response ends earlier, by chance. */
  readonly jitter: number
  /** ms since the epoch, by the store's clock. */
  readonly now: number
}

/** Judges results by the options, the schema and what is in them. */
export type Judge = (result: ExecutionResult, about: Case) => Verdict

export function createJudge({ rules }: ResponseCacheSettings, callbacks: Callbacks, events: Events): Judge {
  return (result, about) => {
    const { id, plan, scope, hints, context } = about
    const reading = hinted(readResponse(result.data, plan.shape, hints.any ? hints : undefined), hints)
    const own = result.data === undefined ? result : { ...result, data: reading.data as Record<string, unknown> | null }
    const failed = (own.errors ?? []).length > 0
    const none = (lasting: boolean, passing = failed && !lasting): Verdict => {
      return { own, response: undefined, tags: [], lasting, passing }
    }
    const foreign = hints.parts.some((part) => !isFor(part, scope))
    if (reading.ignored || foreign || (reading.private && scope === null)) return none(true)
    // What failed is not in the data, and its error may tell of it.
    if (failed && scope === null && plan.private) return none(false)
    if (failed ? !callbacks.shares(own, id) : own.data === undefined || own.data === null) return none(false)
    const said = least(plan.ttl, reading.ttl) ?? (rules.requirePolicy ? 0 : about.ttl)
    // It is no fresher than what it is made of.
    const left = hints.parts.reduce((least, part) => Math.min(least, part.ttl), Number.POSITIVE_INFINITY)
    const most = callbacks.ttl(Math.max(0, Math.min(said, left)), id, context)
    // Made of what is stale it is for those who wait; and the next one may be made of what is fresh again.
    const stale = left < 0 && said > 0
    if (!failed && !stale && most <= 0) return left > 0 || said <= 0 ? none(true) : none(false, true)
    const ttl = stale ? 0 : most * (1 - about.jitter * Math.random())
    const wanted = callbacks.wants(own, id)
    if (!failed && wanted === false) return none(false)
    const text = textOf(own, about, events)
    if (text === undefined) return none(false)
    const bytes = Buffer.from(text)
    const kept = failed && wanted !== true ? 0 : Math.max(ttl, 0)
    const response: StoredResponse = {
      bytes,
      etag: failed ? '' : etagOf(bytes),
      createdAt: about.now,
      ttl: kept,
      said: reading.hinted,
      private: reading.private || (failed && plan.private),
      noCache: tellsHttpCaches(own),
      extended: sharedExtensions(own) !== undefined,
      failed,
    }
    return { own, response, tags: tagsOf(plan, reading, hints), lasting: false, passing: kept === 0 }
  }
}

/** What others get of it; `undefined` for what has no JSON, which is told. */
function textOf(own: ExecutionResult, { id, plan }: Case, events: Events): string | undefined {
  const { data, errors = [] } = own
  const extensions = sharedExtensions(own)
  try {
    return errors.length > 0 ? failureText(data, errors, extensions) : JSON.stringify({ data, extensions })
  } catch (error) {
    events.emit({ type: 'uncacheable', key: id, shape: shapeOf(plan), reason: messageOf(error), path: '' })
    return undefined
  }
}

/** Characters of a client's name of an operation that events have. */
const MAX_NAME = 100

/** What events of responses that can't be stored call it. */
export function shapeOf({ operation }: Plan): string {
  return `query ${operation.name?.value.slice(0, MAX_NAME) ?? '(anonymous)'}`
}

/** With what was said of nobody knows which part: it can only be less for all. */
function hinted(reading: Reading, { others, parts }: Hints): Reading {
  let { ttl } = reading
  let isPrivate = reading.private || parts.some((part) => part.scope !== null)
  for (const { maxAge, scope } of others) {
    ttl = least(ttl, msOf(maxAge))
    isPrivate ||= scope === 'PRIVATE'
  }
  return { ...reading, ttl, private: isPrivate }
}

function tagsOf({ operation }: Plan, { entities }: Reading, { parts }: Hints): readonly string[] {
  const tags = new Set(parts.flatMap((part) => part.tags))
  if (operation.name !== undefined) tags.add(`query:${operation.name.value}`)
  for (const [tag, { typename }] of entities) {
    tags.add(typename)
    tags.add(tag)
  }
  return [...tags]
}
