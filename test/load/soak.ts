import { strict as assert } from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { testNamespace } from '../redis/namespace.ts'
import { type NodeProcess, startProcess } from '../redis/processes.ts'
import { startProxy, type TcpProxy } from '../redis/proxy.ts'
import { startRedis } from '../redis/server.ts'
import { untilClear } from '../redis/untilClear.ts'
import type { ClientCalls, Stream } from './clients.ts'
import { type KeysLeft, keysLeft } from './keysLeft.ts'
import { expectAnswers } from './promises.ts'
import type { Figures, Row, Scenario, Size } from './scenario.ts'
import type { Left, SoakedCalls } from './soaked.ts'
import { type Usage, usageOf } from './usage.ts'

/** ms: until all is compiled and every cache of anything is full; and then again and again. */
const ROUNDS = { short: [2000, 2000, 2000], full: [30_000, 60_000, 60_000, 60_000] }
const PROCESSES = 2
/** Bytes that the heap may differ by where nothing has leaked: code is compiled and thrown away as it likes. */
const HEAP_MARGIN = 2 * 2 ** 20
/** Of hundreds of calls: the runtime may still have a few at hand. */
const UNCOLLECTED = 10
/** ms in which the index of a tag ends that nobody uses. */
const INDEX_LIMIT = 120_000

export const soak: Scenario = {
  name: 'soak',
  says: 'Two processes are used in every way, over HTTP too, with connections cut; idle again, nothing is left of it: memory, timers, listeners, sockets, keys.',
  async run(size, say) {
    await using redis = await startRedis()
    await using network = await startProxy(redis.url)
    const client = redis.client()
    const clientsBefore = (await usageOf(client)).clients
    await using soaked = await start(network.url)
    const rows = await play(size, soaked, client, network, say)
    for (const { process } of soaked.all) assert.equal(await process.terminate(), 0, 'it did not end by itself')
    await untilClear(async () => {
      const { clients } = await usageOf(client)
      return clients <= clientsBefore ? undefined : `${clients} are connected, and were ${clientsBefore}`
    }, 'the end of all connections')
    assert.deepEqual(await client.pubsub('CHANNELS', '*'), [], 'somebody is subscribed still')
    return rows
  },
}

interface Soaked {
  readonly name: string
  readonly process: NodeProcess<SoakedCalls, Record<string, never>>
  readonly streams: readonly Stream[]
}

interface AllSoaked extends AsyncDisposable {
  readonly all: readonly Soaked[]
  readonly clients: NodeProcess<ClientCalls, Record<string, never>>
}

async function start(redis: string): Promise<AllSoaked> {
  const namespace = testNamespace('soak')
  const started: AsyncDisposable[] = []
  const dispose = async () => void (await Promise.all(started.map((process) => process[Symbol.asyncDispose]())))
  try {
    const clients: AllSoaked['clients'] = await startProcess(new URL('./clients.ts', import.meta.url))
    started.push(clients)
    const all: Soaked[] = []
    for (let i = 1; i <= PROCESSES; i++) {
      const process: Soaked['process'] = await startProcess(new URL('./soaked.ts', import.meta.url))
      started.push(process)
      const urls = await process.call('start', redis, namespace)
      all.push({ name: `process ${i}`, process, streams: streamsOf(`process ${i}`, urls) })
    }
    return { all, clients, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** What its servers are asked besides: 100 requests a second. */
function streamsOf(name: string, urls: Awaited<ReturnType<SoakedCalls['start']>>): Stream[] {
  const keys = Array.from({ length: 20 }, (_, i) => `http ${i}`)
  return (['yoga', 'trpc'] as const).flatMap((kind) => {
    const targets = [{ name, kind, url: urls[kind] }]
    return [
      { name: 'hit', targets, how: 'cached' as const, keys, every: 40, together: 1 },
      { name: 'miss', targets, how: 'cached' as const, keys: 'new' as const, every: 80, together: 2 },
    ]
  })
}

async function play(
  size: Size,
  { all, clients }: AllSoaked,
  client: Redis,
  network: TcpProxy,
  say: (line: string) => void,
): Promise<Figures> {
  const rows: Row[] = []
  const unused = new Map<Soaked, Left>()
  for (const one of all) unused.set(one, await one.process.call('left'))
  const before = new Map<Soaked, Left>()
  for (const [round, ms] of ROUNDS[size].entries()) {
    say(`${round + 1} of ${ROUNDS[size].length}, ${ms / 1000} s`)
    const done = await once({ all, clients }, network, ms)
    const keys = await keysAfter(client)
    const usage = await usageOf(client)
    for (const one of all) {
      const left = await untilIdle(one, unused.get(one) as Left)
      const last = before.get(one)
      if (round === ROUNDS[size].length - 1 && last !== undefined) expectSameHeap(one, last, left)
      before.set(one, left)
      rows.push(rowOf(one, round + 1, done, left, keys, usage))
    }
  }
  if (size === 'full') await untilIndexesEnd(client)
  return rows
}

interface Done {
  readonly operations: ReadonlyMap<string, number>
  readonly requests: number
}

/** All of it for so long; half way all connections to Redis are cut. */
async function once(
  { all, clients }: Pick<AllSoaked, 'all' | 'clients'>,
  network: TcpProxy,
  ms: number,
): Promise<Done> {
  await clients.call(
    'play',
    all.flatMap(({ streams }) => streams),
  )
  const soaking = Promise.all(all.map(({ process }) => process.call('soak', ms)))
  await Promise.race([soaking, delay(ms / 2)])
  network.cut()
  const mixed = await soaking
  const samples = await clients.call('stop')
  expectAnswers(samples)
  const operations = new Map<string, number>()
  for (const [i, { done, wrong }] of mixed.entries()) {
    assert.deepEqual(wrong, [], 'somebody got what is not right')
    operations.set(
      all[i]?.name ?? '',
      Object.values(done).reduce((sum, count) => sum + count, 0),
    )
  }
  return { operations, requests: samples.length }
}

/** What is there when nothing is under way, and no more than before it was used. */
async function untilIdle({ name, process }: Soaked, unused: Left): Promise<Left> {
  let left = unused
  await untilClear(async () => {
    left = await process.call('left')
    return busy(left) ?? grown(unused, left)
  }, `${name} to be idle`)
  return left
}

function busy({ stats, waiting, uncollected }: Left): string | undefined {
  for (const { flights, unconfirmed, breaker, inbox } of stats) {
    if (flights + unconfirmed > 0) return `${flights} flights, ${unconfirmed} unconfirmed`
    if (breaker !== 'closed' || !inbox) return `the breaker is ${breaker}${inbox ? '' : ', no messages'}`
  }
  if (waiting > 0) return `${waiting} listeners of a signal`
  return uncollected > UNCOLLECTED ? `${uncollected} loaders and signals are not collected` : undefined
}

function grown(before: Left, { timers, handles, listeners }: Left): string | undefined {
  if (timers > before.timers) return `${timers} timers, and there were ${before.timers}`
  if (listeners > before.listeners) return `${listeners} listeners, and there were ${before.listeners}`
  for (const [kind, count] of Object.entries(handles)) {
    const had = before.handles[kind] ?? 0
    if (count > had) return `${count} ${kind}, and there were ${had}`
  }
  return undefined
}

function expectSameHeap({ name }: Soaked, before: Left, after: Left): void {
  for (const what of ['heap', 'external'] as const) {
    const more = after[what] - before[what]
    assert(more <= HEAP_MARGIN, `${name}: ${what} has grown by ${more} bytes, from ${before[what]}`)
  }
}

/** Waits until all values have ended. */
async function keysAfter(client: Redis): Promise<KeysLeft> {
  let left: KeysLeft | undefined
  await untilClear(async () => {
    left = await keysLeft(client)
    return left.others.length === 0 ? undefined : `${left.others.length} keys, such as ${left.others[0]}`
  }, 'the end of all values')
  return left as KeysLeft
}

async function untilIndexesEnd(client: Redis): Promise<void> {
  await untilClear(
    async () => {
      const { indexes } = await keysLeft(client)
      return indexes === 0 ? undefined : `${indexes} indexes of tags`
    },
    'the end of all indexes of tags',
    INDEX_LIMIT,
  )
}

function rowOf({ name }: Soaked, round: number, done: Done, left: Left, keys: KeysLeft, usage: Usage): Row {
  const tier = left.stats.reduce((sum, { memory }) => sum + memory.entries, 0)
  return {
    round,
    process: name,
    operations: done.operations.get(name) ?? 0,
    'HTTP requests (both)': done.requests,
    'heap (MiB)': left.heap / 2 ** 20,
    'external (MiB)': left.external / 2 ** 20,
    timers: left.timers,
    handles: Object.values(left.handles).reduce((sum, count) => sum + count, 0),
    listeners: left.listeners + left.waiting,
    'kept of calls': left.uncollected,
    'in the memory tier': tier,
    'values in Redis': keys.others.length,
    'keys of tags': keys.indexes + keys.states + keys.clocks,
    'clients of Redis': usage.clients,
  }
}
