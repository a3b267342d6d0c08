import { fieldOf } from '../src/stores/redis/info.ts'
import { startProcess } from '../test/redis/processes.ts'
import { startRedis } from '../test/redis/server.ts'
import type { CacheUse } from './caches/cache.ts'
import { type CacheName, titleOf } from './caches/names.ts'
import type { CallerCalls, CallerEvents } from './caller.ts'
import type { Caller } from './callers.ts'
import { tableOfProfiles } from './profiled.ts'
import { inTurn, median, quartiles } from './rounds.ts'
import type { Size, Table } from './scenario.ts'

/** One of those that are asked: a cache, and how it is used. */
export interface Contender {
  readonly cache: CacheName
  readonly title?: string
  readonly use?: Partial<CacheUse>
}

/** Hits of caches in processes of their own. */
export interface HitContest {
  readonly title: string
  readonly contenders: readonly Contender[]
  readonly keys: number
  /** Of a value, as JSON. */
  readonly bytes: number
  readonly distribution: 'uniform' | 'skewed'
  /** Loops that ask, each for one after the other. */
  readonly concurrency: number
  /** Of each contender in each round. */
  readonly times: number
  readonly rounds: number
}

/** What a hit costs, in µs of the processor, by the titles of contenders; and a table of it. */
export interface HitCosts {
  of(title: string): number
  table(base: string): Table
}

const TTL = 3_600_000

export function titleOfContender({ cache, title }: Contender): string {
  return title ?? titleOf(cache)
}

export function shortened<C extends HitContest>(contest: C, size: Size): C {
  return size === 'full' ? contest : { ...contest, keys: 10, times: 200, rounds: 1 }
}

/** A contender that is open, and has the values. */
interface Site {
  readonly contender: Contender
  readonly caller: Caller
  /** Asks for all that the contest wants. */
  ask(): Promise<{ readonly took: number; readonly cpu: number }>
  /** µs of the processor that its server has used so far. */
  serverCpu(): Promise<number>
}

/** Checks that all have the values; then each is asked in turn, round by round. */
export function contestOfHits(contest: HitContest): Promise<HitCosts> {
  const { times, rounds } = contest
  return among(contest, async (sites) => {
    const samples = await inTurn(sites, rounds, async ({ ask, serverCpu }) => {
      const before = await serverCpu()
      const { cpu, took } = await ask()
      return { cpu: cpu / times, server: ((await serverCpu()) - before) / times, rate: (times / took) * 1000 }
    })
    const rows = sites.map((site) => ({ title: titleOfContender(site.contender), samples: samples.get(site) ?? [] }))
    return costsOf(contest, rows)
  })
}

/** What the processes of the same contest do meanwhile. */
export function profilesOfHits(contest: HitContest): Promise<Table> {
  const { title, times, rounds } = contest
  return among(contest, async (sites) => {
    const profiles = await inTurn(sites, rounds, async ({ ask, caller }) => {
      await caller.call('beginProfile')
      await ask()
      return caller.call('endProfile')
    })
    const columns = sites.map((site) => ({
      title: titleOfContender(site.contender),
      profiles: profiles.get(site) ?? [],
      operations: times * rounds,
    }))
    return tableOfProfiles(title, columns)
  })
}

/** Opens all of them for as long as `run` takes. */
async function among<T>(
  { contenders, keys: count, bytes, distribution, times, concurrency }: HitContest,
  run: (sites: readonly Site[]) => Promise<T>,
): Promise<T> {
  const keys = Array.from({ length: count }, (_, i) => `product:${i}`)
  const sites: Site[] = []
  const opened: (() => Promise<void>)[] = []
  try {
    for (const contender of contenders) {
      const { cache, use } = contender
      const redis = await startRedis()
      opened.push(async () => redis[Symbol.asyncDispose]())
      const caller = await startProcess<CallerCalls, CallerEvents>(new URL('./caller.ts', import.meta.url))
      opened.push(() => caller.kill())
      await caller.call('open', cache, { redis: redis.url, ttl: TTL, lease: 10_000, ...use })
      await caller.call('fill', cache, keys, bytes)
      const ask = () => caller.call('hits', { cache, keys, distribution, times, concurrency })
      await ask() // compiled by now
      const inspector = redis.client()
      const serverCpu = async () => {
        const info = await inspector.info('cpu')
        return (Number(fieldOf(info, 'used_cpu_sys')) + Number(fieldOf(info, 'used_cpu_user'))) * 1e6
      }
      sites.push({ contender, caller, ask, serverCpu })
    }
    return await run(sites)
  } finally {
    await Promise.all(opened.map((close) => close()))
  }
}

interface Sampled {
  readonly title: string
  readonly samples: readonly { readonly cpu: number; readonly server: number; readonly rate: number }[]
}

function costsOf({ title, contenders }: HitContest, all: readonly Sampled[]): HitCosts {
  const areRead = contenders.some(({ use }) => use?.memory !== true)
  const of = (wanted: string) => {
    const found = all.find((one) => one.title === wanted)
    if (found === undefined) throw new Error(`${wanted} was not measured`)
    return median(found.samples.map(({ cpu }) => cpu))
  }
  return {
    of,
    table: (base) => ({
      title,
      figures: all.map(({ title: name, samples }) => ({
        cache: name,
        'CPU (µs/hit)': of(name),
        'quartiles (µs)': quartiles(samples.map(({ cpu }) => cpu))
          .map((value) => value.toFixed(2))
          .join('–'),
        ...(areRead ? { "Redis' CPU (µs/hit)": median(samples.map(({ server }) => server)) } : {}),
        'hits/s': Math.round(median(samples.map(({ rate }) => rate))),
        [`CPU, ${base} = 1`]: of(name) / of(base),
      })),
    }),
  }
}
