/**
 * Hits of whole GraphQL responses over HTTP and Redis: CPU time of the server per request, and requests per second, of this
 * package, of @graphql-yoga/plugin-response-cache with its Redis cache, and of what can be done by hand. All are asked in
 * turn, in one run; the medians of the rounds count. Read the ratios, on a machine with nothing else to do.
 *
 *     npm ci --prefix bench && npm run bench:graphql -- [rounds, default 5] [requests, default 3000]
 */
import { startProcess } from '../../test/redis/processes.ts'
import { startRedis } from '../../test/redis/server.ts'
import type { LoadCalls } from '../load.ts'
import { productOf, QUERY } from '../products.ts'
import type { Contestant, ServerCalls } from './server.ts'

const [rounds = 5, requests = 3000] = process.argv.slice(2).map(Number)
const CONTESTANTS: readonly Contestant[] = [
  'http',
  'hand (buffers)',
  'hand',
  'atomcache early',
  'atomcache',
  'response-cache',
]
const SIZES = { '5 KB': 38, '50 KB': 375 }

await using redis = await startRedis()
await using load = await startProcess<LoadCalls>(new URL('../load.ts', import.meta.url))

for (const [size, first] of Object.entries(SIZES)) {
  const body = JSON.stringify({
    query: QUERY,
    variables: { first },
    operationName: 'Products',
  })
  const answer = answerOf(first)
  const sites = []
  for (const contestant of CONTESTANTS) {
    const server = await startProcess<ServerCalls>(new URL('./server.ts', import.meta.url))
    const url = await server.call('start', contestant, redis.url, answer)
    // It is a hit from the second on, and known by its text.
    for (let i = 0; i < 5; i++) {
      if ((await load.call('ask', url, body)) !== answer) throw new Error(`${contestant} answers something else`)
    }
    await load.call('run', url, body, requests) // compiled by now
    sites.push({ contestant, server, url, cpu: [] as number[], rates: [] as number[] })
  }
  for (let round = 0; round < rounds; round++) {
    for (const { server, url, cpu, rates } of sites) {
      await server.call('begin')
      const took = await load.call('run', url, body, requests)
      cpu.push((await server.call('end')) / requests)
      rates.push((requests / took) * 1000)
    }
  }
  const peer = median(sites.at(-1)?.cpu ?? [])
  const hand = median(sites.find(({ contestant }) => contestant === 'hand')?.cpu ?? [])
  console.log(`\n${size} (${answer.length} bytes), 32 connections, ${rounds} rounds of ${requests} requests`)
  console.table(
    sites.map(({ contestant, cpu, rates }) => ({
      server: contestant,
      'CPU µs/request': Math.round(median(cpu)),
      'requests/s': Math.round(median(rates)),
      'CPU, response-cache = 1': `1/${(peer / median(cpu)).toFixed(2)}`,
      'CPU, by hand = 1': (median(cpu) / hand).toFixed(2),
    })),
  )
  for (const { server } of sites) await server.kill()
}

function answerOf(first: number): string {
  return JSON.stringify({ data: { products: Array.from({ length: first }, (_, i) => productOf(i)) } })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
