import { Cluster } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { gatherReplies } from '../../../src/stores/redis/gather.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startCluster } from '../../redis/cluster.ts'
import { startRedis } from '../../redis/server.ts'

/** A reply that comes when it is told to. */
function gated() {
  let give!: (value: string) => void
  let fail!: (error: Error) => void
  const reply = new Promise<string>((resolve, reject) => {
    give = resolve
    fail = reject
  })
  return { reply, give, fail }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** What became of promises, by what they gave, in order. */
function logOf(promises: readonly Promise<string>[]): string[] {
  const log: string[] = []
  for (const one of promises)
    one.then(
      (value) => log.push(value),
      (error: Error) => log.push(error.message),
    )
  return log
}

describe('replies to commands of one moment', () => {
  test('of a server come when its last one is there, whether it fails or not; those of others before', async () => {
    const gather = gatherReplies(60_000)
    const [a, b, c, other] = [gated(), gated(), gated(), gated()]
    const later = Promise.resolve().then(() => gather('A', c.reply)) // in the same moment, and later
    const log = logOf([gather('A', a.reply), gather('A', b.reply), later, gather('B', other.reply)])
    a.give('a')
    other.give('other')
    await turn()
    expect(log).toEqual(['other'])
    b.fail(new Error('b'))
    await turn()
    expect(log).toEqual(['other'])
    c.give('c')
    await turn()
    expect(log).toEqual(['other', 'a', 'b', 'c'])
  })

  test('that are late are not waited for: those which are there come, and each of the rest as it comes', async () => {
    const gather = gatherReplies(5)
    const [a, b, c] = [gated(), gated(), gated()]
    const log = logOf([a, b, c].map(({ reply }) => gather('A', reply)))
    a.give('a')
    await expect.poll(() => log).toEqual(['a'])
    b.give('b')
    await turn()
    expect(log).toEqual(['a', 'b'])
    c.give('c')
    await turn()
    expect(log).toEqual(['a', 'b', 'c'])
  })

  test('of another moment are not waited for', async () => {
    const gather = gatherReplies(60_000)
    const [first, second] = [gated(), gated()]
    const before = gather('A', first.reply)
    await turn()
    const after = gather('A', second.reply)
    first.give('first')
    expect(await before).toBe('first')
    second.give('second')
    expect(await after).toBe('second')
  })

  test('are waited for by a thousand at most', async () => {
    const gather = gatherReplies(60_000)
    const replies = Array.from({ length: 1001 }, gated)
    const log = logOf(replies.map(({ reply }) => gather('A', reply)))
    for (const [i, { give }] of replies.slice(0, 1000).entries()) give(String(i))
    await turn()
    expect(log.length).toBe(1000)
    replies[1000]?.give('last')
    await turn()
    expect(log.at(-1)).toBe('last')
  })
})

/** How often loaders of many misses of one moment begin at a time. */
async function momentsOf(source: Parameters<typeof redisStore>[0]): Promise<number> {
  await using cache = createCache({ store: redisStore(source), namespace: 'gather', ttl: 60_000, commandTimeout: 5000 })
  await cache.ready()
  let moments = 0
  let begun = false
  const end = () => {
    begun = false
  }
  const load = (i: number) => {
    if (!begun) {
      begun = true
      moments++
      process.nextTick(end)
    }
    return i
  }
  const items = Array.from({ length: 500 }, (_, i) => i)
  expect(await Promise.all(items.map((i) => cache.getOrSet(['item', i], () => load(i))))).toEqual(items)
  return moments
}

describe('misses of one moment', () => {
  test('begin to load in one moment', async () => {
    await using server = await startRedis()
    expect(await momentsOf(server.url)).toBe(1)
  })

  test('in a cluster in one for each of its masters', async () => {
    await using cluster = await startCluster()
    const client = new Cluster([...cluster.startupNodes])
    expect(await momentsOf(client)).toBeLessThanOrEqual(3)
    client.disconnect()
  })
})
