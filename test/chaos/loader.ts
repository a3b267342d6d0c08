import { setTimeout as delay } from 'node:timers/promises'
import type { CallOptions, LoadContext } from '../../src/index.ts'
import type { Random } from '../core/schedule/random.ts'
import { doing } from './doing.ts'
import { monotonic, type Value } from './history.ts'
import type { Origin } from './origin.ts'
import type { KeyPlan, Profile } from './profile.ts'
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
  readonly ttl: number | null
}

/** Makes values of what the origin has, and writes down each run. */
export interface Loaders {
  plan(key: KeyPlan, forced: boolean): LoadPlan
  optionsOf(plan: LoadPlan): CallOptions<Value>
  run(plan: LoadPlan, context: Pick<LoadContext, 'signal'>): Promise<Value>
  /** A value to be set: asks the origin now. */
  direct(key: KeyPlan): Promise<{ readonly value: Value; readonly plan: LoadPlan }>
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

  function plan(key: KeyPlan, forced: boolean): LoadPlan {
    const [, least, most] = pickWeighted(random, profile.loads)
    const whole = random.chance(profile.hanging) ? HANGS : least + random.next() * (most - least)
    // Mostly it asks first: the older what it has heard is when it ends, the worse.
    const part = random.chance(0.7) ? 0 : random.next()
    return {
      key,
      tags: tagsFor(key),
      before: whole * part,
      after: whole * (1 - part),
      ends: random.chance(profile.failing) ? random.pick(['error', 'refusal', 'abort']) : 'value',
      obedient: random.chance(0.7),
      forced,
      ttl: pickWeighted(random, profile.ttls)[1],
    }
  }

  async function madeOf(
    id: string,
    key: KeyPlan,
    tags: readonly string[],
    began: number,
  ): Promise<Omit<Value, 'kind'>> {
    const items = await origin.read([key.id, ...tags])
    return { id, key: key.id, scope: key.scope, began, items, tags, token: null }
  }

  async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms >= 1) await delay(ms, undefined, signal && { signal })
  }

  return {
    plan,

    optionsOf({ key, tags, ttl }) {
      const { lease: leaseTtl, maxFlight: maxFlightTime } = key
      const derived = key.tagging === 'derived' || key.tagging === 'changing' || random.chance(0.5)
      return {
        // As a function it may say 0.
        ttl: ttl === 0 ? () => 0 : (ttl ?? Number.POSITIVE_INFINITY),
        ...(tags.length === 0 ? {} : { tags: derived && key.tagging !== 'said' ? (value: Value) => value.tags : tags }),
        leaseTtl,
        maxFlightTime,
      }
    },

    async run(plan, { signal }) {
      const began = monotonic()
      const { key, tags, forced, ttl } = plan
      const now = doing.getStore()
      const token = now === undefined || now.alone ? null : now.token
      if (now !== undefined) now.alone = false
      const run = `${name}:load:${++runs}`
      recorder.write({ type: 'load', run, key: key.id, at: began, token, forced, ttl })
      const heeded = plan.obedient ? signal : undefined
      try {
        await wait(plan.before, heeded)
        const value: Value = { ...(await madeOf(run, key, tags, began)), kind: 'load', token }
        await wait(plan.after, heeded)
        if (plan.ends !== 'value') throw errorOf(plan, run)
        recorder.meet(value)
        recorder.write({ type: 'loaded', run, at: monotonic(), how: 'value' })
        return value
      } catch (error) {
        recorder.write({ type: 'loaded', run, at: monotonic(), how: 'error' })
        if (heeded?.aborted !== true) throw error
        throw Object.assign(new Error(`load ${run} was given up`), { name: 'AbortError' })
      }
    },

    async direct(key) {
      const made = plan(key, false)
      const value = await madeOf(`${name}:set:${++runs}`, key, made.tags, monotonic())
      return { value: { ...value, kind: 'set' }, plan: { ...made, ttl: made.ttl === 0 ? null : made.ttl } }
    },
  }
}

/** All messages begin so: an error that does not is the cache's. */
const LOADERS = 'load '

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
