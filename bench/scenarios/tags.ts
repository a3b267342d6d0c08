import { constants, setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cache } from '../../src/index.ts'
import type { Events } from '../../test/redis/child.ts'
import { type NodeProcess, startProcess } from '../../test/redis/processes.ts'
import { type RedisServer, startRedis } from '../../test/redis/server.ts'
import { built } from '../built.ts'
import { inTurn, median } from '../rounds.ts'
import { atLeast, atMost, type Goal, type Scenario } from '../scenario.ts'
import type { BystanderCalls } from '../tags/bystander.ts'

const COUNTS = [10, 1_000, 100_000]
/** From so many on their number is what it takes time for, and not the round trips; each of many takes as long then, or so. */
const MANY = 1_000
const LINEAR = 1.5
type Redis = ReturnType<RedisServer['client']>

/** So many are set at once. */
const PART = 2000
const SETTINGS = { ttl: 3_600_000, commandTimeout: 10_000 }

interface Way {
  readonly name: string
  fill(count: number): Promise<void>
  remove(count: number): Promise<void>
  left(): Promise<number>
}

/** What others see while it goes on, in ms. */
interface Watched {
  /** By the server's own log. */
  readonly longestCommand: number
  /** What another client waits for a command, at the p99; and without it. */
  readonly during: number
  readonly without: number
}

export const tags: Scenario = {
  name: 'tags',
  says: 'Invalidation of a tag with 10, 1,000 and 100,000 entries on one server: entries a second, and for how long at a time the server answers nobody else.',
  async run(size, say) {
    const { createCache } = await built<typeof import('../../src/index.ts')>('index')
    const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')
    // What the server itself says of every command that took a tenth of a millisecond.
    await using server = await startRedis({ config: ['slowlog-log-slower-than 100', 'slowlog-max-len 100000'] })
    await using bystander = await startProcess<BystanderCalls>(new URL('../tags/bystander.ts', import.meta.url))
    await using cache = createCache({ store: redisStore(server.url), ...SETTINGS })
    await cache.ready()
    // How long a command takes is wall time: who has no processor meanwhile has the others' time in it.
    if (process.getuid?.() === 0) setPriority(server.pid, constants.priority.PRIORITY_HIGH)
    const redis = server.client()
    const ways = [byHand(redis), ours(cache, redis)] as const
    const rows = []
    const goals: Goal[] = []
    const rates: number[] = []
    for (const count of size === 'short' ? COUNTS.slice(0, -1) : COUNTS) {
      say(`${count} entries`)
      const rounds = size === 'short' ? 1 : count > 10_000 ? 3 : 15
      const timed = await inTurn(ways, rounds, (way) => time(way, count, redis))
      const watched = await inTurn(ways, rounds, (way) => watch(way, count, redis, bystander, server.url))
      for (const way of ways) {
        const { name } = way
        const took = median(timed.get(way) ?? [])
        const waits = watched.get(way) ?? []
        const rate = (count / took) * 1000
        const longest = Math.max(...waits.map(({ longestCommand }) => longestCommand))
        rows.push({
          entries: count,
          how: name,
          'took (ms)': took,
          [`took, ${ways[0].name} = 1`]: took / median(timed.get(ways[0]) ?? []),
          'entries/s': Math.round(rate),
          'longest command (ms)': longest,
          'others wait, p99 (ms)': median(waits.map(({ during }) => during)),
          'without it (ms)': median(waits.map(({ without }) => without)),
        })
        if (name !== 'atomcache') continue
        goals.push(atMost(`longest command for ${count} entries (ms)`, 5, longest))
        if (count < MANY) continue
        goals.push(atLeast(`entries a second of ${count}`, 50_000, rate))
        rates.push(rate)
      }
    }
    const [few, many] = rates
    if (few !== undefined && many !== undefined) {
      goals.push(atMost(`time for an entry of ${COUNTS.at(-1)}, of that for one of ${MANY}`, LINEAR, few / many))
    }
    return { tables: [{ title: 'Invalidation by tag', figures: rows }], goals }
  },
}

/** ms that the removal takes where nobody else asks. */
async function time(way: Way, count: number, redis: Redis): Promise<number> {
  await filled(way, count, redis)
  const startedAt = performance.now()
  await way.remove(count)
  const took = performance.now() - startedAt
  await isGone(way)
  return took
}

async function watch(
  way: Way,
  count: number,
  redis: Redis,
  bystander: NodeProcess<BystanderCalls, Events>,
  url: string,
): Promise<Watched> {
  await filled(way, count, redis)
  const beside = async (work: () => Promise<unknown>) => {
    await bystander.call('begin', url)
    const startedAt = performance.now()
    await work()
    const took = performance.now() - startedAt
    return { took, waits: await bystander.call('end') }
  }
  const during = await beside(() => way.remove(count))
  const slow = (await redis.slowlog('GET', -1)) as [id: number, at: number, took: number, args: string[]][]
  const without = await beside(() => delay(during.took))
  await isGone(way)
  const own = slow.filter(([, , , [name = '']]) => name.toLowerCase() !== 'slowlog') // to forget its log takes it long, too
  return {
    longestCommand: Math.max(0, ...own.map(([, , took]) => took / 1000)),
    during: during.waits,
    without: without.waits,
  }
}

async function filled(way: Way, count: number, redis: Redis): Promise<void> {
  await way.fill(count)
  await delay(count > 10_000 ? 500 : 20) // what the server has to tidy up
  await redis.slowlog('RESET')
}

async function isGone(way: Way): Promise<void> {
  if ((await way.left()) > 0) throw new Error(`${way.name} leaves entries`)
}

function ours(cache: Cache, redis: Redis): Way {
  return {
    name: 'atomcache',
    async fill(count) {
      for (const part of partsOf(count)) {
        await cache.setMany(
          part.map((id) => [`key:${id}`, { id, text: 'x'.repeat(100) }] as const),
          { tags: ['all'] },
        )
      }
    },
    remove: () => cache.invalidate({ tags: ['all'] }),
    left: async () => (await redis.keys('*{key:*')).length,
  }
}

/** The least that can be done: the keys are in a set, and are unlinked by the thousand; nothing is safe from a race. */
function byHand(redis: Redis): Way {
  return {
    name: 'SSCAN and UNLINK by hand',
    async fill(count) {
      for (const part of partsOf(count)) {
        const keys = part.map((id) => `hand:${id}`)
        await redis.mset(keys.flatMap((key, i) => [key, JSON.stringify({ id: part[i], text: 'x'.repeat(100) })]))
        await redis.sadd('hand-tag', ...keys)
      }
    },
    async remove() {
      let cursor = '0'
      do {
        const [next, keys] = await redis.sscan('hand-tag', cursor, 'COUNT', 1000)
        if (keys.length > 0) await redis.unlink(...keys)
        cursor = next
      } while (cursor !== '0')
      await redis.unlink('hand-tag')
    },
    left: async () => (await redis.keys('hand*')).length,
  }
}

function* partsOf(count: number): Generator<readonly number[]> {
  for (let start = 0; start < count; start += PART) {
    yield Array.from({ length: Math.min(PART, count - start) }, (_, i) => start + i)
  }
}
