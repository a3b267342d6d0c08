/**
 * Ways to ask for what is in memory, in a process of its own: with options, by a key of parts, by a wrapped function; and what
 * it would cost to hand out a copy to each caller.
 */
import { strict as assert } from 'node:assert'
import { LRUCache } from 'lru-cache'
import { serve } from '../../test/redis/child.ts'
import { startRedis } from '../../test/redis/server.ts'
import { built } from '../built.ts'
import { inTurn } from '../rounds.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')

const KEYS = 1000
const LEAST = 'lru-cache alone, no ttl'

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

const redis = await startRedis()
const cache = createCache({ store: redisStore(redis.url), ttl: 3_600_000, memory: { ttl: 3_600_000 } })
await cache.ready()
const ids = Array.from({ length: KEYS }, (_, i) => String(i))
const lru = new LRUCache<string, Product>({ max: KEYS, maxSize: 64 * 1024 * 1024, sizeCalculation: () => 1024 })
const texts = new LRUCache<string, string>({ max: KEYS })
for (const id of ids) {
  lru.set(`product:${id}`, productOf(id))
  texts.set(`product:${id}`, JSON.stringify(productOf(id)))
}
const product = cache.wrap((id: string) => productOf(id), { key: (id) => `product:${id}` })

const WAYS: Record<string, (id: string) => Promise<Product>> = {
  [LEAST]: async (id) => lru.get(`product:${id}`) as Product,
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

const calls = {
  /** ns of the processor for a hit, of each way in each round. */
  async measure(rounds: number, hits: number): Promise<ReadonlyMap<string, number[]>> {
    for (const ask of Object.values(WAYS)) {
      for (const id of ids) assert.deepEqual(await ask(id), productOf(id))
      await run(ask, hits / 10) // compiled by now
    }
    const shared = await cache.getOrSet('product:0', () => productOf('0'))
    assert.equal(await cache.getOrSet('product:0', () => productOf('0')), shared)
    assert.throws(() => Object.assign(shared, { name: 'changed' }), TypeError)
    const asked = cache.stats().events
    const costs = await inTurn(Object.keys(WAYS), rounds, (name) => run(WAYS[name] as (typeof WAYS)[string], hits))
    const { events } = cache.stats()
    const others = events.hit - asked.hit + events.miss - asked.miss
    // Where the machine was so busy that messages were in doubt memory was given up once.
    assert.ok(others <= hits / 100, `${others} hits were not of memory`)
    return costs
  },

  async close(): Promise<void> {
    await cache.close()
    await redis[Symbol.asyncDispose]()
  },
}

export type WaysCalls = typeof calls

serve(calls)
