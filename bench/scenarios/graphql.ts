import type { Contestant } from '../graphql/server.ts'
import { type Cost, contest, cpuOf, effort, type Question, rowsOf } from '../http/contest.ts'
import { productsOf, QUERY } from '../products.ts'
import { atMost, type Goal, played, type Scenario, type Table } from '../scenario.ts'

export const PEER = 'plugin-response-cache, Redis'
export const HAND = 'Yoga and GET by hand'
const CONTESTANTS: readonly Contestant[] = [
  'node:http and GET',
  'Yoga and GET by hand, de-duplicated',
  HAND,
  'atomcache early',
  'atomcache',
  'atomcache early, memory',
  'atomcache, memory',
  PEER,
  'envelop response-cache, Redis',
  'plugin-response-cache, memory',
  'envelop response-cache, memory',
]
/** Of the answer in bytes, about; how many products that is, and what a hit may cost of the peer's: default and `early`. */
export const SIZES = [
  { size: '5 KB', first: 38, share: 1 / 1.2, earlyShare: 1 / 4 },
  { size: '50 KB', first: 375, share: 1 / 2, earlyShare: 1 / 5 },
]

export const graphql: Scenario = {
  name: 'graphql',
  says: 'Hits of whole GraphQL responses over HTTP: CPU time of the server for a request.',
  async run(size, say) {
    const tables: Table[] = []
    const goals: Goal[] = []
    for (const { size: bytes, first, share, earlyShare } of played(SIZES, size)) {
      const costs = await contest({ ...graphqlQuestion(first, CONTESTANTS), ...effort(size) }, say)
      tables.push({ title: `GraphQL hits, ${bytes}`, figures: rowsOf<Contestant>(costs, PEER, HAND) })
      goals.push(
        atMost(`atomcache, ${bytes}, of ${PEER}`, share, ratio(costs, 'atomcache', PEER)),
        atMost(`atomcache early, ${bytes}, of ${PEER}`, earlyShare, ratio(costs, 'atomcache early', PEER)),
        atMost(`atomcache early, ${bytes}, of ${HAND}`, 1.3, ratio(costs, 'atomcache early', HAND)),
      )
    }
    return { tables, goals }
  },
}

/** For so many products. */
export function graphqlQuestion(first: number, contestants: readonly Contestant[]): Question<Contestant> {
  return {
    server: new URL('../graphql/server.ts', import.meta.url),
    contestants,
    asks: { body: JSON.stringify({ query: QUERY, variables: { first }, operationName: 'Products' }) },
    answer: JSON.stringify({ data: { products: productsOf(first) } }),
  }
}

function ratio(costs: ReadonlyMap<Contestant, Cost>, ours: Contestant, theirs: Contestant): number {
  return cpuOf(costs, ours) / cpuOf(costs, theirs)
}
