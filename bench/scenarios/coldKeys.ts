import { startRedis } from '../../test/redis/server.ts'
import { SHARED } from '../caches/names.ts'
import { startCallers } from '../callers.ts'
import { median } from '../rounds.ts'
import { rowOf, rush, rushedOf } from '../rush.ts'
import { atLeast, atMost, type Scenario } from '../scenario.ts'

const PROCESSES = { short: 2, full: 4 }
/** Of each key in each process. */
const CALLERS = 5
const LEASE = 5000
const EFFORT = {
  short: { keys: 20, loaderTime: 50, rounds: { timed: 1, counted: 1 } },
  full: { keys: 200, loaderTime: 200, rounds: { timed: 9, counted: 3 } },
}

export const coldKeys: Scenario = {
  name: 'coldKeys',
  says: 'Four processes ask for 200 cold keys in one moment, five callers for each: runs of the loader and commands.',
  async run(size, say) {
    await using redis = await startRedis()
    const use = { redis: redis.url, ttl: 600_000, lease: LEASE, patient: true }
    await using callers = await startCallers(PROCESSES[size], SHARED, use)
    const { keys, loaderTime, rounds } = EFFORT[size]
    const asked = { name: 'coldKeys', keys, callersPerKey: CALLERS, loaderTime, rounds }
    const rushed = await rush(callers, redis.url, SHARED, asked, say)
    const figures = [...rushed].map(([cache, got]) => {
      const row = rowOf(cache, got)
      return { ...row, 'commands per key': row.commands / keys, 'beyond the loader (ms)': median(got.beyond) }
    })
    const { runs, commands } = rushedOf(rushed, 'atomcache')
    return {
      tables: [{ title: `${keys} cold keys, loader of ${loaderTime} ms`, figures }],
      goals: [
        atLeast(`atomcache, runs for ${keys} keys in any round`, keys, Math.min(...runs)),
        atMost(`atomcache, runs for ${keys} keys in any round`, keys, Math.max(...runs)),
        atMost('atomcache, commands per key in any round in which they are counted', 9, Math.max(...commands) / keys),
      ],
    }
  },
}
