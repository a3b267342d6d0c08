import { startRedis } from '../../test/redis/server.ts'
import { type CacheName, titleOf } from '../caches/names.ts'
import { type Callers, startCallers } from '../callers.ts'
import { commandsDuring, countNaming } from '../commands.ts'
import { inTurn, median } from '../rounds.ts'
import { atMost, type Scenario } from '../scenario.ts'
import { bytesDuring } from '../traffic.ts'

const CACHES: readonly CacheName[] = ['byHand', 'atomcache']
/** `callers`: of each process; `loaderTime`: ms, all have asked before it is over. */
const EFFORT = {
  short: { processes: [1, 2, 4], callers: [1, 100], loaderTime: 60, rounds: { timed: 1, counted: 1 } },
  full: { processes: [1, 2, 4, 8], callers: [1, 10, 100, 1000], loaderTime: 300, rounds: { timed: 5, counted: 2 } },
}

interface Combination {
  readonly cache: CacheName
  readonly processes: number
  readonly callers: number
}

export const growth: Scenario = {
  name: 'growth',
  says: 'One cold key of 1 KB, asked for by ever more callers in ever more processes: commands, bytes, and when those that wait are told.',
  async run(size, say) {
    const { processes: counts, callers: callerCounts, loaderTime, rounds } = EFFORT[size]
    await using redis = await startRedis()
    const use = { redis: redis.url, ttl: 600_000, lease: 10_000, patient: true }
    await using crew = await startCallers(Math.max(...counts), CACHES, use)
    const combinations = CACHES.flatMap((cache) =>
      counts.flatMap((processes) => callerCounts.map((callers): Combination => ({ cache, processes, callers }))),
    )
    for (const cache of CACHES) {
      await crew.warm(cache)
      await play(crew, { cache, processes: Math.max(...counts), callers: Math.max(...callerCounts) }, 'warm', 20)
    }
    say(`${combinations.length} combinations`)
    const inspector = redis.client()
    const timed = await inTurn(combinations, rounds.timed, async (combination, round) => {
      const [latency, bytes] = await bytesDuring(inspector, () => play(crew, combination, `timed-${round}`, loaderTime))
      return { ...bytes, latency }
    })
    const counted = await inTurn(combinations, rounds.counted, async (combination, round) => {
      const part = `counted-${round}`
      const playing = () => play(crew, combination, part, loaderTime)
      const [, records] = await commandsDuring(redis.url, playing)
      return countNaming(keyOf(combination, part), records)
    })
    const commandsOf = (combination: Combination) => counted.get(combination) ?? []
    const figures = combinations.map((combination) => {
      const samples = timed.get(combination) ?? []
      const latency = median(samples.map((sample) => sample.latency))
      return {
        cache: titleOf(combination.cache),
        processes: combination.processes,
        callers: combination.callers,
        commands: median(commandsOf(combination)),
        // The least: instances send something to themselves now and then.
        'bytes in': Math.min(...samples.map(({ received }) => received)),
        'bytes out': Math.min(...samples.map(({ sent }) => sent)),
        // Of one process nobody waits for another.
        'follower latency (ms)': combination.processes === 1 ? '–' : latency,
      }
    })
    const ours = combinations.filter(({ cache }) => cache === 'atomcache')
    const byProcesses = counts.map((count) => ours.filter(({ processes }) => processes === count).flatMap(commandsOf))
    return {
      tables: [{ title: 'One cold key by processes and callers', figures }],
      goals: [
        ...byProcesses.map((all, i) =>
          atMost(
            `atomcache, ${counts[i]} processes, commands more for ${Math.max(...callerCounts)} callers than for one`,
            0,
            Math.max(...all) - Math.min(...all),
          ),
        ),
        atMost('atomcache, commands off a straight line through 1 and 2 processes', 0, offLine(counts, byProcesses)),
      ],
    }
  },
}

/** Median ms from the end of the loader to the first answer in each other process; NaN where there is none. */
async function play(crew: Callers, combination: Combination, part: string, loaderTime: number): Promise<number> {
  const { cache, processes, callers } = combination
  const asked = { cache, keys: [keyOf(combination, part)], callersPerKey: callers, loaderTime }
  const outcomes = await crew.stampede(asked, processes)
  const loadedAt = Math.max(...outcomes.map((outcome) => outcome.loadedAt))
  return median(outcomes.flatMap(({ runs, firstAt }) => (runs === 0 ? [firstAt - loadedAt] : [])))
}

function keyOf({ cache, processes, callers }: Combination, part: string): string {
  return `growth-${part}-${cache}-${processes}-${callers}-`
}

/** `counts` begins with 1 and 2. */
function offLine(counts: readonly number[], byProcesses: readonly (readonly number[])[]): number {
  const [one = Number.NaN, two = Number.NaN] = byProcesses.map((all) => median(all))
  const off = byProcesses.map((all, i) => median(all) - one - ((counts[i] ?? Number.NaN) - 1) * (two - one))
  return Math.max(...off.map(Math.abs))
}
