import { strict as assert } from 'node:assert'
import { startRedis } from '../redis/server.ts'
import { type Crowd, eventsSince, expectRight, PATIENT, startCrowd } from './crowd.ts'
import type { Row, Scenario } from './scenario.ts'
import { callsSince, usageOf } from './usage.ts'

const PROCESSES = { short: 2, full: 4 }
const KEYS = 5000
const ROUNDS = { short: 1, full: 3 }
/** ms that the origin takes. */
const COST = 50
/** What clients send for reads, claims and ends. */
const SENT = ['get', 'mget', 'evalsha', 'eval']

export const coldKeys: Scenario = {
  name: 'coldKeys',
  says: '5,000 keys that nobody has are asked for at once, all of them in each process: one run each, and no breaker opens.',
  async run(size, say) {
    await using redis = await startRedis()
    const rows: Row[] = []
    const budgets = size === 'short' ? [PATIENT] : [{}, PATIENT]
    for (const cache of budgets) {
      await using crowd = await startCrowd({ redis: redis.url, processes: PROCESSES[size], cache })
      const client = redis.client()
      const budget = cache === PATIENT ? PATIENT.commandTimeout : 250
      for (let round = 1; round <= ROUNDS[size]; round++) {
        say(`commandTimeout ${budget}, ${round} of ${ROUNDS[size]}`)
        rows.push(await play(crowd, client, budget, round))
      }
    }
    return rows
  },
}

async function play(
  crowd: Crowd,
  client: Parameters<typeof usageOf>[0],
  commandTimeout: number,
  round: number,
): Promise<Row> {
  const { processes } = crowd
  const keys = Array.from({ length: KEYS }, (_, i) => `cold ${round} ${i}`)
  const [standing, runsBefore, usage] = await Promise.all([crowd.standing(), crowd.runs(), usageOf(client)])
  const startedAt = Number(process.hrtime.bigint()) / 1e6
  const {
    answers,
    lastAt,
    runs: told,
  } = expectRight(await Promise.all(processes.map((one) => one.call('askEach', keys, COST))))
  const [after, runsAfter, used] = await Promise.all([crowd.standing(), crowd.runs(), usageOf(client)])
  const events = eventsSince(standing, after)
  const runs = runsAfter.runs - runsBefore.runs
  assert.equal(answers, KEYS * processes.length)
  // With the defaults it is a matter of the machine how many replies come too late: then a loader runs for its process only.
  if (commandTimeout === PATIENT.commandTimeout) {
    assert.deepEqual([events.breaker, after.open], [0, 0], 'a breaker has opened')
    assert.deepEqual([runs, told.length], [KEYS, KEYS], 'runs, and those whose values were answered')
  }
  const sent = callsSince(usage, used, SENT)
  return {
    commandTimeout,
    processes: processes.length,
    keys: KEYS,
    runs,
    alone: events.alone,
    takeovers: events.takeover,
    'breakers opened': events.breaker,
    'commands per key': sent / KEYS,
    'all answered after (ms)': lastAt - startedAt,
    'processor of Redis (ms)': Math.round(used.cpu - usage.cpu),
  }
}
