/**
 * Cached fields over HTTP and Redis, on GraphQL Yoga: CPU time of the server per request of what costs nothing to those that
 * do not use it, and of hits next to what can be done by hand. All of a table are asked in turn, in one run; the medians of
 * the rounds count. Read the ratios, on a machine with nothing else to do; how far they can be read says `no plugin, again`,
 * which is the first server once more.
 *
 *     npm run bench:fields -- [rounds, default 9] [requests, default 3000; of 1,000 items a 30th of them]
 */
import { startProcess } from '../../test/redis/processes.ts'
import { startRedis } from '../../test/redis/server.ts'
import type { LoadCalls } from '../load.ts'
import { QUERY } from '../products.ts'
import type { Contestant, ServerCalls } from './server.ts'

interface Contest {
  readonly title: string
  /** The first is 1. */
  readonly contestants: readonly Contestant[]
  readonly query: string
  readonly first: number
  readonly requests: number
}

const [rounds = 9, requests = 3000] = process.argv.slice(2).map(Number)
const ITEMS = 'query Items($first: Int!) { items(first: $first) { id price { amount currency } } }'

const CONTESTS: readonly Contest[] = [
  {
    title: 'A schema in which nothing is cached',
    contestants: ['no plugin', 'no plugin, again', 'plugin'],
    query: QUERY,
    first: 38,
    requests,
  },
  {
    title: 'A hit of a field of the query, 5 KB',
    contestants: ['field by hand', 'field', 'field with windows'],
    query: QUERY,
    first: 38,
    requests,
  },
  {
    title: 'Hits of a field of 1,000 list items',
    contestants: ['list by hand', 'list by DataLoader', 'list', 'list with windows'],
    query: ITEMS,
    first: 1_000,
    requests: Math.max(Math.round(requests / 30), 1),
  },
]

await using redis = await startRedis()
await using load = await startProcess<LoadCalls>(new URL('../load.ts', import.meta.url))
for (const contest of CONTESTS) await run(contest)

async function run({ title, contestants, query, first, requests }: Contest): Promise<void> {
  const body = JSON.stringify({ query, variables: { first } })
  const answers = new Set<string>()
  const sites = []
  for (const contestant of contestants) {
    const server = await startProcess<ServerCalls>(new URL('./server.ts', import.meta.url))
    const url = await server.call('start', contestant, redis.url)
    for (let i = 0; i < 5; i++) answers.add(await load.call('ask', url, body)) // a hit from the second on
    await load.call('run', url, body, requests) // compiled by now
    sites.push({ contestant, server, url, cpu: [] as number[], rates: [] as number[] })
  }
  if (answers.size !== 1) throw new Error(`${title}: not all answer the same`)
  for (let round = 0; round < rounds; round++) {
    // Each of them is first as often.
    const turn = round % sites.length
    for (const { server, url, cpu, rates } of [...sites.slice(turn), ...sites.slice(0, turn)]) {
      await server.call('begin')
      const took = await load.call('run', url, body, requests)
      cpu.push((await server.call('end')) / requests)
      rates.push((requests / took) * 1000)
    }
  }
  const base = median(sites[0]?.cpu ?? [])
  console.log(`\n${title}, 32 connections, ${rounds} rounds of ${requests} requests`)
  console.table(
    sites.map(({ contestant, cpu, rates }) => ({
      server: contestant,
      'CPU µs/request': Math.round(median(cpu)),
      'requests/s': Math.round(median(rates)),
      [`CPU, ${contestants[0]} = 1`]: (median(cpu) / base).toFixed(2),
    })),
  )
  for (const { server } of sites) await server.kill()
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
