/** One instance of a service in a process of its own. crew.ts starts it, tells it what to do, and hears what happens. */
import { existsSync } from 'node:fs'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import {
  type Cache,
  type CacheEvent,
  type CacheOptions,
  createCache,
  type InvalidateOptions,
  LoaderError,
  UnconfirmedError,
} from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { type Gate, type GatedStep, type GatedStore, gatedStore } from '../core/gates.ts'
import { serve } from '../redis/child.ts'
import { churnTags } from './churn.ts'
import { freshnessCalls } from './freshnessCalls.ts'
import { type ClusterPlace, clientAt, type PlacedClient, type SentinelPlace, sourceAt } from './place.ts'

/** What a loader does; it first counts and tells its run. */
export interface LoaderSpec {
  /** What it returns. Default: the process's name and the number of its run: `A 1`. */
  value?: unknown
  /** It runs until the test calls `finish`. */
  held?: boolean
  /** It blocks the event loop until this file exists. */
  blocksUntil?: string
  /** It fails. */
  throws?: ErrorSpec
}

export interface ErrorSpec {
  name?: string
  message: string
  code?: string
  extensions?: Record<string, unknown>
}

export interface AskOptions {
  ttl?: number
  leaseTtl?: number
  maxFlightTime?: number
  waitTimeout?: number
  forceRefresh?: boolean
  staleWhileRevalidate?: number
  staleIfError?: number
  softTimeout?: number
  tags?: readonly string[]
  /** Tags that are a function of the value: known only when the loader is done. */
  lateTags?: readonly string[]
}

/** What the store did not confirm. */
export interface Unconfirmed {
  keys: readonly string[]
  tags: readonly string[]
  message: string
}

/** What the callers of one `ask` got. Times are ms of the machine's monotonic clock, the same in all processes. */
export interface Asked {
  /** The distinct answers. */
  values: unknown[]
  errors: ErrorSaid[]
  callers: number
  askedAt: number
  /** When the first and the last caller had its answer. */
  firstAt: number
  lastAt: number
}

export interface ErrorSaid extends ErrorSpec {
  name: string
  /** Whether it is a LoaderError: it came from another instance. */
  shared: boolean
  hasStack: boolean
}

/** An event of the cache, or of a loader; of an error only what structured clone would lose is taken along. */
export type Said =
  | CacheEvent
  | { readonly type: 'load' | 'loaded' | 'failed'; readonly key: string; readonly value: unknown }
  | { readonly type: 'held'; readonly step: GatedStep }

export interface Heard {
  /** Which of the caches that this process had, one after another. */
  cache: number
  at: number
  event: Said
}

export interface OpenOptions {
  /** The URL of a server, or a cluster, or sentinels. */
  place: string | ClusterPlace | SentinelPlace
  name: string
  cache: CacheOptions
  /** Nobody listens to the cache: what it has to say becomes process warnings. */
  unheard: boolean
  /** There are gates on the way to the store. */
  gated: boolean
}

let caches = 0
let cache: Cache
/** What the user of a cluster has, and gives to the cache. */
let client: PlacedClient | undefined
let gates: GatedStore | undefined
let held: Gate[] = []
let name: string
let heard: Heard[] = []
let runs = new Map<string, { count: number; now: number; most: number }>()
const holds = new Map<string, (() => void)[]>()

const calls = {
  /** Closes the cache of the test before, and opens one. Does not wait for Redis. */
  async open(options: OpenOptions): Promise<number> {
    await calls.reset()
    caches++
    heard = []
    runs = new Map()
    const own = caches
    name = options.name
    const { place } = options
    const source = typeof place === 'string' ? place : 'sentinels' in place ? sourceAt(place) : clientAt(place)
    client = typeof source === 'object' && 'disconnect' in source ? source : undefined
    const store = redisStore(source)
    gates = options.gated ? gatedStore(store) : undefined
    cache = createCache({ store: gates ?? store, ttl: 60_000, ...options.cache })
    if (!options.unheard) cache.on('*', (event) => say(own, event))
    return own
  },

  /** Ends what a test may have left behind. */
  async reset(): Promise<void> {
    finishAll()
    calls.letGo()
    await cache?.close()
    client?.disconnect()
    client = undefined
  },

  ready: () => cache.ready(),

  /** `callers` callers ask for the key in one tick. */
  async ask(key: string, callers: number, spec: LoaderSpec = {}, said: AskOptions = {}): Promise<Asked> {
    const { lateTags, ...rest } = said
    const options = lateTags === undefined ? rest : { ...rest, tags: () => lateTags }
    const askedAt = monotonic()
    let firstAt = 0
    const asking = Array.from({ length: callers }, () =>
      cache
        .getOrSet(key, () => load(key, spec), options)
        .finally(() => {
          firstAt ||= monotonic()
        }),
    )
    const results = await Promise.allSettled(asking)
    const lastAt = monotonic()
    const values = new Map<string, unknown>()
    const errors = new Map<string, ErrorSaid>()
    for (const result of results) {
      if (result.status === 'fulfilled') values.set(inspect(result.value), result.value)
      else errors.set(inspect(errorSaid(result.reason), { depth: 5 }), errorSaid(result.reason))
    }
    return { values: [...values.values()], errors: [...errors.values()], callers, askedAt, firstAt, lastAt }
  },

  /** One caller for each key, all in one tick; the answers in order. */
  askEach: (keys: string[], spec: LoaderSpec = {}, tags: readonly string[] = []): Promise<unknown[]> =>
    Promise.all(keys.map((key) => cache.getOrSet(key, () => load(key, spec), { tags }))),

  /** Lets the held loaders of the key go on, and those that come. */
  finish(key: string): void {
    for (const go of holds.get(key) ?? []) go()
    holds.delete(key)
  },

  /** Holds the `nth` next such step before it is sent; tells when it has come so far. */
  hold(step: GatedStep, nth = 1): void {
    const own = caches
    for (let i = 1; i <= nth; i++) {
      const gate = gates?.before(step)
      if (gate === undefined) throw new Error('open it with gates')
      if (i < nth) gate.open()
      else held.push(gate)
    }
    void held.at(-1)?.reached.then(() => say(own, { type: 'held', step }))
  },

  /** Lets all go on that is held. */
  letGo(): void {
    for (const gate of held) gate.open()
    held = []
  },

  ...freshnessCalls(
    () => cache,
    (key, spec) => load(key, spec),
  ),

  get: (key: string) => cache.get(key),
  getMany: (keys: string[]) => cache.getMany(keys),
  set: (key: string, value: unknown, ttl = 60_000, tags: readonly string[] = []) =>
    cache.set(key, value, { ttl, tags }),
  /** Each key's value is the key. */
  setMany: (keys: string[], tags: readonly string[]) =>
    cache.setMany(
      keys.map((key) => [key, key] as const),
      { tags },
    ),
  invalidate: (...keys: string[]) => cache.invalidate({ keys }),
  invalidateTags: (...tags: string[]) => cache.invalidate({ tags }),
  clear: () => cache.clear(),

  /** What was not confirmed of an invalidation, a tagged write (`set`), or of clearing all (`{}`); nothing if it holds. */
  async unconfirmed(what: InvalidateOptions & { set?: readonly [key: string, tags: string[]] }) {
    const { set, ...rest } = what
    const done =
      set !== undefined
        ? cache.set(set[0], 'set', { tags: set[1] })
        : Object.keys(rest).length > 0
          ? cache.invalidate(rest)
          : cache.clear()
    return done.then(
      () => undefined,
      (error): Unconfirmed => {
        if (!(error instanceof UnconfirmedError)) throw error
        return { keys: error.keys, tags: error.tags, message: error.message }
      },
    )
  },

  stats: () => cache.stats(),

  /** Asks the store something, so that the breaker may try it, and tells how things are then. */
  async probe() {
    const { hit, miss } = cache.stats().events
    await cache.get('probe')
    const { events, breaker, inbox } = cache.stats()
    return { answered: events.hit + events.miss > hit + miss, breaker, inbox }
  },

  /** How often the key's loader ran here, and how many of them at once. */
  runs: (key: string) => ({ count: runs.get(key)?.count ?? 0, most: runs.get(key)?.most ?? 0 }),
  heard: () => heard,

  /** Closes the cache; resolves with how long that took, in ms. */
  async close(): Promise<number> {
    const startedAt = monotonic()
    await cache.close()
    return monotonic() - startedAt
  },

  /** From now on nothing but what the cache left open keeps this process alive. */
  leave(): void {
    process.channel?.unref()
  },

  /**
   * Round for round: a new version is written to the origin, the key invalidated, then asked for. How many answers
   * were older than the version written before.
   */
  async churn(url: string, origin: string, key: string, rounds: number): Promise<number> {
    const database = new Redis(url)
    let stale = 0
    try {
      for (let round = 0; round < rounds; round++) {
        const version = await database.incr(origin)
        await cache.invalidate({ keys: [key] })
        const load = async () => Number(await database.get(origin))
        const [first, second] = await Promise.all([cache.getOrSet(key, load), cache.getOrSet(key, load)])
        if (first < version || second < version) stale++
      }
    } finally {
      database.disconnect()
    }
    return stale
  },

  churnTags: (url: string, origin: string, keys: string[], tags: string[], rounds: number) =>
    churnTags(cache, { url, origin, keys, tags, rounds }),

  /** How the user's client of the cluster is. */
  clientStatus: () => client?.status,
}

export type WorkerCalls = typeof calls
export type WorkerEvents = { heard: Heard }

const tell = serve<WorkerEvents>(calls)

/** Of the thousands of callers that join or hit, one hit in a row is told; `stats` counts them all. */
function say(of: number, event: Said): void {
  const last = heard.at(-1)?.event
  if (event.type === 'join') return
  const hits = event.type === 'hit' || event.type === 'memoryHit' || event.type === 'stale'
  if (hits && last?.type === event.type && last.key === event.key) return
  const said = 'error' in event ? { ...event, error: plain(event.error) } : event
  const item = { cache: of, at: monotonic(), event: said as Said }
  if (of === caches) heard.push(item)
  tell('heard', item)
}

function plain(error: unknown): object {
  const { name, message, code } = error as { name?: string; message?: string; code?: string }
  return { name, message, code }
}

async function load(key: string, spec: LoaderSpec): Promise<unknown> {
  const own = caches
  const run = runs.get(key) ?? { count: 0, now: 0, most: 0 }
  runs.set(key, run)
  run.count++
  run.most = Math.max(run.most, ++run.now)
  const value = 'value' in spec ? spec.value : `${name} ${run.count}`
  say(own, { type: 'load', key, value })
  try {
    if (spec.held) await new Promise<void>((go) => holds.set(key, [...(holds.get(key) ?? []), go]))
    if (spec.blocksUntil !== undefined) block(spec.blocksUntil)
  } finally {
    run.now--
  }
  if (spec.throws !== undefined) {
    say(own, { type: 'failed', key, value: spec.throws.message })
    throw Object.assign(new Error(spec.throws.message), spec.throws)
  }
  say(own, { type: 'loaded', key, value })
  return value
}

function finishAll(): void {
  for (const key of [...holds.keys()]) calls.finish(key)
}

/** No timer fires and no message is read meanwhile. */
function block(file: string): void {
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(file)) Atomics.wait(nothing, 0, 0, 2)
}

function errorSaid(reason: unknown): ErrorSaid {
  const { name, message, code, extensions, stack } = reason as ErrorSpec & Error
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(extensions === undefined ? {} : { extensions }),
    shared: reason instanceof LoaderError,
    hasStack: stack !== undefined,
  }
}

function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
