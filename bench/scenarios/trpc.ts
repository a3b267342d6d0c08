import { contest, cpuOf, effort, type Question, rowsOf } from '../http/contest.ts'
import { atMost, type Goal, played, type Scenario, type Table } from '../scenario.ts'
import type { Contestant } from '../trpc/server.ts'

export const HAND = 'GET + parse by hand'
const CONTESTANTS: readonly Contestant[] = [
  'node:http and GET',
  'GET + parse by hand, de-duplicated',
  HAND,
  'atomcache bytes',
  'atomcache',
]
const SIZES = [
  { bytes: '5 KB', first: 38 },
  { bytes: '50 KB', first: 375 },
]

export const trpc: Scenario = {
  name: 'trpc',
  says: 'Hits of a tRPC query over HTTP and Redis: CPU time of the server for a request.',
  async run(size, say) {
    const tables: Table[] = []
    const goals: Goal[] = []
    for (const { bytes, first } of played(SIZES, size)) {
      const costs = await contest({ ...trpcQuestion(first, CONTESTANTS), ...effort(size) }, say)
      tables.push({ title: `tRPC hits, ${bytes}`, figures: rowsOf<Contestant>(costs, HAND) })
      const hand = cpuOf<Contestant>(costs, HAND)
      goals.push(
        atMost(`atomcache, ${bytes}, of ${HAND}`, 1.1, cpuOf<Contestant>(costs, 'atomcache') / hand),
        atMost(`atomcache bytes, ${bytes}, of ${HAND}`, 1 / 3, cpuOf<Contestant>(costs, 'atomcache bytes') / hand),
      )
    }
    return { tables, goals }
  },
}

/** For so many products. */
export function trpcQuestion(first: number, contestants: readonly Contestant[]): Question<Contestant> {
  return {
    server: new URL('../trpc/server.ts', import.meta.url),
    contestants,
    asks: { search: `?input=${encodeURIComponent(JSON.stringify({ first }))}` },
  }
}
