/**
 * How fast a tag with many entries is invalidated on a single server, and how long another client waits meanwhile. Each run
 * has the same time without an invalidation right beside it: read the difference.
 *
 *     npm run bench:invalidation -- [entries, default 100000] [runs, default 5]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from '../src/index.ts'
import { redisStore } from '../src/stores/redis/index.ts'
import { startProcess } from '../test/redis/processes.ts'
import { startRedis } from '../test/redis/server.ts'
import type { BystanderCalls, Waits } from './bystander.ts'

const [entries = 100_000, runs = 5] = process.argv.slice(2).map(Number)
/** So many are set at once. */
const PART = 2000

await using server = await startRedis()
await using bystander = await startProcess<BystanderCalls>(new URL('./bystander.ts', import.meta.url))
await using cache = createCache({ store: redisStore(server.url), ttl: 3_600_000, commandTimeout: 10_000 })
await cache.ready()

for (let run = 1; run <= runs; run++) {
  for (let start = 0; start < entries; start += PART) {
    const part = Array.from({ length: Math.min(PART, entries - start) }, (_, i) => {
      return [`key:${start + i}`, { id: start + i, text: 'x'.repeat(100) }] as const
    })
    await cache.setMany(part, { tags: ['all'] })
  }
  await delay(500) // what the server has to tidy up

  const [during, took] = await watched(() => cache.invalidate({ tags: ['all'] }))
  const [without] = await watched(() => delay(took))
  const left = await cache.getMany(['key:0', `key:${entries - 1}`])
  if (left.some((value) => value !== undefined)) throw new Error('there are entries left')
  console.log(
    `run ${run}: ${Math.round((entries / took) * 1000)} entries/s; waits ${textOf(during)}, without ${textOf(without)}`,
  )
}

async function watched(work: () => Promise<unknown>): Promise<[waits: Waits, took: number]> {
  await bystander.call('begin', server.url)
  const startedAt = performance.now()
  await work()
  const took = performance.now() - startedAt
  return [await bystander.call('end'), took]
}

function textOf({ longest, p99 }: Waits): string {
  return `longest ${longest.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`
}
