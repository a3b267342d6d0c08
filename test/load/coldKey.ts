import { strict as assert } from 'node:assert'
import { watchCommands } from '../redis/monitor.ts'
import { startRedis } from '../redis/server.ts'
import { untilClear } from '../redis/untilClear.ts'
import { type Crowd, eventsSince, expectRight, PATIENT, startCrowd } from './crowd.ts'
import { hear, startFleet, targetOf } from './fleet.ts'
import { expectAnswers, runsOf } from './promises.ts'
import type { Row, Scenario } from './scenario.ts'

const PROCESSES = 8
/** In all. */
const CALLERS = 10_000
const ROUNDS = { short: 1, full: 10 }
/** ms that an HTTP client may need for so many connections. */
const CONNECT_LIMIT = 120_000

export const coldKey: Scenario = {
  name: 'coldKey',
  says: 'Eight processes have 10,000 callers for one key that nobody has: one run, all are answered, commands by processes only.',
  async run(size, say) {
    await using redis = await startRedis()
    const rows: Row[] = []
    {
      await using crowd = await startCrowd({ redis: redis.url, processes: PROCESSES, cache: PATIENT })
      for (let round = 1; round <= ROUNDS[size]; round++) {
        say(`getOrSet, ${round} of ${ROUNDS[size]}`)
        rows.push(await play(crowd, redis.url, `cold ${round}`))
      }
    }
    if (size === 'short') return rows
    say('HTTP')
    return [...rows, await playHttp(redis.url)]
  },
}

async function play(crowd: Crowd, redis: string, key: string): Promise<Row> {
  const { processes, namespace } = crowd
  await using watch = await watchCommands(redis)
  const [before, runsBefore] = await Promise.all([crowd.standing(), crowd.runs()])
  await Promise.all(processes.map((process) => process.call('hold')))
  const asking = Promise.all(processes.map((process) => process.call('ask', key, CALLERS / PROCESSES, 10)))
  await untilClear(async () => {
    const { lead, follow, join } = eventsSince(before, await crowd.standing())
    const waiting = lead + follow + join
    return waiting === CALLERS ? undefined : `${waiting} wait: ${lead} lead, ${follow} follow, ${join} have joined`
  }, 'all callers')
  const during = await crowd.standing()
  await Promise.all(processes.map((process) => process.call('release')))
  const { runs, answers, lastAt } = expectRight(await asking)
  const after = await crowd.runs()
  const commands = commandsFor(key, namespace, await watch.stop())
  assert.equal(answers, CALLERS)
  assert.deepEqual([after.runs - runsBefore.runs, runs.length], [1, 1], 'the origin ran more than once')
  // Each reads and claims; one ends the flight.
  assert(commands.length <= 2 * PROCESSES + 1, `${commands.length} commands: ${commands.join(', ')}`)
  return {
    how: 'getOrSet',
    processes: PROCESSES,
    callers: answers,
    runs: after.runs - runsBefore.runs,
    commands: commands.length,
    'last answer after the run (ms)': lastAt - after.ranAt,
    'memory while they wait (MiB)': Math.round((during.rss - before.rss) / 2 ** 20),
  }
}

/** What clients sent, scripts apart, that names the key. */
function commandsFor(
  key: string,
  namespace: string,
  records: Awaited<ReturnType<Awaited<ReturnType<typeof watchCommands>>['stop']>>,
): string[] {
  const name = `${namespace}:{${key}}`
  return records
    .filter(({ source, args }) => source !== 'lua' && args.some((arg) => arg.startsWith(name)))
    .map(({ args }) => String(args[0]))
}

/** The same of HTTP clients, on a connection each. */
async function playHttp(redis: string): Promise<Row> {
  const kinds = Array.from({ length: PROCESSES }, () => 'yoga' as const)
  await using fleet = await startFleet({ redis, kinds, cost: 0, cache: PATIENT })
  const { apis, clients } = fleet
  const key = 'cold over HTTP'
  const each = CALLERS / PROCESSES
  await clients.call('burst', apis.map(targetOf), 'warm', 10)
  await Promise.all(apis.map(({ process }) => Promise.all([process.call('hold', key), process.call('forgetJoins')])))
  const asking = clients.call('burst', apis.map(targetOf), key, each)
  for (const { name, process } of apis) {
    await untilClear(
      async () => {
        const joined = await process.call('mostJoined')
        return joined === each - 1 ? undefined : `${joined} have joined`
      },
      `callers at ${name}`,
      CONNECT_LIMIT,
    )
  }
  await Promise.all(apis.map(({ process }) => process.call('release', key)))
  await asking
  await hear(apis)
  const samples = (await clients.call('stop')).filter((sample) => sample.key === key)
  expectAnswers(samples)
  const runs = apis.reduce((sum, api) => sum + runsOf(api, key), 0)
  const answers = new Set(samples.map(({ text }) => text))
  assert.deepEqual([samples.length, runs, answers.size], [CALLERS, 1, 1], 'requests, runs, and answers that differ')
  const ranAt = Math.max(...apis.flatMap(({ told }) => told.map(({ what, at }) => (what.type === 'ran' ? at : 0))))
  return {
    how: 'HTTP, Yoga',
    processes: PROCESSES,
    callers: samples.length,
    runs,
    commands: '–',
    'last answer after the run (ms)': Math.max(...samples.map(({ at, ms }) => at + ms)) - ranAt,
    'memory while they wait (MiB)': '–',
  }
}
