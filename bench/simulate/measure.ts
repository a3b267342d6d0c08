import { existsSync, readFileSync } from 'node:fs'
import { encodeEntry, NO_WINDOWS } from '../../src/core/entry.ts'
import { newToken } from '../../src/core/token.ts'
import { fieldOf } from '../../src/stores/redis/info.ts'
import { namesOf } from '../../src/stores/redis/keys.ts'
import { type Scripts, scriptsOf } from '../../src/stores/redis/scripts.ts'
import { describeMachine } from '../../test/load/machine.ts'
import { startCluster } from '../../test/redis/cluster.ts'
import { type RedisServer, startRedis } from '../../test/redis/server.ts'
import { median } from '../rounds.ts'
import { BANDWIDTH, type Cost, type Parameters } from './parameters.ts'

/** Of the ioredis that is the project's own, not that of a cache which is compared. */
type Client = ReturnType<RedisServer['client']>

/** Connections, each as of an instance. */
const CLIENTS = 100
const ROUNDS = 25
const SMALL = 1000
const LARGE = 50_000
/** Bytes of the messages to a hundred waiters, so that all of them are in the message. */
const SMALL_TOLD = 100
const LARGE_TOLD = 10_000
/** At once: of thousands each costs the sender three times as much, because Redis 7.0 moves what it has not sent yet. */
const BUS_MESSAGES = 100
const BUS_ROUNDS = 40
/** As an end does: by one script, which costs little itself. */
const PUBLISH_ALL = "for _ = 1, ARGV[3] do redis.call('PUBLISH', ARGV[1], ARGV[2]) end"
const NAMES = namesOf('measure')
const LEASE = '60000'

/**
 * Measures what commands cost a server here, in a few seconds: its processor time by INFO, for many at once, as they come in a
 * stampede: it stands still until all are there.
 */
export async function measureParameters(): Promise<Parameters> {
  const machine = await describeMachine()
  await using server = await startRedis()
  const clients = Array.from({ length: CLIENTS }, () => server.client())
  const inboxes = Array.from({ length: CLIENTS }, () => server.client())
  await Promise.all(inboxes.map((inbox, i) => inbox.subscribe(NAMES.inbox(instanceOf(i)))))
  const latency = await measureLatency(server.client())
  const single = await measureServer(server, clients)
  const bus = await measureBus()
  return { machine, latency, bandwidth: BANDWIDTH, ...single, ...bus }
}

/** ms one way: half of what a PING takes. */
async function measureLatency(client: Client): Promise<number> {
  const trips: number[] = []
  for (let i = 0; i < 1000; i++) {
    const sentAt = performance.now()
    await client.ping()
    trips.push(performance.now() - sentAt)
  }
  return median(trips) / 2
}

type ServerCosts = Omit<Parameters, 'machine' | 'latency' | 'bandwidth' | 'slots' | `bus${string}`>

async function measureServer(server: RedisServer, clients: readonly Client[]): Promise<ServerCosts> {
  const inspector = server.client()
  const scripts = clients.map(scriptsOf)
  const first = clients[0] as Client
  const firstScripts = scripts[0] as Scripts
  const bodies = new Map([SMALL, LARGE, SMALL_TOLD, LARGE_TOLD].map((bytes) => [bytes, entryOf(bytes)]))
  const bodyOf = (bytes: number) => bodies.get(bytes) as Buffer
  let keys = 0
  const newId = () => `key ${++keys}`

  /** µs of the processor for each of `count` things that `act` asks for at once, at the median of the rounds. */
  async function costOf(count: number, act: (round: number) => Promise<unknown>, prepare?: () => Promise<unknown>) {
    const costs: number[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      await prepare?.()
      const before = cpuOf(await inspector.info('cpu'))
      server.pause()
      const acted = act(round)
      await new Promise((resolve) => setTimeout(resolve, 5))
      server.resume()
      await acted
      costs.push((cpuOf(await inspector.info('cpu')) - before) / count)
    }
    return median(costs.slice(1)) // without the first, for which scripts are loaded
  }
  const each = (act: (client: Client, i: number) => Promise<unknown>) => Promise.all(clients.map(act))
  const line = async (small: number, large: number, measured: (bytes: number) => Promise<number>) =>
    lineThrough(small, await measured(small), large, await measured(large))

  await Promise.all([first.set('small', bodyOf(SMALL)), first.set('large', bodyOf(LARGE))])
  const nothing = await costOf(1, async () => undefined)
  const missed = await costOf(CLIENTS, () => each((client) => client.get('nothing')))
  const large = await costOf(CLIENTS, () => each((client) => client.getBuffer('large')))
  const many = Array.from({ length: 1000 }, (_, i) => `nothing ${i}`)
  const readMany = await costOf(1, () => first.mget(many))

  const claimOf = (i: number, ids: readonly string[]) =>
    (scripts[i] as Scripts).claim(
      [...ids.flatMap((id) => [NAMES.entry(id), NAMES.flight(id)]), NAMES.clock],
      instanceOf(i),
      ids.map(() => ({ token: tokenOf(i), lease: LEASE, seen: Buffer.from('-') })),
    )
  const claim = await costOf(CLIENTS, () => {
    const id = newId()
    return each((_, i) => claimOf(i, [id]))
  })
  const claimMany = await costOf(1, () => claimOf(0, Array.from({ length: CLIENTS }, newId)))

  /** Ends of flights that nobody waits for; `together`: in one command. */
  async function endCost(bytes: number, together: boolean): Promise<number> {
    let ids: string[] = []
    const prepare = async () => {
      ids = Array.from({ length: 50 }, newId)
      await claimOf(0, ids)
    }
    const act = () => (together ? endOf(ids, bytes) : Promise.all(ids.map((id) => endOf([id], bytes))))
    return costOf(together ? 1 : 50, act, prepare)
  }
  const endOf = (ids: readonly string[], bytes: number) =>
    firstScripts.end(
      ids.flatMap((id) => [NAMES.entry(id), NAMES.flight(id)]),
      NAMES.inbox(''),
      1024 * 1024,
      ids.map((id) => ({ token: tokenOf(0), id, letter: 'V', body: bodyOf(bytes), write: 'set', px: LEASE }) as const),
    )

  /** A flight that all wait for: in the script, and after it. */
  async function tellCost(bytes: number): Promise<{ publish: number; push: number }> {
    const inScript: number[] = []
    let id = ''
    const prepare = async () => {
      id = newId()
      await claimOf(0, [id])
      await each((_, i) => (i === 0 ? Promise.resolve() : claimOf(i, [id])))
      await first.call('CONFIG', 'RESETSTAT')
    }
    const act = async () => {
      await endOf([id], bytes)
      inScript.push(Number(/cmdstat_evalsha:calls=1,usec=(\d+)/.exec(await first.info('commandstats'))?.[1]))
    }
    const all = await costOf(1, act, prepare)
    const script = median(inScript.slice(1))
    return { publish: script, push: all - script }
  }

  const end = await line(SMALL, LARGE, (bytes) => endCost(bytes, false))
  const endMany = await endCost(SMALL, true)
  const toldSmall = await tellCost(SMALL_TOLD)
  const toldLarge = await tellCost(LARGE_TOLD)
  const waiters = CLIENTS - 1
  const perWaiter = (all: number, bytes: number, own: number) => Math.max(0, all - own * bytes) / waiters
  const publish = lineThrough(
    SMALL_TOLD,
    perWaiter(toldSmall.publish, SMALL_TOLD, end.byte),
    LARGE_TOLD,
    perWaiter(toldLarge.publish, LARGE_TOLD, end.byte),
  )
  const push = lineThrough(SMALL_TOLD, toldSmall.push / waiters, LARGE_TOLD, toldLarge.push / waiters)

  const renewed = newId()
  await claimOf(0, [renewed])
  const renew = await costOf(CLIENTS, () =>
    each((_, i) =>
      (scripts[i] as Scripts).renew(NAMES.flight(renewed), tokenOf(0), LEASE, false, NAMES.inbox(''), renewed),
    ),
  )
  const clock = await costOf(CLIENTS, () => each((_, i) => (scripts[i] as Scripts).clock(NAMES.clock, 0)))
  const set = await line(SMALL, LARGE, (bytes) =>
    costOf(CLIENTS, () => each((client, i) => client.set(`set ${i}`, bodyOf(bytes), 'PX', LEASE))),
  )
  const probe = await costOf(CLIENTS, () => each((client, i) => client.publish(NAMES.inbox(instanceOf(i)), 'P')))
  const info = await costOf(CLIENTS, () => each((client) => client.info()))
  const time = await costOf(CLIENTS, () => each((client) => client.time()))
  const less = (cost: number) => Math.max(0, cost - nothing / CLIENTS)
  return {
    get: lineThrough(0, less(missed), LARGE, less(large)),
    readKey: (readMany - nothing - less(missed)) / 999,
    claim: less(claim),
    claimKey: (claimMany - nothing - less(claim)) / (CLIENTS - 1),
    end: { each: end.each - nothing / 50, byte: end.byte },
    endKey: (endMany - nothing - end.each - end.byte * SMALL * 50) / 49,
    publish,
    push,
    renew: less(renew),
    clock: less(clock),
    set: { each: less(set.each), byte: set.byte },
    probe: less(probe),
    info: less(info),
    time: less(time),
  }
}

/** What a message costs the nodes of a cluster, by one to a channel that nobody listens to. */
async function measureBus(): Promise<Pick<Parameters, 'busSend' | 'busReceive' | 'busHeader' | 'slots'>> {
  await using cluster = await startCluster({ masters: 3, replicas: 0 })
  const [sender, receiver] = cluster.nodes.map(({ server }) => ({ server, client: server.client() }))
  if (sender === undefined || receiver === undefined) throw new Error('a cluster without nodes')
  await using alone = await startRedis()
  const plain = alone.client()
  const channel = NAMES.inbox(newToken())

  /** µs for one message: of who publishes it, and of another node. */
  async function told(client: Client, bytes: number, other?: Client) {
    const body = Buffer.alloc(bytes, 'x')
    const publishAll = () => client.eval(PUBLISH_ALL, 0, channel, body, BUS_MESSAGES)
    const own: number[] = []
    const others: number[] = []
    for (let round = 0; round < BUS_ROUNDS; round++) {
      const before = cpuOf(await client.info('cpu'))
      const otherBefore = other === undefined ? 0 : cpuOf(await other.info('cpu'))
      await publishAll()
      await new Promise((resolve) => setTimeout(resolve, 10)) // what is on the bus arrives
      own.push((cpuOf(await client.info('cpu')) - before) / BUS_MESSAGES)
      others.push(other === undefined ? 0 : (cpuOf(await other.info('cpu')) - otherBefore) / BUS_MESSAGES)
    }
    return { own: median(own), other: median(others) }
  }

  const writtenBefore = writtenBy(sender.server.pid)
  const outBefore = Number(fieldOf(await sender.client.info('stats'), 'total_net_output_bytes'))
  const small = await told(sender.client, 100, receiver.client)
  const outAfter = Number(fieldOf(await sender.client.info('stats'), 'total_net_output_bytes'))
  const writtenAfter = writtenBy(sender.server.pid)
  const large = await told(sender.client, LARGE_TOLD, receiver.client)
  const plainSmall = await told(plain, 100)
  const plainLarge = await told(plain, LARGE_TOLD)
  const onBus = (writtenAfter - writtenBefore - (outAfter - outBefore)) / (BUS_ROUNDS * BUS_MESSAGES) / 2
  const busHeader = writtenAfter === 0 ? CLUSTER_HEADER : Math.round(onBus - 100 - channel.length)
  const slots = await (async () => {
    const before = cpuOf(await sender.client.info('cpu'))
    await Promise.all(Array.from({ length: 500 }, () => sender.client.cluster('SLOTS')))
    return (cpuOf(await sender.client.info('cpu')) - before) / 500 / 3
  })()
  return {
    busSend: lineThrough(
      busHeader + 100,
      (small.own - plainSmall.own) / 2,
      busHeader + LARGE_TOLD,
      (large.own - plainLarge.own) / 2,
    ),
    busReceive: lineThrough(busHeader + 100, small.other, busHeader + LARGE_TOLD, large.other),
    busHeader,
    slots,
  }
}

/** What Redis 7.0 puts before a message on the bus; only where it can't be measured. */
const CLUSTER_HEADER = 2264

/** Bytes that a process has written so far, to sockets too; 0 where the system does not say. */
function writtenBy(pid: number): number {
  const file = `/proc/${pid}/io`
  return existsSync(file) ? Number(/wchar: (\d+)/.exec(readFileSync(file, 'utf8'))?.[1]) : 0
}

/** µs of the processor so far. */
function cpuOf(info: string): number {
  return (Number(fieldOf(info, 'used_cpu_sys')) + Number(fieldOf(info, 'used_cpu_user'))) * 1e6
}

function lineThrough(small: number, atSmall: number, large: number, atLarge: number): Cost {
  const byte = Math.max(0, (atLarge - atSmall) / (large - small))
  return { each: Math.max(0, atSmall - byte * small), byte }
}

function entryOf(bytes: number): Buffer {
  const times = { createdAt: Date.now(), ttl: 60_000, ...NO_WINDOWS }
  return Buffer.from(encodeEntry({ stamp: tokenOf(0), codec: 'json', tags: [], ...times }, Buffer.alloc(bytes, 'x')))
}

function instanceOf(i: number): string {
  return `instance-${String(i).padStart(7, '0')}`
}

function tokenOf(i: number): string {
  return `token-----${String(i).padStart(6, '0')}`
}
