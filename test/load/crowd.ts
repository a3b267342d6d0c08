import { strict as assert } from 'node:assert'
import type { CacheOptions } from '../../src/index.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type NodeProcess, startProcess } from '../redis/processes.ts'
import type { Got, InstancesCalls, Standing } from './instances.ts'

export interface CrowdOptions {
  readonly redis: string
  readonly processes: number
  /** Instances in each. Default: 1. */
  readonly caches?: number
  readonly cache?: Omit<CacheOptions, 'store' | 'namespace'>
}

/** Processes with instances that share one cache. */
export interface Crowd extends AsyncDisposable {
  readonly namespace: string
  readonly processes: readonly NodeProcess<InstancesCalls, Record<string, never>>[]
  /** What is so in each, added up. */
  standing(): Promise<Standing>
  /** Runs of the origin so far, and when the last of them ended. */
  runs(): Promise<{ readonly runs: number; readonly ranAt: number }>
}

/** ms: nobody on a busy machine may take what is only slow for what is dead. */
export const PATIENT = { commandTimeout: 20_000, leaseTtl: 600_000 }

export async function startCrowd({ redis, processes: count, caches = 1, cache }: CrowdOptions): Promise<Crowd> {
  const namespace = testNamespace('load')
  const started = await Promise.allSettled(
    Array.from({ length: count }, () =>
      startProcess<InstancesCalls, Record<string, never>>(new URL('./instances.ts', import.meta.url)),
    ),
  )
  const processes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const dispose = async () => void (await Promise.all(processes.map((process) => process[Symbol.asyncDispose]())))
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason
    const options = { redis, caches, cache: { ttl: 600_000, ...cache, namespace } }
    await Promise.all(processes.map((process, i) => process.call('start', { ...options, name: `process-${i + 1}` })))
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    namespace,
    processes,
    standing: async () => (await Promise.all(processes.map((process) => process.call('standing')))).reduce(sumOf),
    async runs() {
      const all = await Promise.all(processes.map((process) => process.call('runs')))
      return { runs: all.reduce((sum, { runs }) => sum + runs, 0), ranAt: Math.max(...all.map(({ ranAt }) => ranAt)) }
    },
    [Symbol.asyncDispose]: dispose,
  }
}

/** What all of them got, where nobody got anything else than the value of what was asked for. */
export function expectRight(got: readonly Got[]): Pick<Got, 'runs' | 'answers' | 'lastAt'> {
  const wrong = got.flatMap((one) => one.wrong)
  assert.deepEqual(wrong, [], 'somebody was not answered with the value')
  return {
    runs: [...new Set(got.flatMap(({ runs }) => runs))],
    answers: got.reduce((sum, { answers }) => sum + answers, 0),
    lastAt: Math.max(...got.map(({ lastAt }) => lastAt)),
  }
}

/** How often each event happened since. */
export function eventsSince(before: Standing, after: Standing): Standing['events'] {
  const types = Object.keys(after.events) as (keyof Standing['events'])[]
  return Object.fromEntries(types.map((type) => [type, after.events[type] - before.events[type]])) as Standing['events']
}

function sumOf(one: Standing, other: Standing): Standing {
  const types = Object.keys(one.events) as (keyof Standing['events'])[]
  return {
    events: Object.fromEntries(
      types.map((type) => [type, one.events[type] + other.events[type]]),
    ) as Standing['events'],
    open: one.open + other.open,
    deaf: one.deaf + other.deaf,
    rss: one.rss + other.rss,
  }
}
