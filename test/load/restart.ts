import { strict as assert } from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'
import { startRedis } from '../redis/server.ts'
import type { Sample, Stream } from './clients.ts'
import { type Api, hear, now, startFleet, targetOf } from './fleet.ts'
import { spreadOf } from './latency.ts'
import { expectAnswers, heardOf, lostIn } from './promises.ts'
import type { Row, Scenario } from './scenario.ts'

/** How many of the four are restarted, and for how many ms there is no restart. */
const SIZES = { short: { restarts: 2, calm: 1000 }, full: { restarts: 4, calm: 10_000 } }
/** ms; real ones are longer, which changes nothing. */
const GRACE = 300
/** ms: what is popular ends all the time, and must be computed once each time. */
const TTL = 500

export const restart: Scenario = {
  name: 'restart',
  says: 'Four servers are restarted one after another under load: no request is lost, and the origin runs as often as without.',
  async run(size, say) {
    const { restarts, calm } = SIZES[size]
    await using redis = await startRedis()
    const kinds = Array.from({ length: 4 }, () => 'yoga' as const)
    await using fleet = await startFleet({ redis: redis.url, kinds, cost: 50, cache: { ttl: TTL }, grace: GRACE })
    const all = [...fleet.apis]
    await fleet.clients.call('play', streamsOf(fleet.apis))
    await fleet.clients.call('answered', fleet.apis.map(targetOf), 20) // compiled, connected
    const from = now()
    await delay(calm)
    const begun = now()
    for (const api of fleet.apis.slice(0, restarts)) {
      say(`restarting ${api.name}`)
      assert.equal(await fleet.end(api), 0, `${api.name} did not end by itself`)
      all.push(await fleet.replace(api))
    }
    const ended = now()
    const samples = await fleet.clients.call('stop')
    await hear(all.slice(restarts))
    expectAnswers(samples)
    return [rowOf('none', all, samples, from, begun), rowOf(`${restarts} servers`, all, samples, begun, ended)]
  },
}

/** All four in turn: 20 keys that nobody has asked for a second, by four each; and twenty callers of a popular one. */
function streamsOf(apis: readonly Api[]): Stream[] {
  const targets = apis.map(targetOf)
  return [
    { name: 'cold', targets, how: 'cached', keys: 'new', every: 50, together: 4 },
    { name: 'popular', targets, how: 'cached', keys: ['popular'], every: 200, together: 20 },
  ]
}

/** One run of the origin. */
interface Run {
  readonly key: string
  readonly from: number
  readonly to: number
}

function rowOf(restarted: string, apis: readonly Api[], samples: readonly Sample[], from: number, to: number): Row {
  const asked = samples.filter(({ at }) => at >= from && at < to)
  const runs = apis.flatMap(runsIn).filter((run) => run.from >= from && run.from < to)
  const keys = new Set(runs.map(({ key }) => key))
  const handedOver = apis.flatMap((api) => heardOf(api, 'release', from, to)).length
  const beside = besides(runs)
  // Where a reply came too late, which happens on a busy machine, a loader runs for its server only.
  const alone = apis.flatMap((api) => heardOf(api, 'alone', from, to)).length
  assert(
    beside <= handedOver + alone,
    `${beside} runs began beside another of their key, and ${handedOver} were handed over`,
  )
  return {
    restarted,
    requests: asked.length,
    lost: lostIn(asked).length,
    'p50 / p99 / max (ms)': spreadOf(asked.map(({ ms }) => ms)),
    'cold keys': keys.size - (keys.has('popular') ? 1 : 0),
    'their runs': runs.filter(({ key }) => key !== 'popular').length,
    'runs of the popular one': runs.filter(({ key }) => key === 'popular').length,
    'handed over': handedOver,
    'runs beside another': beside,
  }
}

function runsIn({ told }: Api): Run[] {
  return told.flatMap(({ at, what }, i) => {
    if (what.type !== 'run') return []
    const end = told.slice(i).find((later) => later.what.type === 'ran' && later.what.key === what.key)
    return [{ key: what.key, from: at, to: end?.at ?? Number.POSITIVE_INFINITY }]
  })
}

/** How many began while another of the same key was under way, on any server. */
function besides(runs: readonly Run[]): number {
  const sorted = runs.toSorted((a, b) => a.from - b.from)
  return sorted.filter((run, i) => sorted.slice(0, i).some(({ key, to }) => key === run.key && to > run.from)).length
}
