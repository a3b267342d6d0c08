import { Redis } from 'ioredis'
import { type Address, type Open, type Proxied, type ServerNode, startServer } from './clusterNode.ts'
import { caughtUp } from './replication.ts'
import { agreedMaster, hasten, objectionOf } from './sentinelView.ts'
import { type Inspector, newInspector, type RedisServer, type RedisServerOptions, startRedis } from './server.ts'
import { untilClear } from './untilClear.ts'

/** Those of a server, which all servers get, and: */
export interface RedisSentinelOptions extends Omit<RedisServerOptions, 'cluster' | 'sentinel' | 'inspector'> {
  /** Default: 2. */
  replicas?: number
  /** `down-after-milliseconds`: a master that is silent so long is replaced. Default: 1000. */
  downAfter?: number
  /** ms; after four times as many a master that was replaced, and lives, is made a replica. Default: 400; of sentinels: 2000. */
  publishPeriod?: number
  /** Puts a proxy before every server, through which clients come with `natMap`. Default: `false`. */
  proxied?: boolean
}

/** A master with its replicas, and three sentinels that watch them. Servers are killed and paused through `node.server`. */
export interface RedisSentinel<N extends ServerNode = ServerNode> extends AsyncDisposable {
  /** As the sentinels call the master. */
  readonly name: string
  /** The master first, as it was at the start. */
  readonly nodes: readonly N[]
  readonly sentinels: readonly RedisServer[]
  /** `new Redis({ sentinels: addresses, name, natMap })` */
  readonly addresses: readonly Address[]
  /** Proxies by the addresses that the sentinels tell; empty without proxies. */
  readonly natMap: Readonly<Record<string, Address>>
  /** The master that all sentinels name, which need not run. Rejects while they differ. */
  master(): Promise<N>
  /** Resolves when all sentinels and running servers agree: who the master is, and that the others follow it, in sync. */
  settled(): Promise<void>
  /** Resolves when the replicas have what the master had at the call. */
  replicated(): Promise<void>
  /** Resolves with the server that all sentinels name in the place of this one, and that says itself that it is the master. */
  replaced(master: N): Promise<N>
  /** A sentinel makes a replica the master (SENTINEL FAILOVER), and later this one its replica; resolves as `replaced`. */
  handover(master: N): Promise<N>
  /** Starts a server again that was killed: empty, as a replica. Resolves when all is settled. */
  revive(node: N): Promise<void>
  /** A plain client of the master, with every right, past the proxies. Closed with the servers. */
  client(): Redis
}

const NAME = 'main'
const SENTINELS = 3
/** ms for one attempt at a fail-over; after twice as many comes the next, such as where the votes were split. */
const FAILOVER_TIMEOUT = 3000
/** So often a fail-over is asked for. */
const HANDOVERS = 4
/** ms for all attempts. */
const REPLACED_LIMIT = 60_000

/** Starts all and waits until it is settled. */
export function startSentinel(
  options: RedisSentinelOptions & { proxied: true },
): Promise<RedisSentinel<Proxied<ServerNode>>>
export function startSentinel(options?: RedisSentinelOptions): Promise<RedisSentinel>
export async function startSentinel(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  const { replicas = 2, downAfter = 1000, publishPeriod, proxied = false, config = [], ...rest } = options
  const inspector = newInspector()
  const opened: AsyncDisposable[] = []
  async function open<T extends AsyncDisposable>(starts: readonly Promise<T>[]): Promise<T[]> {
    const settled = await Promise.allSettled(starts)
    opened.push(...settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])))
    return Promise.all(starts)
  }
  const server = (more: readonly string[]) => {
    return startServer({ ...rest, inspector, config: [...configuration(inspector), ...more, ...config] }, proxied)
  }
  try {
    const [master] = (await open([server([])])) as [Open<ServerNode>]
    const follow = `replicaof 127.0.0.1 ${master.server.port}`
    const others = await open(Array.from({ length: replicas }, () => server([follow])))
    const watching = sentinelConfiguration(master.server.port, downAfter, inspector)
    const sentinels = await open(
      Array.from({ length: SENTINELS }, () => startRedis({ sentinel: true, inspector, config: watching })),
    )
    await hasten(sentinels, publishPeriod)
    const all = openSentinel([master, ...others], sentinels, inspector)
    await all.settled()
    return all
  } catch (error) {
    await endAll(opened)
    throw error
  }
}

function configuration({ username, password }: Inspector): string[] {
  return [
    'repl-diskless-sync yes',
    'repl-diskless-sync-delay 0',
    'rdb-del-sync-files yes',
    `masteruser ${username}`,
    `masterauth ${password}`,
  ]
}

function sentinelConfiguration(port: number, downAfter: number, { username, password }: Inspector): string[] {
  return [
    `sentinel monitor ${NAME} 127.0.0.1 ${port} 2`,
    `sentinel down-after-milliseconds ${NAME} ${downAfter}`,
    `sentinel failover-timeout ${NAME} ${FAILOVER_TIMEOUT}`,
    `sentinel parallel-syncs ${NAME} 10`,
    `sentinel auth-user ${NAME} ${username}`,
    `sentinel auth-pass ${NAME} ${password}`,
  ]
}

function openSentinel(
  nodes: readonly Open<ServerNode>[],
  sentinels: readonly RedisServer[],
  inspector: Inspector,
): RedisSentinel {
  const clients = new Set<Redis>()
  const asking = sentinels.map((sentinel) => sentinel.client())
  const addresses = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  const running = () => nodes.filter(({ server }) => server.state === 'running')

  async function master(): Promise<ServerNode> {
    const port = await agreedMaster(asking, NAME)
    const node = nodes.find(({ server }) => server.port === port)
    if (node === undefined) throw new Error(`The sentinels name ${port}, which is none of ours.`)
    return node
  }

  async function settled(): Promise<void> {
    await untilClear(() => objectionOf(asking, NAME, running()), 'Settled sentinels')
  }

  async function replaced(old: ServerNode, limit = REPLACED_LIMIT): Promise<ServerNode> {
    await untilClear(
      async () => {
        const now = await master()
        if (now === old) return `${old.url} is the master still`
        return (await now.role()) === 'master' ? undefined : `${now.url} is a replica still`
      },
      'Another master',
      limit,
    )
    return master()
  }

  return {
    name: NAME,
    nodes,
    sentinels,
    addresses,
    natMap: Object.fromEntries(
      nodes.flatMap(({ server, proxy, address }) => (proxy ? [[`127.0.0.1:${server.port}`, address]] : [])),
    ),
    master,
    settled,
    replicated: () => caughtUp(running()),
    replaced,
    async handover(old) {
      const [sentinel] = asking
      // One that is given up, such as where a replica is slow to say that it is the master, is not begun again by itself.
      for (let attempt = 1; ; attempt++) {
        await sentinel?.call('SENTINEL', 'FAILOVER', NAME)
        try {
          return await replaced(old, 3 * FAILOVER_TIMEOUT)
        } catch (error) {
          if (attempt === HANDOVERS) throw error
        }
      }
    },
    async revive(node) {
      await node.server.restart()
      const { server } = await master()
      if (server !== node.server) await node.ask('REPLICAOF', '127.0.0.1', server.port)
      await settled()
    },
    client() {
      const client = new Redis({ sentinels: addresses, name: NAME, ...inspector })
      client.on('error', () => {})
      clients.add(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect()
      await endAll([...nodes, ...sentinels])
    },
  }
}

async function endAll(opened: readonly AsyncDisposable[]): Promise<void> {
  await Promise.all(opened.map((one) => one[Symbol.asyncDispose]()))
}
