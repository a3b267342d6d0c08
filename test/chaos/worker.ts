/** One instance of a service, in a process of its own. crew.ts starts it, and hears what it writes down. */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import type { Cache } from '../../src/index.ts'
import type { RedisSource } from '../../src/stores/redis/index.ts'
import { createRandom } from '../core/schedule/random.ts'
import { serve } from '../redis/child.ts'
import type { Address } from '../redis/clusterNode.ts'
import { createDiary, type Diary } from './diary.ts'
import { listen } from './doing.ts'
import { monotonic } from './history.ts'
import { createLoaders } from './loader.ts'
import { createMoves } from './moves.ts'
import { openOrigin } from './origin.ts'
import type { Profile } from './profile.ts'
import { createRecorder } from './recorder.ts'
import { watchStalls } from './stall.ts'

export interface WorkerOptions {
  readonly name: string
  readonly seed: number
  readonly namespace: string
  readonly target: Target
  readonly originUrl: string
  readonly profile: Profile
  /** ms, as in the profile: by place. */
  readonly memory: number | null
  /** URL of the directory with the library's index.ts. */
  readonly source: string
}

/** Where the caches keep. */
export type Target =
  | { readonly type: 'single'; readonly url: string }
  | {
      readonly type: 'sentinel'
      readonly name: string
      readonly sentinels: readonly Address[]
      readonly natMap: Readonly<Record<string, Address>>
    }
  | { readonly type: 'cluster'; readonly nodes: readonly Address[]; readonly natMap: Readonly<Record<string, Address>> }

export interface Stopped {
  /** Calls that do not end. */
  readonly open: number
  /** How often each event happened. */
  readonly events: Readonly<Record<string, number>>
}

/** ms: far more than a cache takes to close. */
const CLOSE_LIMIT = 10_000

const recorder = createRecorder((batch) => tell('records', batch))
let cache: Cache | undefined
let diary: Diary | undefined
let lanes: Promise<unknown>[] = []
let stopping = false

const calls = {
  /** Begins; does not wait for Redis. */
  async start({ name, seed, namespace, target, originUrl, profile, memory, source }: WorkerOptions): Promise<void> {
    const { createCache }: typeof import('../../src/index.ts') = await import(`${source}/index.ts`)
    const { redisStore }: typeof import('../../src/stores/redis/index.ts') = await import(
      `${source}/stores/redis/index.ts`
    )
    const store = redisStore(sourceAt(target))
    const opened = createCache({
      namespace,
      store,
      ttl: 60_000,
      commandTimeout: profile.commandTimeout,
      breaker: { failures: 5, retryAfter: 300 },
      ...(memory === null ? {} : { memory: { ttl: memory } }),
    })
    cache = opened
    opened.on('*', listen(recorder))
    const random = createRandom(seed)
    const origin = openOrigin(originUrl)
    const loaders = createLoaders({ name, profile, origin, recorder, random })
    diary = createDiary(recorder)
    const moves = createMoves({ cache: opened, profile, origin, loaders, recorder, diary, random })
    moves.keep()
    watchStalls((from, at) => recorder.write({ type: 'trouble', name: 'stall', from, at, text: '' }))
    lanes = Array.from({ length: profile.lanes }, async () => {
      while (!stopping) {
        await moves.next().catch((error: unknown) => trouble(`a move failed: ${String(error)}`))
        await delay(random.next() * profile.rest)
      }
    })
  },

  /** Begins nothing more, waits for what is under way, at most so many ms, and hands over all records. */
  async stop(limit: number): Promise<Stopped> {
    stopping = true
    await Promise.race([Promise.all(lanes), delay(limit)])
    const open = diary?.open ?? 0
    const closed = await Promise.race([cache?.close().then(() => true), delay(CLOSE_LIMIT, false)])
    if (!closed) trouble(`close did not end within ${CLOSE_LIMIT} ms`)
    const events = cache?.stats().events ?? {}
    recorder.close()
    return { open, events }
  },
}

export type WorkerCalls = typeof calls
/** A JSON array of records. */
export type WorkerEvents = { records: string }

const tell = serve<WorkerEvents>(calls)

function sourceAt(target: Target): RedisSource {
  switch (target.type) {
    case 'single':
      return target.url
    case 'sentinel': {
      const { name, sentinels, natMap } = target
      return { name, sentinels: [...sentinels], natMap: { ...natMap } }
    }
    case 'cluster':
      return new Cluster([...target.nodes], { natMap: { ...target.natMap }, lazyConnect: true })
    default:
      return target satisfies never
  }
}

function trouble(text: string): void {
  const at = monotonic()
  recorder.write({ type: 'trouble', name: 'unhandled', from: at, at, text })
}

process.on('unhandledRejection', (reason) => {
  // The stack says whose it is.
  trouble(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`)
})
process.on('uncaughtException', (error) => trouble(`uncaught: ${error.stack ?? String(error)}`))
process.on('warning', (warning) => {
  if (warning.name !== 'AtomcacheWarning') trouble(`warning: ${warning.name}: ${warning.message}`)
})
