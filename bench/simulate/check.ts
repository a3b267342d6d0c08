import { strict as assert } from 'node:assert'
import { fieldOf } from '../../src/stores/redis/info.ts'
import { startCluster } from '../../test/redis/cluster.ts'
import { watchCommands } from '../../test/redis/monitor.ts'
import { testNamespace } from '../../test/redis/namespace.ts'
import { type NodeProcess, startProcess } from '../../test/redis/processes.ts'
import { type RedisServer, startRedis } from '../../test/redis/server.ts'
import { untilClear } from '../../test/redis/untilClear.ts'
import { median } from '../rounds.ts'
import { quantile } from './burst.ts'
import { playFlights } from './flights.ts'
import type { Parameters } from './parameters.ts'
import { head, list, sizesOf } from './sizes.ts'
import type { Place, WorkerCalls } from './worker.ts'

/** Instances that are played for real and simulated. */
export interface Case {
  readonly processes: number
  /** Instances in each. */
  readonly caches: number
  /** Of each key in each instance. */
  readonly callers: number
  readonly keys: number
  readonly valueBytes: number
}

/** The same figure of both. */
export interface Pair {
  readonly simulated: number
  readonly measured: number
}

export interface Compared extends Case {
  readonly commands: Pair
  readonly bytesIn: Pair
  readonly bytesOut: Pair
  /** Between nodes; 0 on a single server. */
  readonly busMessages: Pair
  /** ms from the end of the loader to the answer of who followed, at the median. */
  readonly latency: Pair
  /** ms that the processors of all servers worked, at the median; measured with all that instances do besides. */
  readonly busy: Pair
}

/** Of bytes: clocks have more or fewer digits, and instances that are at rest look now and then how servers are. */
export const TOLERANCE = 0.02
/** So often commands and bytes are counted: the median is without what is seldom. */
const ROUNDS = 3
/** Keys that a cluster of three has surely on each node. */
const WARM_KEYS = 30

/** The nodes that the cases are played on, and the processes, which stay from case to case. */
interface Stage extends AsyncDisposable {
  readonly place: Place
  readonly urls: readonly string[]
  readonly inspectors: readonly Client[]
  readonly processes: Worker[]
}

type Client = ReturnType<RedisServer['client']>
type Worker = NodeProcess<WorkerCalls, Record<string, never>> & { caches?: number }

/** Plays the cases, of which none may have fewer processes or instances than the one before, on a server of their own. */
export async function compareOnServer(parameters: Parameters, cases: readonly Case[]): Promise<readonly Compared[]> {
  await using server = await startRedis()
  await using stage = stageOn(server.url, [server.url], [server.client()])
  return await compareAll(parameters, stage, cases)
}

/** The same on a cluster of three masters. */
export async function compareOnCluster(parameters: Parameters, cases: readonly Case[]): Promise<readonly Compared[]> {
  await using cluster = await startCluster({ masters: 3, replicas: 0 })
  const urls = cluster.nodes.map(({ url }) => url)
  const inspectors = cluster.nodes.map(({ server }) => server.client())
  await using stage = stageOn(cluster.startupNodes, urls, inspectors)
  return await compareAll(parameters, stage, cases)
}

function stageOn(redis: Place['redis'], urls: readonly string[], inspectors: readonly Client[]): Stage {
  const processes: Worker[] = []
  return {
    place: { redis, namespace: testNamespace('simulate') },
    urls,
    inspectors,
    processes,
    async [Symbol.asyncDispose]() {
      await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()))
    },
  }
}

async function compareAll(parameters: Parameters, stage: Stage, cases: readonly Case[]): Promise<readonly Compared[]> {
  const compared: Compared[] = []
  for (const [number, one] of cases.entries()) {
    await staff(stage, one)
    const names = (round: number) => Array.from({ length: one.keys }, (_, i) => `key ${number}.${round}.${100_000 + i}`)
    const counts: number[] = []
    for (let round = 1; round <= ROUNDS; round++) counts.push(await countCommands(stage, one, names(-round)))
    const rounds: Measured[] = []
    for (let round = 1; round <= ROUNDS; round++) rounds.push(await measure(stage, one, names(round)))
    const middle = (of: (measured: Measured) => number) => median(rounds.map(of))
    const simulated = playFlights(parameters, {
      masters: stage.urls.length,
      instances: one.processes * one.caches,
      keys: one.keys,
      valueBytes: one.valueBytes,
      loader: 1000,
      spread: 20,
      namespace: stage.place.namespace,
      names: names(1),
    })
    compared.push({
      ...one,
      commands: { simulated: simulated.commands, measured: median(counts) },
      bytesIn: { simulated: simulated.bytesIn, measured: middle(({ bytesIn }) => bytesIn) },
      bytesOut: { simulated: simulated.bytesOut, measured: middle(({ bytesOut }) => bytesOut) },
      busMessages: { simulated: simulated.busMessages, measured: middle(({ busMessages }) => busMessages) },
      busy: { simulated: simulated.busyInAll, measured: middle(({ busy }) => busy) },
      latency: { simulated: quantile(simulated.latencies, 0.5), measured: median(rounds.flatMap(({ late }) => late)) },
    })
  }
  return compared
}

/** So many processes with so many instances as the case has, whose scripts the servers know. */
async function staff({ place, processes }: Stage, { processes: count, caches }: Case): Promise<void> {
  assert(processes.length <= count, 'there are more processes already')
  while (processes.length < count) {
    const process = await startProcess<WorkerCalls, Record<string, never>>(new URL('./worker.ts', import.meta.url))
    processes.push(process)
  }
  await Promise.all(
    processes.map(async (process) => {
      const more = caches - (process.caches ?? 0)
      assert(more >= 0, 'there are more instances already')
      process.caches = caches
      if (more > 0) await process.call('open', place, more)
      await process.call('warm', `warm ${process.pid} ${caches}`, typeof place.redis === 'string' ? 1 : WARM_KEYS)
    }),
  )
}

/** ms of the answers of those who followed, after the loaders. */
async function play({ processes }: Stage, one: Case, keys: readonly string[]): Promise<readonly number[]> {
  const all = await Promise.all(processes.map((process) => process.call('hold')))
  const asking = Promise.all(processes.map((process) => process.call('ask', keys, one.callers, one.valueBytes)))
  asking.catch(() => undefined) // awaited below
  const sum = async (what: 'claimed' | 'published') =>
    (await Promise.all(processes.map((process) => process.call('standing')))).reduce((total, s) => total + s[what], 0)
  const expected = all.length * one.caches * keys.length
  await untilClear(async () => {
    const claimed = await sum('claimed')
    return claimed === expected ? undefined : `${claimed} of ${expected} have claimed`
  }, 'all instances')
  await Promise.all(processes.map((process) => process.call('release')))
  const got = await asking
  await untilClear(async () => {
    const published = await sum('published')
    return published === keys.length ? undefined : `${published} of ${keys.length} are published`
  }, 'the ends of all flights')
  const runs = got.reduce((total, { runs }) => total + runs, 0)
  const wrong = got.reduce((total, { wrong }) => total + wrong, 0)
  assert.deepEqual([runs, wrong], [keys.length, 0], 'loaders that ran, and callers that got something else')
  const loadedAt = Math.max(...got.map((one) => one.loadedAt))
  return got.flatMap(({ answeredAt }) => answeredAt.map((at) => at - loadedAt))
}

/** What instances sent, scripts and messages to themselves apart. */
async function countCommands(stage: Stage, one: Case, keys: readonly string[]): Promise<number> {
  const watches = await Promise.all(stage.urls.map(watchCommands))
  try {
    await play(stage, one, keys)
    const records = (await Promise.all(watches.map((watch) => watch.stop()))).flat()
    const isOurs = (args: readonly string[]) => args.some((arg) => arg.startsWith(`${stage.place.namespace}:`))
    return records.filter(
      ({ source, args }) => source !== 'lua' && args[0]?.toLowerCase() !== 'publish' && isOurs(args.slice(1)),
    ).length
  } finally {
    await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()))
  }
}

interface Measured {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly busMessages: number
  readonly busy: number
  readonly late: readonly number[]
}

async function measure(stage: Stage, one: Case, keys: readonly string[]): Promise<Measured> {
  const before = await traffic(stage)
  const late = await play(stage, one, keys)
  // What is published in one turn of a server with its count is in the bytes of the next.
  const counted = await traffic(stage)
  const after = await traffic(stage)
  const nodes = stage.urls.length
  const followers = one.processes * one.caches - 1
  // What instances have sent to themselves meanwhile, and heard of it.
  const probes = counted.publishes - before.publishes - followers * keys.length
  const probe = sizesOf(stage.place.namespace, nodes > 1, 0).probe()
  return {
    bytesIn: after.bytesIn - before.bytesIn - before.asked - counted.asked - probes * probe.sent,
    bytesOut: after.bytesOut - before.bytesOut - before.told - counted.told - probes * probe.heard,
    busMessages: after.busMessages - before.busMessages - probes * (nodes - 1),
    busy: after.busy - before.busy,
    late,
  }
}

interface Counted extends Omit<Measured, 'late'> {
  /** Bytes of the commands that ask for it, and of the replies, which are not among `bytesOut` yet. */
  readonly asked: number
  readonly told: number
  /** Of scripts too. */
  readonly publishes: number
}

/** What all nodes have counted so far. */
async function traffic({ inspectors }: Stage): Promise<Counted> {
  const counted = await Promise.all(
    inspectors.map(async (inspector) => {
      const stats = await inspector.info('all')
      const bus = inspectors.length === 1 ? '' : String(await inspector.cluster('INFO'))
      return {
        bytesIn: Number(fieldOf(stats, 'total_net_input_bytes')),
        bytesOut: Number(fieldOf(stats, 'total_net_output_bytes')),
        busMessages: Number(/cluster_stats_messages_publish_sent:(\d+)/.exec(bus)?.[1] ?? 0),
        publishes: Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1] ?? 0),
        busy: (Number(fieldOf(stats, 'used_cpu_sys')) + Number(fieldOf(stats, 'used_cpu_user'))) * 1000,
        asked: list(['info', 'all']) + (bus === '' ? 0 : list(['cluster', 'INFO'])),
        told: verbatim(stats) + verbatim(bus),
      }
    }),
  )
  return counted.reduce((sum, node) => ({
    bytesIn: sum.bytesIn + node.bytesIn,
    bytesOut: sum.bytesOut + node.bytesOut,
    busMessages: sum.busMessages + node.busMessages,
    publishes: sum.publishes + node.publishes,
    busy: sum.busy + node.busy,
    asked: sum.asked + node.asked,
    told: sum.told + node.told,
  }))
}

/** Bytes of a text as RESP 3 says it: `=`, its length, `txt:` and itself. */
function verbatim(text: string): number {
  const bytes = Buffer.byteLength(text)
  return bytes === 0 ? 0 : head(bytes + 4) + bytes + 4 + 2
}

/** What differs by more than it may. */
export function differences(compared: readonly Compared[]): readonly string[] {
  return compared.flatMap((one) => {
    const { processes, caches, keys, commands, bytesIn, bytesOut, busMessages } = one
    const where = `${processes} × ${caches} instances, ${keys} keys of ${one.valueBytes} bytes`
    const say = (what: string, { simulated, measured }: Pair) =>
      `${where}: ${what}: ${simulated} simulated, ${measured} measured`
    const near = ({ simulated, measured }: Pair) => Math.abs(simulated - measured) <= measured * TOLERANCE
    return [
      ...(commands.simulated === commands.measured ? [] : [say('commands', commands)]),
      ...(near(bytesIn) ? [] : [say('bytes in', bytesIn)]),
      ...(near(bytesOut) ? [] : [say('bytes out', bytesOut)]),
      ...(busMessages.simulated === busMessages.measured ? [] : [say('messages on the bus', busMessages)]),
    ]
  })
}
