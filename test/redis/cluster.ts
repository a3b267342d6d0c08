import { Cluster } from 'ioredis'
import { joinNodes } from './clusterJoin.ts'
import { type Address, type ClusterNode, type OpenNode, type ProxiedNode, startNode } from './clusterNode.ts'
import { hasSlot, objectionOf, selfOf, type ViewLine } from './clusterView.ts'
import { caughtUp } from './replication.ts'
import { type Inspector, newInspector, type RedisServerOptions } from './server.ts'
import { beginMove, type SlotMove } from './slotMove.ts'
import { slotOf } from './slots.ts'
import { untilClear } from './untilClear.ts'

/** Those of a server, which all nodes get, and: */
export interface RedisClusterOptions extends Omit<RedisServerOptions, 'cluster' | 'inspector'> {
  /** Default: 3, the fewest that can replace a lost one. */
  masters?: number
  /** Of each master. Default: 1. */
  replicas?: number
  /** `cluster-node-timeout`, ms: a master that is silent so long is replaced. Default: 2000. */
  nodeTimeout?: number
  /** Puts a proxy before every node, through which clients come with `startupNodes` and `natMap`. Default: `false`. */
  proxied?: boolean
}

/** A real cluster of the test's own, without persistence. Nodes are killed and paused through `node.server`. */
export interface RedisCluster<N extends ClusterNode = ClusterNode> extends AsyncDisposable {
  /** Masters first, as it was at the start. */
  readonly nodes: readonly N[]
  /** `new Cluster(startupNodes, { natMap })` comes through the proxies if there are any. */
  readonly startupNodes: readonly Address[]
  /** Proxies by the addresses that the nodes announce; empty without proxies. */
  readonly natMap: Readonly<Record<string, Address>>
  /** Running nodes that are masters by their own account now. */
  masters(): Promise<readonly N[]>
  /** Running nodes that are replicas by their own account now; of this master only, if one is given. */
  replicas(master?: N): Promise<readonly N[]>
  /** The running master that has this slot, or the slot of this key. Rejects while there is none. */
  ownerOf(slotOrKey: number | string | Buffer): Promise<N>
  /** The first of `key-0`, `key-1`, … (another word for another `prefix`) that this master has. */
  keyOn(master: N, prefix?: string): Promise<string>
  /**
   * Resolves when all running nodes say that they are a healthy cluster, with every slot and all replicas in sync.
   * After a master was killed or paused that is: when its replica has replaced it.
   */
  settled(): Promise<void>
  /** Resolves when the replicas have what their masters had at the call. */
  replicated(): Promise<void>
  /** Kills this master and resolves with the replica that replaced it, when the cluster is settled. */
  failover(master: N): Promise<N>
  /** This master and a replica swap roles and lose nothing (CLUSTER FAILOVER); resolves with the new master. */
  handover(master: N): Promise<N>
  /** Starts a node again that was killed: empty, in the role the others have for it. Resolves when it is in sync. */
  revive(node: N): Promise<void>
  /** Moves a slot with its keys; resolves when every node says so. */
  moveSlot(slot: number, to: N): Promise<void>
  /** The first half of `moveSlot`: the slot is open on both sides, all keys are still here. */
  beginMove(slot: number, to: N): Promise<SlotMove<N>>
  /** A plain client for looking inside, with every right, past the proxies. Closed with the cluster. */
  client(): Cluster
}

/** Starts the servers, joins them and waits until the cluster is settled. */
export function startCluster(options: RedisClusterOptions & { proxied: true }): Promise<RedisCluster<ProxiedNode>>
export function startCluster(options?: RedisClusterOptions): Promise<RedisCluster>
export async function startCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 1, nodeTimeout = 2_000, proxied = false, config = [], ...rest } = options
  const inspector = newInspector()
  const server = { ...rest, inspector, config: [...configuration(nodeTimeout, inspector), ...config] }
  const starts = Array.from({ length: masters * (1 + replicas) }, () => startNode(server, proxied))
  const started = await Promise.allSettled(starts)
  const nodes = started.filter((start) => start.status === 'fulfilled').map(({ value }) => value)
  try {
    await Promise.all(starts)
    await joinNodes(nodes.slice(0, masters), nodes.slice(masters))
    return openCluster(nodes, inspector)
  } catch (error) {
    await endAll(nodes)
    throw error
  }
}

function configuration(nodeTimeout: number, { username, password }: Inspector): string[] {
  return [
    `cluster-node-timeout ${nodeTimeout}`,
    // A replica may replace its master however long it was cut off, and stays with the one it has.
    'cluster-replica-validity-factor 0',
    'cluster-migration-barrier 100',
    'repl-diskless-sync yes',
    'repl-diskless-sync-delay 0',
    // Or a replica keeps what it was sent in a file, which it would load when it is started again.
    'rdb-del-sync-files yes',
    // Whatever the ACL and the password of the default user are.
    `masteruser ${username}`,
    `masterauth ${password}`,
  ]
}

function openCluster(nodes: readonly OpenNode[], inspector: Inspector): RedisCluster {
  const clients = new Set<Cluster>()
  const running = () => nodes.filter(({ server }) => server.state === 'running')

  async function selves(): Promise<{ node: ClusterNode; self: ViewLine }[]> {
    return Promise.all(running().map(async (node) => ({ node, self: await selfOf(node) })))
  }

  async function masters(): Promise<ClusterNode[]> {
    return (await selves()).filter(({ self }) => self.master === undefined).map(({ node }) => node)
  }

  async function replicas(master?: ClusterNode): Promise<ClusterNode[]> {
    const replicas = (await selves()).filter(({ self }) => self.master !== undefined)
    return replicas.filter(({ self }) => master === undefined || self.master === master.id).map(({ node }) => node)
  }

  async function replicaOf(master: ClusterNode): Promise<ClusterNode> {
    const [replica] = await replicas(master)
    if (replica === undefined) throw new Error(`${master.url} has no running replica that could replace it.`)
    return replica
  }

  async function ownerOf(slotOrKey: number | string | Buffer): Promise<ClusterNode> {
    const slot = typeof slotOrKey === 'number' ? slotOrKey : slotOf(slotOrKey)
    const owners = (await selves()).filter(({ self }) => self.master === undefined && hasSlot(self, slot))
    const [owner] = owners.sort((a, b) => b.self.epoch - a.self.epoch)
    if (owner === undefined) throw new Error(`No running master has slot ${slot}.`)
    return owner.node
  }

  async function settled(): Promise<void> {
    await untilClear(() => objectionOf(running()), 'A settled cluster')
  }

  async function move(slot: number, to: ClusterNode): Promise<SlotMove> {
    return beginMove(slot, await ownerOf(slot), to, { inspector, masters, settled })
  }

  return {
    nodes,
    startupNodes: nodes.map(({ address }) => address),
    natMap: natMapOf(nodes),
    masters,
    replicas,
    ownerOf,
    async keyOn(master, prefix = 'key') {
      const self = await selfOf(master)
      if (self.ranges.length === 0) throw new Error(`${master.url} has no slot.`)
      for (let n = 0; ; n++) if (hasSlot(self, slotOf(`${prefix}-${n}`))) return `${prefix}-${n}`
    },
    settled,
    replicated: () => caughtUp(running()),
    async failover(master) {
      const replica = await replicaOf(master)
      await master.server.kill()
      await settled()
      return replica
    },
    async handover(master) {
      const replica = await replicaOf(master)
      await takeOver(replica)
      await settled()
      return replica
    },
    async revive(node) {
      await node.server.restart()
      await settled()
    },
    async moveSlot(slot, to) {
      await (await move(slot, to)).finish()
    },
    beginMove: move,
    client() {
      const addresses = nodes.map(({ server }) => ({ host: '127.0.0.1', port: server.port }))
      const client = new Cluster(addresses, { redisOptions: inspector })
      // One whose nodes were killed on purpose complains here; its commands still reject.
      client.on('error', () => {})
      clients.add(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect()
      await endAll(nodes)
    },
  }
}

function natMapOf(nodes: readonly ClusterNode[]): Record<string, Address> {
  const proxied = nodes.filter(({ proxy }) => proxy !== undefined)
  return Object.fromEntries(proxied.map(({ server, address }) => [`127.0.0.1:${server.port}`, address]))
}

/**
 * CLUSTER FAILOVER gives up after 5 s; then it is asked for again. Where it had too few votes another election is held
 * after four node timeouts only.
 */
async function takeOver(replica: ClusterNode): Promise<void> {
  let askedAt = Number.NEGATIVE_INFINITY
  await untilClear(async () => {
    if ((await replica.role()) === 'master') return undefined
    if (performance.now() - askedAt > 6_000) {
      await replica.ask('CLUSTER', 'FAILOVER')
      askedAt = performance.now()
    }
    return `${replica.url} is a replica`
  }, 'A hand-over')
}

async function endAll(nodes: readonly OpenNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
}
