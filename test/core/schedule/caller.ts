import type { CallOptions, RequestOptions } from '../../../src/index.ts'
import type { Barrier, Barriers, Part } from './barrier.ts'
import { detachedSince, type Host } from './host.ts'
import type { Ledger } from './ledger.ts'
import { type Origin, textOf, type Value } from './origin.ts'
import type { Random } from './random.ts'
import type { Subject } from './subject.ts'

/** Somebody who asks an instance for a key. */
export interface Call {
  readonly host: Host
  readonly key: string
  readonly method: 'getOrSet' | 'get' | 'claim'
  readonly forced: boolean
  readonly askedAt: number
  /** The step in which the flight that it may have joined was opened, at the earliest. */
  readonly since: number
  /** What had returned in this instance before it asked. */
  readonly after: readonly Part[]
  /** What this instance had heard of by then. */
  readonly heard: readonly Barrier[]
  readonly abort: AbortController
  over: boolean
}

export interface Callers {
  ask(host: Host, key: string, method: Call['method'], forced: boolean): void
  readonly waiting: readonly Call[]
  readonly step: () => number
}

export interface CallersOptions {
  readonly subject: Subject
  readonly origin: Origin
  readonly barriers: Barriers
  readonly ledger: Ledger
  /** Whether values may be stale. */
  readonly stale: boolean
  readonly random: Random
  readonly step: () => number
}

/** What the callers of all instances ask, and whether what they get is right. */
export function createCallers({ subject, origin, barriers, ledger, stale, random, step }: CallersOptions): Callers {
  let waiting: Call[] = []

  function over(call: Call): void {
    call.over = true
    waiting = waiting.filter((other) => other !== call)
  }

  /** The loader of the call; it ends when the schedule says so, or, mostly, when it is aborted. */
  function load(call: Call, signal: AbortSignal): Promise<Value> {
    watchLoaders(call)
    return new Promise((resolve, reject) => {
      const run = origin.start(call, signal, {
        finish() {
          origin.ended(run)
          resolve(run.value)
        },
        fail(error) {
          origin.ended(run)
          reject(error)
        },
      })
      if (random.chance(0.7)) signal.addEventListener('abort', () => run.fail(signal.reason), { once: true })
    })
  }

  /** Single-flight: before one more starts, those that run must each have been detached. */
  function watchLoaders(call: Call): void {
    const { host, key } = call
    const beside = origin.running.filter((run) => {
      return run.host === host && run.key === key && run.call.forced === call.forced && !run.signal.aborted
    })
    if (beside.length === 0) return
    const since = Math.min(...beside.map((run) => run.call.askedAt), call.askedAt)
    const most = 1 + detachedSince(host, key, since)
    if (beside.length + 1 > most) {
      ledger.accuse(`single-flight: ${beside.length + 1} loaders of ${key} run in ${host.name}, at most ${most} may`)
    }
  }

  function gets(call: Call, value: Value | undefined): void {
    over(call)
    if (value === undefined) {
      if (call.method === 'getOrSet') ledger.accuse(`a caller of ${call.host.name} got nothing`)
      return
    }
    // Of what was only heard of it is not known before it is confirmed that it was done before it was told.
    const confirmed = call.heard.flatMap(({ parts }) => parts.filter(({ returnedAt }) => returnedAt !== undefined))
    for (const [how, parts] of [['returned', call.after] as const, ['been heard of', confirmed] as const]) {
      const part = parts.find((one) => barriers.isBefore(value, one))
      if (part === undefined) continue
      const what = `${textOf(value)}, and asked in step ${call.askedAt}`
      ledger.accuse(
        `I4: a caller of ${call.host.name} got ${what} after a change to ${part.item}${part.version} had ${how} there`,
      )
    }
    const publishedAt = origin.runOf(value)?.publishedAt ?? barriers.of(value)?.storedAt
    if (call.forced && publishedAt !== undefined && publishedAt < call.since) {
      ledger.accuse(`a forced refresh of ${call.host.name} (step ${call.since}) got what was stored in ${publishedAt}`)
    }
  }

  function fails(call: Call, error: unknown): void {
    over(call)
    const own = error instanceof subject.LoaderError || error instanceof subject.WaitTimeoutError
    const loaders = error instanceof Error && error.message.startsWith('load')
    if (own || loaders || (call.abort.signal.aborted && error === call.abort.signal.reason)) return
    ledger.accuse(`I7: a caller of ${call.host.name} got ${String(error)}`)
  }

  function optionsOf(call: Call): CallOptions<Value> & RequestOptions {
    const { forced: forceRefresh, abort } = call
    const tags = origin.taggingOf(call.key).option()
    const options = { forceRefresh, signal: abort.signal, tags, ...(stale ? windows() : {}) }
    if (random.chance(0.06)) return { ...options, shouldCache: false }
    if (random.chance(0.06)) return { ...options, ttl: () => 0 }
    if (random.chance(0.06))
      return {
        ...options,
        waitTimeout: 80,
        onWaitTimeout: random.pick(stale ? ['load', 'throw', 'stale'] : ['load', 'throw']),
      }
    return random.chance(0.3) ? { ...options, ttl: random.pick([50, 400, Number.POSITIVE_INFINITY]) } : options
  }

  /** Most entries end within a schedule, and are of use after that. */
  function windows(): CallOptions<Value> {
    return {
      ttl: random.pick([10, 40, 200]),
      staleWhileRevalidate: random.pick([0, 100, 1000]),
      staleIfError: random.pick([0, 1000]),
      ...(random.chance(0.3) ? { softTimeout: 30 } : {}),
      ...(random.chance(0.2) ? { earlyRefresh: true, jitter: 0.3 } : {}),
    }
  }

  /** Leads by hand: publishes, fails or gives back when the schedule says so. */
  async function claim(call: Call): Promise<Value | undefined> {
    const claimed = await call.host.cache.claim<Value>(call.key, optionsOf(call))
    if (claimed.role === 'hit') return claimed.value
    if (claimed.role === 'alone') return undefined
    watchLoaders(call)
    return new Promise((resolve, reject) => {
      const run = origin.start(call, claimed.signal, {
        finish() {
          origin.ended(run)
          if (random.chance(0.2)) void claimed.release()
          else void claimed.publish(run.value, { tags: origin.taggingOf(call.key).option(run.value) })
          resolve(run.value)
        },
        fail(error) {
          origin.ended(run)
          void claimed.fail(error)
          reject(error)
        },
      })
    })
  }

  return {
    ask(host, key, method, forced) {
      const own = barriers.all.filter((barrier) => barrier.host === host)
      const after = own.flatMap(({ parts }) => parts.filter(({ returnedAt }) => returnedAt !== undefined))
      const heard = [...host.heard]
      const abort = new AbortController()
      const others = waiting.filter((call) => call.host === host && call.key === key && call.forced === forced)
      const since = Math.min(step(), ...others.map((call) => call.since))
      const call: Call = { host, key, method, forced, askedAt: step(), since, after, heard, abort, over: false }
      waiting.push(call)
      const answer =
        method === 'getOrSet'
          ? host.cache.getOrSet<Value>(key, ({ signal }) => load(call, signal), optionsOf(call))
          : method === 'get'
            ? host.cache.get<Value>(key)
            : claim(call)
      answer.then(
        (value) => gets(call, value),
        (error) => fails(call, error),
      )
    },
    get waiting() {
      return waiting
    },
    step,
  }
}
