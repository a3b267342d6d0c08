/** Callers in a process of their own: they ask the caches that are compared, and check what they get. */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { serve } from '../test/redis/child.ts'
import type { CacheUse, ComparedCache } from './caches/cache.ts'
import { type CacheName, openerOf } from './caches/names.ts'
import { now } from './now.ts'
import { profiling } from './profiled.ts'
import { valueFor } from './value.ts'

export interface Stampede {
  readonly cache: CacheName
  readonly keys: readonly string[]
  readonly callersPerKey: number
  /** When all ask, by `now`. Default: at once. */
  readonly startAt?: number
  /** ms that the loader takes. */
  readonly loaderTime: number
  /** Of a value, as JSON. Default: 1024. */
  readonly bytes?: number
  /** Whether the event `loading` is wanted. Default: `false`. */
  readonly tells?: boolean
}

/** What became of it in one process. Instants are by `now`. */
export interface Outcome {
  /** Of the loader. */
  readonly runs: number
  readonly startedAt: number
  /** End of its last run; 0 without one. */
  readonly loadedAt: number
  /** When the first caller was answered, and the last one. */
  readonly firstAt: number
  readonly lastAt: number
  /** What was not the value of what was asked for, errors among it: some of it. */
  readonly wrong: readonly string[]
}

export interface Hits {
  readonly cache: CacheName
  readonly keys: readonly string[]
  /** `'skewed'`: nine of ten requests are for a tenth of the keys. */
  readonly distribution: 'uniform' | 'skewed'
  readonly times: number
  /** Loops that ask, each for one after the other. */
  readonly concurrency: number
}

export type CallerEvents = {
  /** The loader has begun, for who asked first at `startedAt`. */
  loading: { key: string; startedAt: number }
}

const opened = new Map<CacheName, ComparedCache>()

const calls = {
  ...profiling,

  async open(name: CacheName, use: CacheUse): Promise<void> {
    opened.set(name, await (await openerOf(name))(use))
  },

  async close(): Promise<void> {
    for (const cache of opened.values()) await cache.close()
    opened.clear()
  },

  /** Callers of each key, all in one moment. */
  async stampede(asked: Stampede): Promise<Outcome> {
    const { cache: name, keys, callersPerKey, startAt = 0, loaderTime, bytes = 1024, tells = false } = asked
    const cache = cacheOf(name)
    await delay(startAt - now())
    let [runs, loadedAt, firstAt, lastAt] = [0, 0, 0, 0]
    const startedAt = now()
    const answers = new Map(keys.map((key) => [key, [] as unknown[]]))
    const load = async (key: string) => {
      runs++
      if (tells) tell('loading', { key, startedAt })
      await delay(loaderTime)
      loadedAt = now()
      return valueFor(key, bytes)
    }
    const ask = async (key: string) => {
      const answer = await cache.get(key, () => load(key)).catch((error) => error)
      lastAt = now()
      firstAt ||= lastAt
      answers.get(key)?.push(answer)
    }
    await Promise.all(keys.flatMap((key) => Array.from({ length: callersPerKey }, () => ask(key))))
    const wrong = [...answers].flatMap(([key, all]) => wrongOf(key, bytes, all))
    return { runs, startedAt, loadedAt, firstAt, lastAt, wrong: wrong.slice(0, 5) }
  },

  /** Makes hits of them. @throws Error where one of them is none, or not the value */
  async fill(name: CacheName, keys: readonly string[], bytes: number): Promise<void> {
    const cache = cacheOf(name)
    for (const key of keys) {
      await cache.get(key, async () => valueFor(key, bytes))
      const wrong = wrongOf(key, bytes, [await cache.get(key, () => miss(key))])
      if (wrong.length > 0) throw new Error(`${name}: ${wrong[0]}`)
    }
  },

  /** How long so many hits take, in ms, and of the processor, in µs; in the same order for all caches. @throws Error where one of them is none */
  async hits({ cache: name, keys, distribution, times, concurrency }: Hits): Promise<{ took: number; cpu: number }> {
    const cache = cacheOf(name)
    const order = orderOf(keys, distribution, times)
    let next = 0
    const loop = async () => {
      while (next < times) {
        const key = order[next++] as string
        await cache.get(key, () => miss(key))
      }
    }
    const [startedAt, used] = [performance.now(), process.cpuUsage()]
    await Promise.all(Array.from({ length: concurrency }, loop))
    const { user, system } = process.cpuUsage(used)
    return { took: performance.now() - startedAt, cpu: user + system }
  },
}

export type CallerCalls = typeof calls

function cacheOf(name: CacheName): ComparedCache {
  const cache = opened.get(name)
  if (cache === undefined) throw new Error(`${name} was not opened`)
  return cache
}

async function miss(key: string): Promise<never> {
  throw new Error(`${key} is no hit`)
}

/** Many callers get the same object, which is looked at once. A text is one that was not parsed. */
function wrongOf(key: string, bytes: number, answers: readonly unknown[]): string[] {
  const right = valueFor(key, bytes)
  return [...new Set(answers)]
    .filter((answer) => !isDeepStrictEqual(typeof answer === 'string' ? JSON.parse(answer) : answer, right))
    .map(
      (answer) =>
        `${key}: ${(answer instanceof Error ? String(answer) : (JSON.stringify(answer) ?? 'undefined')).slice(0, 200)}`,
    )
}

function orderOf(keys: readonly string[], distribution: Hits['distribution'], times: number): string[] {
  const random = randomFrom(1)
  const popular = Math.ceil(keys.length / 10)
  return Array.from({ length: times }, () => {
    const [from, to] =
      distribution === 'uniform' ? [0, keys.length] : random() < 0.9 ? [0, popular] : [popular, keys.length]
    return keys[Math.min(keys.length - 1, Math.floor(from + random() * (to - from)))] as string
  })
}

/** Numbers from 0 to 1, always the same ones: xorshift32 (Marsaglia 2003). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

const tell = serve<CallerEvents>(calls)
