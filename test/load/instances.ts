/** Caches in a process of their own, each an instance of the service with connections of its own. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Cache, type CacheEventType, type CacheOptions, createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { serve } from '../redis/child.ts'

export interface InstancesOptions {
  readonly redis: string
  /** Of this process. */
  readonly name: string
  readonly caches: number
  readonly cache: Omit<CacheOptions, 'store'>
}

/** What callers got. Instants are ms of a clock that all processes of this machine share. */
export interface Got {
  /** Runs whose values were answered: process and number. */
  readonly runs: readonly string[]
  readonly answers: number
  /** What was not the value of what was asked for, errors among it. */
  readonly wrong: readonly string[]
  readonly lastAt: number
}

/** How things are in the process, over all its caches. */
export interface Standing {
  readonly events: Readonly<Record<CacheEventType, number>>
  /** How many of its breakers are not closed. */
  readonly open: number
  /** How many hear no messages. */
  readonly deaf: number
  /** Bytes. */
  readonly rss: number
}

interface Item {
  readonly run: string
  readonly text: string
}

let name = ''
let caches: Cache[] = []
let runs = 0
/** When the last run of the origin ended. */
let ranAt = 0
let letGo = () => {}
let held: Promise<void> | undefined

const calls = {
  /** Resolves when all are connected, and have asked for something. */
  async start(options: InstancesOptions): Promise<void> {
    name = options.name
    caches = Array.from({ length: options.caches }, () =>
      createCache({ ...options.cache, store: redisStore(options.redis) }),
    )
    for (const cache of caches) cache.on('*', () => undefined) // told to nobody, it would be process warnings
    await Promise.all(caches.map((cache) => cache.ready()))
    await Promise.all(caches.map((cache, i) => cache.getOrSet(`warm ${name} ${i}`, () => ({ run: '', text: '' }))))
  },

  /** Runs of the origin do not end before `release`. */
  hold(): void {
    held = new Promise((resolve) => {
      letGo = resolve
    })
  },
  release(): void {
    held = undefined
    letGo()
  },

  /** So many callers of each cache ask for the key in one moment; its value has so many characters. */
  ask: (key: string, callers: number, length: number): Promise<Got> =>
    gather(
      caches.flatMap((cache) => Array.from({ length: callers }, () => ({ cache, key, load: () => load(key, length) }))),
      length,
    ),

  /** One caller of each cache for each key, all in one moment; `cost`: ms that the origin takes. */
  askEach: (keys: readonly string[], cost: number): Promise<Got> =>
    gather(
      caches.flatMap((cache) =>
        keys.map((key) => ({
          cache,
          key,
          load: async () => {
            await delay(cost)
            return load(key, 0)
          },
        })),
      ),
      0,
    ),

  runs: () => ({ runs, ranAt }),

  standing(): Standing {
    const all = caches.map((cache) => cache.stats())
    const types = Object.keys(all[0]?.events ?? {}) as CacheEventType[]
    const total = (type: CacheEventType) => all.reduce((sum, { events }) => sum + events[type], 0)
    return {
      events: Object.fromEntries(types.map((type) => [type, total(type)])) as Standing['events'],
      open: all.filter(({ breaker }) => breaker !== 'closed').length,
      deaf: all.filter(({ inbox }) => !inbox).length,
      rss: process.memoryUsage.rss(),
    }
  },
}

export type InstancesCalls = typeof calls

async function gather(
  asked: readonly { cache: Cache; key: string; load: () => Promise<Item> }[],
  length: number,
): Promise<Got> {
  const seen = new Set<string>()
  const wrong: string[] = []
  let lastAt = 0
  const answers = asked.map(async ({ cache, key, load }) => {
    try {
      const { run, text } = await cache.getOrSet<Item>(key, load)
      if (text === textOf(key, length)) seen.add(run)
      else wrong.push(`${key}: ${text.slice(0, 80)}, ${text.length} characters`)
    } catch (error) {
      wrong.push(`${key}: ${String(error)}`)
    }
    lastAt = now()
  })
  await Promise.all(answers)
  return { runs: [...seen], answers: asked.length, wrong: wrong.slice(0, 5), lastAt }
}

async function load(key: string, length: number): Promise<Item> {
  const run = `${name} ${++runs}`
  await held
  const item = { run, text: textOf(key, length) }
  ranAt = now()
  return item
}

let last = { key: '', length: 0, text: '' }

/** What everybody knows to be the value of the key. */
function textOf(key: string, length: number): string {
  if (last.key !== key || last.length !== length) last = { key, length, text: key.repeat(length / key.length + 1) }
  return last.text
}

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

serve(calls)
