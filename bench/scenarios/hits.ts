import { type CacheName, ON_IOREDIS, PEERS, titleOf } from '../caches/names.ts'
import { type Contender, contestOfHits, type HitContest, shortened, titleOfContender } from '../hits.ts'
import { atMost, type Goal, played, type Scenario, type Table } from '../scenario.ts'

const HAND = titleOf('getByHand')
const OURS = titleOf('atomcache')
export const plain = (cache: CacheName): Contender => ({ cache })
export const pipelined = (cache: CacheName): Contender => {
  return { cache, title: `${titleOf(cache)}, autopipelined`, use: { autopipelining: true } }
}
const PIPELINED = titleOfContender(pipelined('getByHand'))
const OTHERS = PEERS.flatMap((cache) =>
  ON_IOREDIS.includes(cache) ? [plain(cache), pipelined(cache)] : [plain(cache)],
)
const CONTENDERS: readonly Contender[] = [
  plain('rawGet'),
  pipelined('rawGet'),
  plain('getByHand'),
  pipelined('getByHand'),
  plain('mgetByHand'),
  plain('byHand'),
  plain('atomcache'),
  ...OTHERS,
]
const PEER_TITLES = OTHERS.map(titleOfContender)
/**
 * Nothing is smaller than a kilobyte by much, and few values are larger than fifty. So many in a round that what a process needs to
 * get going again, after the others had their turn, hardly counts.
 */
const SMALL = { keys: 1000, bytes: 1024, distribution: 'uniform', concurrency: 32, times: 25_000, rounds: 7 } as const
const LARGE = { ...SMALL, keys: 200, bytes: 50 * 1024, times: 1_500 }
/** What is asked for; by what their figures are divided. */
export const CONTESTS: readonly (Omit<HitContest, 'contenders'> & { readonly base: string })[] = [
  { title: 'Hits over Redis, 1 KB', base: PIPELINED, ...SMALL },
  {
    title: 'Hits over Redis, 1 KB, nine of ten for a tenth of the keys',
    base: PIPELINED,
    ...SMALL,
    distribution: 'skewed',
    rounds: 5,
  },
  { title: 'Hits over Redis, 50 KB', base: HAND, ...LARGE },
  {
    title: 'Hits over Redis, 1 KB, one after the other',
    base: HAND,
    ...SMALL,
    concurrency: 1,
    times: 5_000,
    rounds: 5,
  },
]

export const hits: Scenario = {
  name: 'hits',
  says: 'Hits over Redis, without memory: CPU time of the process for a hit, and of its server.',
  async run(size, say) {
    const tables: Table[] = []
    const goals: Goal[] = []
    for (const { base, ...contest } of played(CONTESTS, size)) {
      say(contest.title)
      const costs = await contestOfHits(shortened({ ...contest, contenders: CONTENDERS }, size))
      tables.push(costs.table(base))
      const ours = costs.of(OURS)
      goals.push(
        atMost(`${contest.title}, of ${base}`, 1.15, ours / costs.of(base)),
        atMost(
          `${contest.title}, of the best peer`,
          1,
          ours / Math.min(...PEER_TITLES.map((title) => costs.of(title))),
        ),
      )
    }
    return { tables, goals }
  },
}
