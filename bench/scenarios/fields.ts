import type { Contestant } from '../fields/server.ts'
import { contest, effort, type Question, rowsOf } from '../http/contest.ts'
import { QUERY } from '../products.ts'
import type { Scenario, Table } from '../scenario.ts'

export const ITEMS = 'query Items($first: Int!) { items(first: $first) { id price { amount currency } } }'

/** The first contestant of each is 1. */
const CONTESTS: readonly {
  readonly title: string
  readonly contestants: readonly [Contestant, ...Contestant[]]
  readonly query: string
  readonly first: number
  readonly requests: number
  /** Default: `true`. */
  readonly cached?: boolean
}[] = [
  {
    // How far the figures can be read says the second, which is the first once more.
    title: 'A schema in which nothing is cached',
    contestants: ['no plugin', 'no plugin, again', 'plugin'],
    query: QUERY,
    first: 38,
    requests: 3000,
    cached: false,
  },
  {
    title: 'Hits of a field of the query, 5 KB',
    contestants: ['field by hand', 'field', 'field with windows'],
    query: QUERY,
    first: 38,
    requests: 3000,
  },
  {
    title: 'Hits of a field of 1,000 list items',
    contestants: ['list by hand', 'list by DataLoader', 'list', 'list with windows'],
    query: ITEMS,
    first: 1_000,
    requests: 100,
  },
]

export const fields: Scenario = {
  name: 'fields',
  says: 'Cached fields on GraphQL Yoga over HTTP and Redis: CPU time of the server for a request.',
  async run(size, say) {
    const tables: Table[] = []
    for (const { title, contestants, query, first, requests, cached = true } of CONTESTS) {
      const question = { ...fieldsQuestion(query, first, contestants), cached }
      const costs = await contest({ ...question, ...effort(size, requests) }, say)
      tables.push({ title, figures: rowsOf<Contestant>(costs, contestants[0]) })
    }
    return { tables, goals: [] }
  },
}

/** The query, with so many of what it asks for. */
export function fieldsQuestion(query: string, first: number, contestants: readonly Contestant[]): Question<Contestant> {
  return {
    server: new URL('../fields/server.ts', import.meta.url),
    contestants,
    asks: { body: JSON.stringify({ query, variables: { first } }) },
  }
}
