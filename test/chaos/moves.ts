import type { Cache, CallOptions, RequestOptions, SetOptions } from '../../src/index.ts'
import type { Random } from '../core/schedule/random.ts'
import type { Diary } from './diary.ts'
import { doing } from './doing.ts'
import type { CallRecord, Value } from './history.ts'
import type { KeyPlan } from './keyPlan.ts'
import { isLoadersError, type Loaders, type LoadPlan, pickWeighted } from './loader.ts'
import type { Origin } from './origin.ts'
import { type Move, type Profile, SHORT_WAIT } from './profile.ts'
import type { Recorder } from './recorder.ts'

/** What the callers of one process do. */
export interface Moves {
  /** Keeps what the profile says fresh, as long as the cache is open. */
  keep(): void
  /** Does one of the things that there are, by chance; resolves when it is done. */
  next(): Promise<void>
}

export interface MovesOptions {
  readonly cache: Cache
  readonly profile: Profile
  readonly origin: Origin
  readonly loaders: Loaders
  readonly recorder: Recorder
  readonly diary: Diary
  readonly random: Random
}

type Asked = { readonly options: CallOptions<Value> & RequestOptions; readonly abort: AbortController | undefined }

/** ms until who leaves has left, at most. */
const LEAVES = 150
/** So many keys are asked for after what covers them was invalidated. */
const FOLLOWED = 3
/** So many keys are asked for together, besides the first, at most. */
const MANY = 5

export function createMoves({ cache, profile, origin, loaders, recorder, diary, random }: MovesOptions): Moves {
  const { keys } = profile
  const kinds = Object.entries(profile.moves).map(([move, weight]) => [weight, move as Move] as const)
  const tags = [...new Set(keys.flatMap((key) => key.tags))]
  const keyOf = new Map(keys.map((key) => [key.id, key]))
  const { call, got, begin } = diary

  function asked(plan: LoadPlan): Asked {
    const options = loaders.optionsOf(plan)
    const abort = random.chance(profile.leaving) ? new AbortController() : undefined
    if (abort !== undefined) setTimeout(() => abort.abort(), random.next() * LEAVES)
    const impatient = random.chance(profile.impatient)
      ? { waitTimeout: SHORT_WAIT, onWaitTimeout: random.pick(['load', 'throw', 'stale'] as const) }
      : {}
    return { options: { ...options, ...impatient, forceRefresh: plan.forced, signal: abort?.signal }, abort }
  }

  async function ask(key: KeyPlan): Promise<void> {
    const plan = loaders.plan(key, random.chance(profile.forced))
    const { options, abort } = asked(plan)
    const about: Partial<CallRecord> = plan.forced ? { forced: true } : {}
    const send = async () => got(await cache.getOrSet(key.key, (context) => loaders.run(plan, context), options))
    await call('getOrSet', { ...about, keys: [key.id] }, send, { abort })
  }

  /** Of keys with one lease, which is that of the call. */
  async function askMany(): Promise<void> {
    const first = random.pick(keys)
    const others = keys.filter((key) => key !== first && key.lease === first.lease)
    const forced = random.chance(profile.forced)
    const terms = loaders.termsOf(first)
    const plans = [first, ...pickSome(random, others, 1 + random.below(MANY))].map((key) => {
      return loaders.plan(key, forced, terms)
    })
    const byKey = new Map(plans.map((plan) => [plan.key.key, plan]))
    const { options, abort } = asked(plans[0] as LoadPlan)
    const { tags: _, ...untagged } = options
    const all = plans.some(({ tags }) => tags.length > 0) ? { ...untagged, tags: tagsOf } : untagged
    const about: Partial<CallRecord> = forced ? { forced: true } : {}
    const send = async () => {
      const values = await cache.getOrSetMany(
        [...byKey.keys()],
        (missing, context) =>
          loaders.runMany(
            missing.map((key) => byKey.get(key) as LoadPlan),
            context,
          ),
        all,
      )
      return got(...values)
    }
    await call('getOrSetMany', { ...about, keys: plans.map(({ key }) => key.id) }, send, { abort })
  }

  async function claim(key: KeyPlan): Promise<void> {
    const plan = loaders.plan(key, random.chance(profile.forced))
    const { options, abort } = asked(plan)
    // Some say the tags at the claim, some when they publish.
    const { tags: _, ...untagged } = options
    const early = random.chance(0.5)
    const now = begin()
    let claimed: Awaited<ReturnType<typeof cache.claim<Value>>> | undefined
    const send = async () => {
      claimed = await cache.claim<Value>(key.key, early ? options : untagged)
      return got(claimed.role === 'hit' ? claimed.value : undefined)
    }
    await call('claim', { keys: [key.id] }, send, { abort, said: now })
    if (claimed?.role !== 'leader') return
    const lead = claimed
    await doing.run(now, async () => {
      try {
        const value = await loaders.run(plan, lead)
        if (random.chance(0.15)) await lead.release()
        else await lead.publish(value, early || options.tags === undefined ? {} : { tags: options.tags })
      } catch (error) {
        if (!isLoadersError(error)) throw error
        await lead.fail(error)
      }
    })
  }

  async function setAll(op: 'set' | 'setMany', plans: readonly KeyPlan[]): Promise<void> {
    const [first] = plans
    if (first === undefined) return
    const said = loaders.termsOf(first)
    const { staleWhileRevalidate, staleIfError, jitter } = said
    const terms = { staleWhileRevalidate, staleIfError, jitter, ttl: said.ttl === 0 ? null : said.ttl }
    const made = await Promise.all(plans.map((key) => loaders.direct(key, terms)))
    const tagged = plans.some((key) => key.tags.length > 0) ? { tags: tagsOf } : {}
    const written: SetOptions<Value> = { ...terms, ttl: terms.ttl ?? Number.POSITIVE_INFINITY, ...tagged }
    const about = {
      keys: plans.map((key) => key.id),
      versions: Object.assign({}, ...made.map(({ items }) => items)),
      sets: made.map((value) => recorder.meet(value)),
    }
    const pairs = plans.map((plan, i) => [plan.key, made[i] as Value] as const)
    await call(op, about, async () => {
      const done =
        op === 'set' ? [await cache.set(first.key, made[0] as Value, written)] : await cache.setMany(pairs, written)
      return { type: 'got', values: done.map((stored) => (stored ? 'yes' : 'no')) }
    })
    if (random.chance(profile.following)) await followUp(about.keys)
  }

  async function invalidate(
    op: 'delete' | 'invalidate',
    ids: readonly string[],
    named: readonly string[],
  ): Promise<void> {
    const versions = await origin.bump([...ids, ...named])
    const exact = ids.map((id) => (keyOf.get(id) as KeyPlan).key)
    const outcome = await call(op, { keys: ids, tags: named, versions }, async () => {
      if (op === 'delete') await cache.delete(exact[0] as KeyPlan['key'])
      else await cache.invalidate(named.length === 0 ? { keys: exact } : { keys: exact, tags: named })
      return { type: 'done' }
    })
    if (outcome.type !== 'done' || !random.chance(profile.following)) return
    const covered = keys.filter((key) => key.tags.some((tag) => named.includes(tag))).map((key) => key.id)
    await followUp([...ids, ...covered])
  }

  /** The moment to ask for what must not be had any more. */
  async function followUp(ids: readonly string[]): Promise<void> {
    const some = pickSome(random, ids, FOLLOWED).flatMap((id) => keyOf.get(id) ?? [])
    await Promise.all(some.map((key) => (random.chance(0.8) ? ask(key) : read('get', key))))
  }

  async function read(op: 'get' | 'has' | 'entry', key: KeyPlan): Promise<void> {
    await call(op, { keys: [key.id] }, async () => {
      if (op === 'get') return got(await cache.get<Value>(key.key))
      if (op === 'has') {
        await cache.has(key.key)
        return got(undefined) // which value that is it does not say
      }
      const entry = await cache.entry<Value>(key.key)
      if (entry !== undefined && [...entry.tags].sort().join() !== [...entry.value.tags].sort().join()) {
        throw new Error(`an entry has the tags ${entry.tags}, and its value ${entry.value.tags}`)
      }
      return got(entry?.value)
    })
  }

  async function getMany(): Promise<void> {
    const some = pickSome(random, keys, 1 + random.below(keys.length))
    await call('getMany', { keys: some.map((key) => key.id) }, async () => {
      return got(...(await cache.getMany<Value>(some.map((key) => key.key))))
    })
  }

  async function clear(): Promise<void> {
    await call('clear', { keys: [] }, async () => {
      await cache.clear()
      return { type: 'done' }
    })
  }

  async function make(move: Move): Promise<void> {
    const key = random.pick(keys)
    const some = () => pickSome(random, keys, 1 + random.below(3)).map(({ id }) => id)
    switch (move) {
      case 'ask':
        return ask(key)
      case 'askTogether':
        return void (await Promise.all(Array.from({ length: 2 + random.below(5) }, () => ask(key))))
      case 'askMany':
        return askMany()
      case 'get':
      case 'has':
      case 'entry':
        return read(move, key)
      case 'getMany':
        return getMany()
      case 'set':
        return setAll('set', [key])
      case 'setMany':
        return setAll('setMany', pickSome(random, keys, 1 + random.below(4)))
      case 'delete':
        return invalidate('delete', [key.id], [])
      case 'invalidateKeys':
        return invalidate('invalidate', some(), [])
      case 'invalidateTags':
        return invalidate('invalidate', [], pickSome(random, tags, random.chance(0.8) ? 1 : 2))
      case 'invalidateBoth':
        return invalidate('invalidate', some(), [random.pick(tags)])
      case 'clear':
        return clear()
      case 'claim':
        return claim(key)
      default:
        return move satisfies never
    }
  }

  return {
    keep() {
      for (const key of keys.filter(({ kept }) => kept)) {
        const options = loaders.optionsOf(loaders.plan(key, false))
        // As its callers: those ask it for the same times.
        doing.run(begin(true), () =>
          cache.keepFresh(key.key, (context) => loaders.run(loaders.plan(key, false), context), {
            ...options,
            ...(key.tags.length > 0 ? { tags: tagsOf } : {}),
          }),
        )
      }
    },
    next: () => make(pickWeighted(random, kinds)[1]),
  }
}

function tagsOf(value: Value): readonly string[] {
  return value.tags
}

function pickSome<T>(random: Random, list: readonly T[], count: number): T[] {
  const left = [...list]
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random.below(left.length), 1)[0] as T)
}
