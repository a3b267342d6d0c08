import { constants, setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Events } from '../../test/redis/child.ts'
import { type NodeProcess, startProcess } from '../../test/redis/processes.ts'
import { type RedisServer, startRedis } from '../../test/redis/server.ts'
import { inTurn, median } from '../rounds.ts'
import { atLeast, atMost, type Goal, type Scenario } from '../scenario.ts'
import type { BystanderCalls } from '../tags/bystander.ts'
import { OURS, openWays, type Way } from '../tags/ways.ts'

const COUNTS = [10, 1_000, 100_000]
/** From so many on their number is what it takes time for, and not the round trips; each of many takes as long then, or so. */
const MANY = 1_000
const LINEAR = 1.5
type Redis = ReturnType<RedisServer['client']>

/** What others see while it goes on, in ms. */
interface Watched {
  /** By the server's own log. */
  readonly longestCommand: number
  /** What another client waits for a command at most; and without it. */
  readonly during: number
  readonly without: number
}

export const tags: Scenario = {
  name: 'tags',
  says: 'Invalidation of a tag with 10, 1,000 and 100,000 entries on one server: entries a second, and for how long at a time the server answers nobody else.',
  async run(size, say) {
    // What the server itself says of every command that took a tenth of a millisecond.
    await using server = await startRedis({ config: ['slowlog-log-slower-than 100', 'slowlog-max-len 100000'] })
    await using bystander = await startProcess<BystanderCalls>(new URL('../tags/bystander.ts', import.meta.url))
    // How long a command takes is wall time: who has no processor meanwhile has the others' time in it.
    if (process.getuid?.() === 0) setPriority(server.pid, constants.priority.PRIORITY_HIGH)
    const redis = server.client()
    await using ways = await openWays(redis, server.url)
    const [base] = ways.all
    const rows = []
    const goals: Goal[] = []
    const rates: number[] = []
    for (const count of size === 'short' ? COUNTS.slice(0, -1) : COUNTS) {
      say(`${count} entries`)
      const rounds = size === 'short' ? 1 : count > 10_000 ? 3 : 15
      const timed = await inTurn(ways.all, rounds, (way) => time(way, count, redis))
      const watched = await inTurn(ways.all, rounds, (way) => watch(way, count, redis, bystander, server.url))
      for (const way of ways.all) {
        const { name } = way
        const took = median(timed.get(way) ?? [])
        const waits = watched.get(way) ?? []
        const rate = (count / took) * 1000
        const longest = Math.max(...waits.map(({ longestCommand }) => longestCommand))
        rows.push({
          entries: count,
          how: name,
          'took (ms)': took,
          [`took, ${base.name} = 1`]: took / median(timed.get(base) ?? []),
          'entries/s': Math.round(rate),
          'longest command (ms)': longest,
          'others wait, at most (ms)': median(waits.map(({ during }) => during)),
          'without it (ms)': median(waits.map(({ without }) => without)),
        })
        if (name !== OURS) continue
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
  await way.remove()
  const took = performance.now() - startedAt
  await isGone(way, count)
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
  const during = await beside(() => way.remove())
  const slow = (await redis.slowlog('GET', -1)) as [id: number, at: number, took: number, args: string[]][]
  const without = await beside(() => delay(during.took))
  await isGone(way, count)
  const own = slow.filter(([, , , [name = '']]) => name.toLowerCase() !== 'slowlog') // to forget its log takes it long, too
  return {
    longestCommand: Math.max(0, ...own.map(([, , took]) => took / 1000)),
    during: during.waits,
    without: without.waits,
  }
}

async function filled(way: Way, count: number, redis: Redis): Promise<void> {
  await way.fill(count)
  if ((await way.left(count)) < count) throw new Error(`${way.name} does not have what was set`)
  await delay(count > 10_000 ? 500 : 20) // what the server has to tidy up
  await redis.slowlog('RESET')
}

async function isGone(way: Way, count: number): Promise<void> {
  if ((await way.left(count)) > 0) throw new Error(`${way.name} leaves entries`)
}
