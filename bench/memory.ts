/**
 * Hits of the memory tier, 1 KB values: CPU time per hit, of `getOrSet` and `wrap`, and of an async function around
 * `lru-cache.get`, which is the least that an asynchronous cache can do; and what it would cost to hand out a copy to each caller.
 * All in turn, in one run, in one process; the medians of the rounds count. Read the ratios.
 *
 *     npm run bench:memory -- [rounds, default 15] [hits, default 200000]
 */
import { strict as assert } from 'node:assert'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { LRUCache } from 'lru-cache'
import { startRedis } from '../test/redis/server.ts'

const [rounds = 15, hits = 200_000] = process.argv.slice(2).map(Number)
const KEYS = 1000

interface Product {
  readonly id: string
  readonly name: string
  readonly tags: readonly string[]
  readonly prices: readonly { readonly currency: string; readonly amount: number }[]
  readonly text: string
}

function productOf(id: string): Product {
  const prices = ['EUR', 'USD', 'GBP'].map((currency, i) => ({ currency, amount: 100 + i }))
  const product = { id, name: `Product ${id}`, tags: ['new', 'sale'], prices, text: '' }
  return { ...product, text: 'x'.repeat(1024 - JSON.stringify(product).length) }
}

await using redis = await startRedis()
await using cache = createCache({ store: redisStore(redis.url), ttl: 3_600_000, memory: { ttl: 3_600_000 } })
await cache.ready()
const ids = Array.from({ length: KEYS }, (_, i) => String(i))
const lru = new LRUCache<string, Product>({ max: KEYS, maxSize: 64 * 1024 * 1024, sizeCalculation: () => 1024 })
const texts = new LRUCache<string, string>({ max: KEYS })
for (const id of ids) {
  lru.set(`product:${id}`, productOf(id))
  texts.set(`product:${id}`, JSON.stringify(productOf(id)))
}
const product = cache.wrap((id: string) => productOf(id), { key: (id) => `product:${id}` })

const CONTESTANTS: Record<string, (id: string) => Promise<Product>> = {
  'async lru-cache get': async (id) => lru.get(`product:${id}`) as Product,
  'getOrSet, a string as key': (id) => cache.getOrSet(`product:${id}`, () => productOf(id)),
  'getOrSet, with options': (id) =>
    cache.getOrSet(`product:${id}`, () => productOf(id), { ttl: 60_000, tags: ['product'] }),
  "getOrSet, ['product', id] as key": (id) => cache.getOrSet(['product', id], () => productOf(id)),
  'a wrapped function': (id) => product(id),
  'lru-cache get and JSON.parse': async (id) => JSON.parse(texts.get(`product:${id}`) as string),
  'lru-cache get and structuredClone': async (id) => structuredClone(lru.get(`product:${id}`) as Product),
}

async function run(ask: (id: string) => Promise<Product>, times: number): Promise<number> {
  const before = process.cpuUsage()
  let sum = 0
  for (let i = 0; i < times; i++) sum += (await ask(ids[i % KEYS] as string)).text.length
  assert.ok(sum > 0)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / times
}

for (const ask of Object.values(CONTESTANTS)) {
  for (const id of ids) assert.deepEqual(await ask(id), productOf(id))
  await run(ask, 20_000) // compiled by now
}
const shared = await cache.getOrSet('product:0', () => productOf('0'))
assert.equal(await cache.getOrSet('product:0', () => productOf('0')), shared)
assert.throws(() => Object.assign(shared, { name: 'changed' }), TypeError)
const asked = cache.stats().events

const costs = new Map(Object.keys(CONTESTANTS).map((name) => [name, [] as number[]]))
for (let round = 0; round < rounds; round++) {
  for (const [name, ask] of Object.entries(CONTESTANTS)) costs.get(name)?.push(await run(ask, hits))
}
const { events } = cache.stats()
assert.equal(events.hit - asked.hit + events.miss - asked.miss, 0, 'all hits were of memory')
const least = median(costs.get('async lru-cache get') ?? [])
console.log(`${rounds} rounds of ${hits} hits, ${KEYS} keys, 1 KB`)
console.table(
  [...costs].map(([name, all]) => ({
    '': name,
    'CPU ns/hit': Math.round(median(all)),
    'async lru-cache get = 1': (median(all) / least).toFixed(2),
  })),
)

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
