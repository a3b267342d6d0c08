import { strict as assert } from 'node:assert'
import { startRedis } from '../redis/server.ts'
import { untilClear } from '../redis/untilClear.ts'
import { type Crowd, eventsSince, expectRight, PATIENT, startCrowd } from './crowd.ts'
import type { Row, Scenario } from './scenario.ts'
import { type Connected, connectedTo, usageOf } from './usage.ts'

const MB = 1_000_000
/** ms: what all of them read together may take on any machine. */
const LONG = 300_000
/** How many instances there are, one of which leads; and how large what it computes is. */
const LOADS = {
  short: { processes: 2, caches: 20, lengths: [5 * MB], budgets: [LONG] },
  // 5,000: for so many followers nearly the most that is in the messages themselves, which is 1 MiB for all.
  full: { processes: 4, caches: 51, lengths: [5 * MB, 5000], budgets: [LONG, 250] },
}
const ROUNDS = { short: 1, full: 2 }

export const payload: Scenario = {
  name: 'payload',
  says: '200 instances wait for a value of 5 MB: all get it, of one run, and Redis cuts off no subscriber for what it has not taken.',
  async run(size, say) {
    await using redis = await startRedis()
    const client = redis.client()
    const { processes, caches, lengths, budgets } = LOADS[size]
    const rows: Row[] = []
    for (const commandTimeout of budgets) {
      const cache = { ...PATIENT, commandTimeout }
      await using crowd = await startCrowd({ redis: redis.url, processes, caches, cache })
      for (const length of lengths) {
        for (let round = 1; round <= ROUNDS[size]; round++) {
          say(`${length} bytes, commandTimeout ${commandTimeout}, ${round} of ${ROUNDS[size]}`)
          const asked = { commandTimeout, instances: processes * caches, length, key: `${length} bytes ${round}` }
          rows.push(await play(crowd, client, asked))
        }
      }
    }
    return rows
  },
}

type Client = Parameters<typeof usageOf>[0]

interface Asked {
  readonly commandTimeout: number
  readonly instances: number
  readonly length: number
  readonly key: string
}

async function play(crowd: Crowd, client: Client, asked: Asked): Promise<Row> {
  const { commandTimeout, instances, length, key } = asked
  const { processes } = crowd
  const [before, runsBefore, usage] = await Promise.all([crowd.standing(), crowd.runs(), usageOf(client)])
  const connected = await connectedTo(client)
  await Promise.all(processes.map((process) => process.call('hold')))
  const asking = Promise.all(processes.map((process) => process.call('ask', key, 1, length)))
  await untilClear(async () => {
    const { follow } = eventsSince(before, await crowd.standing())
    return follow === instances - 1 ? undefined : `${follow} wait`
  }, 'all followers')
  await Promise.all(processes.map((process) => process.call('release')))
  const most = await mostOutput(client, asking)
  const { runs: told, answers, lastAt } = expectRight(await asking)
  const [after, { runs, ranAt }, used] = await Promise.all([crowd.standing(), crowd.runs(), usageOf(client)])
  const events = eventsSince(before, after)
  // Whoever was cut off has another connection by now, or none.
  const lost = missing(connected, await connectedTo(client))
  assert.equal(answers, instances)
  // With the default it is a matter of the machine how many have read it in time: the others run the loader.
  if (commandTimeout === LONG) {
    assert.deepEqual([runs - runsBefore.runs, told.length], [1, 1], 'runs, and those whose values were answered')
    assert.deepEqual([events.storeFault, lost], [0, 0], 'commands that failed, and connections that were lost')
  }
  return {
    commandTimeout,
    'value (bytes)': length,
    followers: events.follow,
    runs: runs - runsBefore.runs,
    'connections lost': lost,
    'sent by Redis (MB)': (used.sent - usage.sent) / MB,
    'waiting for a subscriber, most (bytes)': most.subscriber,
    'for a reader, most (bytes)': most.reader,
    'processor of Redis (ms)': Math.round(used.cpu - usage.cpu),
    'last answer after the run (ms)': lastAt - ranAt,
  }
}

/** What waited in Redis for one client, at most, whenever it was looked at until it is done. */
async function mostOutput(client: Client, work: Promise<unknown>) {
  const most = { subscriber: 0, reader: 0 }
  let done = false
  const ended = work.then(
    () => true,
    () => true, // whoever awaits the work hears of it
  )
  while (!done) {
    for (const { subscribed, output } of await connectedTo(client)) {
      const kind = subscribed ? 'subscriber' : 'reader'
      most[kind] = Math.max(most[kind], output)
    }
    done = await Promise.race([ended, new Promise<false>((resolve) => setTimeout(resolve, 5, false))])
  }
  return most
}

function missing(before: readonly Connected[], after: readonly Connected[]): number {
  const ids = new Set(after.map(({ id }) => id))
  return before.filter(({ id }) => !ids.has(id)).length
}
