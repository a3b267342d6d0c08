import { setTimeout as delay } from 'node:timers/promises'
import type { CallOptions, LoadContext } from '../../src/index.ts'
import type { Random } from '../core/schedule/random.ts'
import { type Doing, doing } from './doing.ts'
import { type Lasts, type LoadRecord, monotonic, type Value } from './history.ts'
import { type FreshnessPlan, type KeyPlan, LIMIT } from './keyPlan.ts'
import type { Origin } from './origin.ts'
import type { Profile } from './profile.ts'
import type { Recorder } from './recorder.ts'

/** What a caller's loader will do, decided before it asks: its options say the same tags. */
export interface LoadPlan {
  readonly key: KeyPlan
  readonly tags: readonly string[]
  /** ms before and after it asks the origin. */
  readonly before: number
  readonly after: number
  readonly ends: 'value' | 'error' | 'refusal' | 'abort'
  /** Whether it ends when nobody waits any more. */
  readonly obedient: boolean
  readonly forced: boolean
  readonly terms: Terms
  /** It finds nothing, if there are terms for that. */
  readonly negative: boolean
}

/** How long what a loader gives is of use. */
export interface Terms extends FreshnessPlan {
  readonly ttl: number | null
}

/** Makes values of what the origin has, and writes down each run. */
export interface Loaders {
  /** `terms`: where they are not the key's. */
  plan(key: KeyPlan, forced: boolean, terms?: Terms): LoadPlan
  termsOf(key: KeyPlan): Terms
  optionsOf(plan: LoadPlan): CallOptions<Value>
  run(plan: LoadPlan, context: Pick<LoadContext, 'signal'>): Promise<Value>
  /** Each of them, in order, all for as long as the first. */
  runMany(plans: readonly LoadPlan[], context: Pick<LoadContext, 'signal'>): Promise<(Value | Error)[]>
  /** A value to be set: asks the origin now. */
  direct(key: KeyPlan, terms: Terms): Promise<Value>
}

/** ms that a loader hangs: longer than most flights may take. */
const HANGS = 2500

export interface LoadersOptions {
  readonly name: string
  readonly profile: Profile
  readonly origin: Origin
  readonly recorder: Recorder
  readonly random: Random
}

export function createLoaders({ name, profile, origin, recorder, random }: LoadersOptions): Loaders {
  let runs = 0

  function tagsFor({ tagging, tags }: KeyPlan): readonly string[] {
    if (tagging !== 'changing' && tagging !== 'mixed') return tags
    const some = tags.filter(() => random.chance(0.5))
    return some.length > 0 ? some : [random.pick(tags)]
  }

  function plan(key: KeyPlan, forced: boolean, terms: Terms = termsOf(key)): LoadPlan {
    const [, least, most] = pickWeighted(random, profile.loads)
    const { failing = profile.failing, hanging = profile.hanging } = key
    const whole = random.chance(hanging) ? HANGS : least + random.next() * (most - least)
    // Mostly it asks first: the older what it has heard is when it ends, the worse.
    const part = random.chance(0.7) ? 0 : random.next()
    return {
      key,
      tags: tagsFor(key),
      before: whole * part,
      after: whole * (1 - part),
      ends: random.chance(failing) ? random.pick(['error', 'refusal', 'abort']) : 'value',
      obedient: random.chance(0.7),
      forced,
      terms,
      negative: terms.negativeTtl !== undefined && random.chance(0.3),
    }
  }

  /** As the key says. */
  function termsOf({ ttls = profile.ttls, freshness }: KeyPlan): Terms {
    return { ...freshness, ttl: pickWeighted(random, ttls)[1] }
  }

  async function madeOf(
    id: string,
    key: KeyPlan,
    tags: readonly string[],
    began: number,
    lasts: Lasts,
  ): Promise<Omit<Value, 'kind'>> {
    const items = await origin.read([key.id, ...tags])
    return { id, key: key.id, scope: key.scope, began, done: began, lasts, items, tags, token: null }
  }

  async function run(plan: LoadPlan, { signal }: Pick<LoadContext, 'signal'>): Promise<Value> {
    const began = monotonic()
    const { key, tags, terms } = plan
    const now = doing.getStore()
    const token = now?.alone.delete(key.id) ? null : (now?.tokens.get(key.id) ?? null)
    const run = `${name}:load:${++runs}`
    recorder.write({ type: 'load', run, key: key.id, at: began, token, ...factsOf(plan, now) })
    const heeded = plan.obedient ? signal : undefined
    try {
      await wait(plan.before, heeded)
      const made = await madeOf(run, key, tags, began, lastsOf(plan))
      await wait(plan.after, heeded)
      if (plan.ends !== 'value') throw errorOf(plan, run)
      const found = terms.negativeTtl !== undefined && plan.negative ? ({ negative: true } as const) : {}
      const value: Value = { ...made, ...found, kind: 'load', token, done: monotonic() }
      recorder.meet(value)
      recorder.write({ type: 'loaded', run, at: value.done, how: 'value' })
      return value
    } catch (error) {
      recorder.write({ type: 'loaded', run, at: monotonic(), how: 'error' })
      if (heeded?.aborted !== true) throw error
      throw Object.assign(new Error(`${LOADERS}${run} was given up`), { name: 'AbortError' })
    }
  }

  async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms >= 1) await delay(ms, undefined, signal && { signal })
  }

  return {
    plan,
    termsOf,

    optionsOf({ key, tags, terms }) {
      const { lease: leaseTtl, maxFlight: maxFlightTime } = key
      const derived = key.tagging === 'derived' || key.tagging === 'changing' || random.chance(0.5)
      const { ttl, ...freshness } = terms
      return {
        ...freshness,
        // As a function it may say 0.
        ttl: ttl === 0 ? () => 0 : (ttl ?? Number.POSITIVE_INFINITY),
        ...(tags.length === 0 ? {} : { tags: derived && key.tagging !== 'said' ? (value: Value) => value.tags : tags }),
        ...(terms.negativeTtl === undefined ? {} : { isNegative }),
        leaseTtl,
        maxFlightTime,
        ...(key.limited === true ? { limit: LIMIT } : {}),
      }
    },

    run,

    runMany(plans, context) {
      const { before = 0, after = 0 } = plans[0] ?? {}
      return Promise.all(
        plans.map((plan) => run({ ...plan, before, after }, context).catch((error: unknown) => error as Error)),
      )
    },

    async direct(key, terms) {
      const { tags } = plan(key, false, terms)
      const lasts = lastsOf({ terms, negative: false })
      return { ...(await madeOf(`${name}:set:${++runs}`, key, tags, monotonic(), lasts)), kind: 'set' }
    },
  }
}

/** All messages begin so: an error that does not is the cache's. */
const LOADERS = 'load '

/** Whether a loader found nothing: it says so in what it found. */
function isNegative(value: Value): boolean {
  return value.negative === true
}

function lastsOf({ terms, negative }: Pick<LoadPlan, 'terms' | 'negative'>): Lasts {
  const { ttl, negativeTtl, staleWhileRevalidate = 0, staleIfError = 0 } = terms
  if (negative && negativeTtl !== undefined) return { ttl: negativeTtl, staleWhileRevalidate: 0, staleIfError: 0 }
  return { ttl, staleWhileRevalidate, staleIfError }
}

/** What is written down of a run. */
function factsOf(plan: LoadPlan, now: Doing | undefined): Omit<LoadRecord, 'type' | 'run' | 'key' | 'at' | 'token'> {
  const { forced, terms } = plan
  const { errorTtl, earlyRefresh } = terms
  return {
    forced,
    ttl: lastsOf(plan).ttl,
    ...(errorTtl === undefined ? {} : { errorTtl }),
    ...(earlyRefresh === undefined ? {} : { early: true }),
    ...(now?.refreshed.delete(plan.key.id) ? { refresh: true } : {}),
    ...(now?.kept ? { kept: true } : {}),
  }
}

/** The run whose error it is; `undefined` for none of a loader. */
export function runOf(error: unknown): string | undefined {
  return isLoadersError(error) ? /^load (\S+)/.exec((error as Error).message)?.[1] : undefined
}

/** Whether a loader of this run threw it, here or in another instance. */
export function isLoadersError(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith(LOADERS)
}

function errorOf({ ends }: LoadPlan, run: string): Error {
  switch (ends) {
    case 'refusal':
      return Object.assign(new Error(`${LOADERS}${run} is refused`), { code: 'FORBIDDEN' })
    case 'abort':
      return Object.assign(new Error(`${LOADERS}${run} was aborted by its database`), { name: 'AbortError' })
    default:
      return new Error(`${LOADERS}${run} failed`)
  }
}

export function pickWeighted<T extends readonly [weight: number, ...rest: unknown[]]>(
  random: Random,
  list: readonly T[],
): T {
  return list[random.weighted(list.map(([weight]) => weight))] as T
}
