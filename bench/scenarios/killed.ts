import { setTimeout as delay } from 'node:timers/promises'
import { startRedis } from '../../test/redis/server.ts'
import { type CacheName, LOCKING, SHARED, titleOf } from '../caches/names.ts'
import { type Callers, runsOf, startCallers } from '../callers.ts'
import { inTurn, median } from '../rounds.ts'
import { atLeast, atMost, type Scenario } from '../scenario.ts'

/** Besides the one that is killed. */
const PROCESSES = { short: 2, full: 3 }
/** Of each process. */
const CALLERS = 10
/** ms from when the others begin to wait. */
const KILL_AFTER = 50
const EFFORT = {
  short: { lease: 500, loaderTime: 150, rounds: 1 },
  full: { lease: 2000, loaderTime: 500, rounds: 7 },
}

interface Sample {
  /** Of the loader, in those that go on. */
  readonly runs: number
  /** ms from when the one that is killed asks, just before it claims, to the last answer of the others. */
  readonly took: number
}

export const killed: Scenario = {
  name: 'killed',
  says: 'The process that loads for all of them is killed while it does: when the others are answered, after how many further runs.',
  async run(size, say) {
    const { lease, loaderTime, rounds } = EFFORT[size]
    await using redis = await startRedis()
    const use = { redis: redis.url, ttl: 600_000, lease }
    await using others = await startCallers(PROCESSES[size], LOCKING, use)
    for (const cache of LOCKING) await others.warm(cache)
    const samples = await inTurn(LOCKING, rounds, async (cache, round) => {
      await using victims = await startCallers(1, [cache], use)
      say(`${cache}, ${round + 1} of ${rounds}`)
      return await kill(victims, others, asked(cache, `killed-${round}-${cache}`, loaderTime))
    })
    const took = (cache: CacheName) => median((samples.get(cache) ?? []).map((sample) => sample.took))
    const rows = LOCKING.map((cache) => ({
      cache: titleOf(cache),
      'further runs': median((samples.get(cache) ?? []).map(({ runs }) => runs)),
      'last answer after the claim (ms)': took(cache),
      'lease and loader = 1': took(cache) / (lease + loaderTime),
    }))
    const without = SHARED.filter((cache) => !LOCKING.includes(cache)).map((cache) => ({
      cache: titleOf(cache),
      'further runs': 'no lock',
      'last answer after the claim (ms)': '–',
      'lease and loader = 1': '–',
    }))
    const ours = samples.get('atomcache') ?? []
    return {
      tables: [
        {
          title: `Killed while it loads, lease of ${lease} ms, loader of ${loaderTime} ms`,
          figures: [...rows, ...without],
        },
      ],
      goals: [
        atLeast('atomcache, further runs in any round', 1, Math.min(...ours.map(({ runs }) => runs))),
        atMost('atomcache, further runs in any round', 1, Math.max(...ours.map(({ runs }) => runs))),
        atMost(
          'atomcache, last answer in any round, of lease and loader',
          1.05,
          Math.max(...ours.map(({ took }) => took)) / (lease + loaderTime),
        ),
      ],
    }
  },
}

function asked(cache: CacheName, key: string, loaderTime: number) {
  return { cache, keys: [key], callersPerKey: CALLERS, loaderTime }
}

async function kill(victims: Callers, others: Callers, ask: ReturnType<typeof asked>): Promise<Sample> {
  const [victim] = victims.processes
  if (victim === undefined) throw new Error('There is nobody to be killed.')
  await victims.warm(ask.cache)
  const ending = victim.call('stampede', { ...ask, tells: true }).then(
    () => Promise.reject(new Error(`${ask.cache} was not killed in time`)),
    () => undefined,
  )
  const { startedAt } = await victim.next('loading')
  const waiting = others.stampede(ask)
  waiting.catch(() => undefined) // heard below
  await delay(KILL_AFTER)
  await victim.kill()
  await ending
  const outcomes = await waiting
  return { runs: runsOf(outcomes), took: Math.max(...outcomes.map(({ lastAt }) => lastAt)) - startedAt }
}
