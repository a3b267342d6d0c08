import { startProcess } from '../../test/redis/processes.ts'
import { IN_MEMORY, titleOf } from '../caches/names.ts'
import { contestOfHits, type HitContest, shortened } from '../hits.ts'
import type { WaysCalls } from '../memory/ways.ts'
import { median } from '../rounds.ts'
import { atMost, type Scenario, type Size, type Table } from '../scenario.ts'

const LEAST = titleOf('lruCache')
const OURS = titleOf('atomcache')
/** Of the ways to ask: the goal is judged by both, and this is the harder one. */
const BARE = 'lru-cache alone, no ttl'
const STRING_KEY = 'getOrSet, a string as key'

/** What is asked for. */
export const CONTEST: Omit<HitContest, 'contenders'> = {
  title: 'Hits in memory, 1 KB',
  keys: 1000,
  bytes: 1024,
  distribution: 'uniform',
  concurrency: 1,
  times: 200_000,
  rounds: 15,
}

export const memory: Scenario = {
  name: 'memory',
  says: 'Hits of what the process has in memory, 1 KB: CPU time for a hit, and for what an asynchronous function around lru-cache does.',
  async run(size, say) {
    const costs = await contestOfHits(
      shortened({ ...CONTEST, contenders: IN_MEMORY.map((cache) => ({ cache, use: { memory: true } })) }, size),
    )
    const peers = IN_MEMORY.map(titleOf).filter((title) => title !== LEAST && title !== OURS)
    say('ways to ask')
    const ways = await costsOfWays(size)
    return {
      tables: [costs.table(LEAST), tableOfWays(ways)],
      goals: [
        atMost(`${STRING_KEY}, of ${BARE}`, 3, (ways.get(STRING_KEY) ?? Number.NaN) / (ways.get(BARE) ?? Number.NaN)),
        atMost(`${OURS}, of ${LEAST}`, 3, costs.of(OURS) / costs.of(LEAST)),
        atMost(`${OURS}, of the best peer`, 1 / 2, costs.of(OURS) / Math.min(...peers.map((title) => costs.of(title)))),
      ],
    }
  },
}

/** µs of the processor for a hit. */
async function costsOfWays(size: Size): Promise<ReadonlyMap<string, number>> {
  await using ways = await startProcess<WaysCalls>(new URL('../memory/ways.ts', import.meta.url))
  const samples = await ways.call('measure', size === 'short' ? 1 : 15, size === 'short' ? 1000 : 200_000)
  await ways.call('close')
  return new Map([...samples].map(([how, all]) => [how, median(all) / 1000]))
}

function tableOfWays(costs: ReadonlyMap<string, number>): Table {
  return {
    title: 'Ways to ask for what is in memory, 1 KB',
    figures: [...costs].map(([how, cost]) => ({
      how,
      'CPU (µs/hit)': cost,
      [`CPU, ${BARE} = 1`]: cost / (costs.get(BARE) ?? Number.NaN),
    })),
  }
}
