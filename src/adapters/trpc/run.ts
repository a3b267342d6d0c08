import type { Times } from '../../core/entry.ts'
import { ageOf, freshFor } from '../../core/freshness.ts'
import type { FoundUse, Order } from '../../core/order.ts'
import type { CacheOutcome } from '../http/cacheStatus.ts'
import { UNKEYED } from './errors.ts'
import type { MiddlewareCall, MiddlewareResult } from './middleware.ts'
import type { Settings } from './options.ts'

/** What a call asks the cache for, how it would compute that, and what it was told while it was answered. */
export interface Run {
  readonly order: Order
  /** Runs what stands behind the cache. @throws what that fails with, and UNKEYED */
  load(): Promise<unknown>
  /** What that gave, if this call ran it to be answered by it: its own callers get just that. */
  readonly own: MiddlewareResult | undefined
  /** Where the key has the parsed input alone: whether something behind the cache has read what the client sent. */
  readonly unkeyed: boolean
  /** What was done with what was stored; `undefined` where nothing was. */
  readonly use: FoundUse | undefined
  /** How it was answered; to be asked for then. */
  answered(): Answered
  /** How it was not. */
  failed(): Answered
}

interface Answered {
  readonly outcome: CacheOutcome
  /** As those of `CallOutcome`. */
  readonly left: number | undefined
  readonly age: number
}

export interface Course {
  /** Called before what stands behind is run, with the `getRawInput` that it is given. */
  begin(read: () => Promise<unknown>): void
  /** Something behind has read what the client sent, of which the key has only what was parsed before. */
  tellUnkeyed(): void
  /** By the store's clock. */
  now(): number
}

/** What is asked for. */
export interface Subject {
  readonly id: string
  /** `null` for everybody's. */
  readonly whose: string | null
  /** Whether the key has the input as it was parsed in front of the cache, and nothing else of what the client sent. */
  readonly isParsed: boolean
}

export function runOf(call: MiddlewareCall, settings: Settings, subject: Subject, course: Course): Run {
  const { id, whose, isParsed } = subject
  const { path, getRawInput, next } = call
  let own: MiddlewareResult | undefined
  let ran = false
  let unkeyed = false
  let use: FoundUse | undefined
  let found: Times | undefined
  let stored: Times | undefined

  async function load(): Promise<unknown> {
    // It is answered, or nearly so: what comes of a refresh behind that is for those who ask later.
    const behind = use === 'hit'
    let isRead = false
    // Another one for each run: what caches behind this one note of a refresh must not be taken for what was answered.
    const read = () => {
      isRead ||= isParsed
      return getRawInput()
    }
    course.begin(read)
    ran ||= !behind
    const result = await next({ getRawInput: read })
    if (!behind) {
      own = result
      unkeyed = isRead
    }
    if (isRead) {
      course.tellUnkeyed()
      throw UNKEYED
    }
    if (!result.ok) throw result.error
    return result.data
  }

  function old({ createdAt, ttl }: Times) {
    const now = course.now()
    return { left: freshFor({ createdAt, ttl }, now), age: ageOf(createdAt, now) }
  }

  return {
    order: {
      id,
      key: ['trpc', path],
      shape: `tRPC query ${path}`,
      policy: settings.policy(call),
      tags: settings.tags(call),
      errorTags: settings.errorTags(call),
      forced: false,
      asker: { scope: whose, operation: path },
      onFound(entry, how) {
        found = entry
        use = how
      },
      onStore(times) {
        stored = times
      },
    },
    load,
    get own() {
      return own
    },
    get unkeyed() {
      return unkeyed
    },
    get use() {
      return use
    },

    answered() {
      if (found !== undefined && use === 'hit') {
        const { left, age } = old(found)
        return { outcome: { type: 'hit', ttl: left }, left, age }
      }
      if (found !== undefined && use === 'fallback') {
        const { left, age } = old(found)
        const how = { collapsed: !ran, ttl: left, detail: 'answered stale' }
        return { outcome: { type: 'forwarded', why: 'stale', ...how }, left, age }
      }
      // Of what another call has computed it is not known whether it is kept.
      const left = stored?.ttl
      const kept = { stored: stored !== undefined, collapsed: !ran, ttl: left }
      return { outcome: { type: 'forwarded', why: use === undefined ? 'miss' : 'stale', ...kept }, left, age: 0 }
    },

    failed() {
      if (found !== undefined && use === 'hit') {
        const { left, age } = old(found) // an error that is stored
        return { outcome: { type: 'hit', ttl: left }, left: undefined, age }
      }
      const why = use === undefined ? 'miss' : 'stale'
      return { outcome: { type: 'forwarded', why, collapsed: !ran }, left: undefined, age: 0 }
    },
  }
}
