import { setTimeout as delay } from 'node:timers/promises'
import { startProxy, type TcpProxy } from '../redis/proxy.ts'
import { startRedis } from '../redis/server.ts'
import { untilClear } from '../redis/untilClear.ts'
import { burst } from './burst.ts'
import type { Sample, Stream } from './clients.ts'
import { type Api, type Fleet, hear, now, startFleet, targetOf } from './fleet.ts'
import { quantile, spreadOf } from './latency.ts'
import { expectAnswers, expectOneRunAtATime, expectProbesOnly, heardOf } from './promises.ts'
import type { Figures, Row, Size } from './scenario.ts'

/** What is wrong between the servers and their Redis, for as long as it lasts. */
export interface Fault {
  /** The first column of its rows. */
  readonly name: string
  begin(network: TcpProxy): void
  end(network: TcpProxy): void
}

/** ms that the origin takes. */
const COST = 20
/** How often it is played, and for how many ms Redis is well, and ill. */
const SIZES = { short: { rounds: 1, well: 400, ill: 1500 }, full: { rounds: 10, well: 2000, ill: 4000 } }
const KEYS = Array.from({ length: 20 }, (_, i) => `hit ${i}`)

/** Of the shared clock. */
type Period = readonly [from: number, to: number]

/** One server in one round. */
interface Course {
  readonly api: Api
  readonly samples: readonly Sample[]
  readonly healthy: Period
  /** From the fault to the opening of the breaker; where that stays closed, to the fault's end. */
  readonly atOnce: Period
  /** From then to the fault's end. */
  readonly open: Period | undefined
  /** ms from the fault's end until a stored value was answered, and messages arrived. */
  readonly recovered: number
}

/**
 * A server of each kind under a constant load of hits, of misses, and of requests that know no cache, while Redis is well,
 * then ill, then well again.
 */
export async function degrade(faults: readonly Fault[], size: Size, say: (line: string) => void): Promise<Figures> {
  await using redis = await startRedis()
  await using network = await startProxy(redis.url)
  await using fleet = await startFleet({ redis: network.url, kinds: ['yoga', 'trpc'], cost: COST })
  const { rounds } = SIZES[size]
  const rows: Row[] = []
  for (const fault of faults) {
    const courses: Course[] = []
    for (let round = 1; round <= rounds; round++) {
      say(`${fault.name}: ${round} of ${rounds}`)
      courses.push(...(await play(fleet, network, fault, size, round)))
    }
    for (const api of fleet.apis) {
      const own = courses.filter((course) => course.api === api)
      rows.push(rowOf(fault, 'hit', own), rowOf(fault, 'miss', own))
    }
  }
  for (const api of fleet.apis) {
    expectOneRunAtATime(api)
    expectProbesOnly(api)
  }
  return rows
}

async function play(fleet: Fleet, network: TcpProxy, fault: Fault, size: Size, round: number): Promise<Course[]> {
  const { clients, apis } = fleet
  const { well, ill } = SIZES[size]
  await clients.call('play', apis.flatMap(streamsOf))
  await delay(well) // all is compiled, connected, and stored by then
  const from = now()
  await delay(well)
  const begun = now()
  fault.begin(network)
  await burst(fleet, `${fault.name}, at once ${round}`)
  await delay(Math.max(0, begun + ill - now()))
  await burst(fleet, `${fault.name}, later ${round}`)
  await hear(apis)
  const ended = now()
  fault.end(network)
  const recovered = await Promise.all(apis.map((api) => untilRecovered(api, ended)))
  await burst(fleet, `${fault.name}, afterwards ${round}`)
  const samples = await clients.call('stop')
  expectAnswers(samples)
  return apis.map((api, i) => {
    const opened = heardOf(api, 'breaker', begun, ended).find(({ state }) => state === 'open')?.at
    return {
      api,
      samples: samples.filter(({ target }) => target === api.name),
      healthy: [from, begun],
      atOnce: [begun, opened ?? ended],
      open: opened === undefined ? undefined : [opened, ended],
      recovered: recovered[i] ?? Number.NaN,
    }
  })
}

/** What one server is asked: 100 requests a second. */
function streamsOf(api: Api): Stream[] {
  const targets = [targetOf(api)]
  return [
    { name: 'hit', targets, how: 'cached', keys: KEYS, every: 25, together: 1 },
    { name: 'miss', targets, how: 'cached', keys: 'new', every: 50, together: 2 },
    { name: 'bare', targets, how: 'bare', keys: 'new', every: 50, together: 1 },
  ]
}

async function untilRecovered(api: Api, ended: number): Promise<number> {
  let at = Number.NaN
  await untilClear(async () => {
    const hit = heardOf(api, 'hit', ended)[0]
    const breaker = heardOf(api, 'breaker').at(-1)
    const inbox = heardOf(api, 'inbox').at(-1)
    if (hit === undefined) return 'no hit'
    if (breaker !== undefined && breaker.state !== 'closed') return `the breaker is ${breaker.state}`
    if (inbox?.confirmed !== true) return 'no messages'
    at = Math.max(hit.at, breaker?.at ?? 0, inbox.at)
    return undefined
  }, `the recovery of ${api.name}`)
  return Math.max(0, at - ended)
}

function rowOf(fault: Fault, asked: 'hit' | 'miss', courses: readonly Course[]): Row {
  const times = (stream: string, period: (course: Course) => Period | undefined) =>
    courses.flatMap((course) => timesIn(course, stream, period(course)))
  const bare = times('bare', ({ healthy }) => healthy)
  const [atOnce, open] = [times(asked, (course) => course.atOnce), times(asked, (course) => course.open)]
  const added = (ill: readonly number[]) =>
    ill.length === 0
      ? '–'
      : [0.5, 0.99].map((part) => (quantile(ill, part) - quantile(bare, part)).toFixed(1)).join(' / ')
  return {
    fault: fault.name,
    server: courses[0]?.api.kind ?? '',
    asked,
    'no cache': spreadOf(bare),
    healthy: spreadOf(times(asked, ({ healthy }) => healthy)),
    'at once': spreadOf(atOnce),
    'breaker open': spreadOf(open),
    'added at once': added(atOnce),
    'added then': added(open),
    'recovered (ms)': Math.round(Math.max(...courses.map(({ recovered }) => recovered))),
  }
}

/** Of the requests of that sort that began in the period. */
function timesIn({ samples }: Course, stream: string, period: Period | undefined): number[] {
  if (period === undefined) return []
  const [from, to] = period
  return samples.filter((sample) => sample.stream === stream && sample.at >= from && sample.at < to).map(({ ms }) => ms)
}
