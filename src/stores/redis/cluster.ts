import { type Cluster, type ClusterOptions, Command, type Redis, type RedisOptions } from 'ioredis'
import { hearSockets, ownOptions, retryDelay, unreachable } from './connection.ts'
import { inTime } from './inTime.ts'
import type { RedisClient } from './source.ts'

/**
 * ms between two looks at who has which slot. A client learns it from the answers of the nodes; one that is paused or cut
 * off gives none, also when another has taken its place.
 */
const LOOK_AGAIN_AFTER = 5000
/** Of one command: from the node that had the slot to the one that has it, and to the one that is getting it. */
const MAX_REDIRECTIONS = 5
/** So many nodes are given one message at most. */
const PUBLISHERS = 3
const SLOTS = 16_384

/**
 * A client like the given one of a cluster, for us alone. Nothing is queued and nothing is resent, but to where a node that
 * did not run a command says that it belongs: see `ownOptions`.
 */
export function clusterLike(source: RedisClient): Cluster {
  const given = source as Cluster
  const { redisOptions = {}, slotsRefreshInterval = LOOK_AGAIN_AFTER } = given.options
  const options: ClusterOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    // It asks whichever node, and waits for ever for one that is silent. A cluster that is down says so to each command.
    enableReadyCheck: false,
    enableAutoPipelining: false,
    keyPrefix: '',
    // Replicas lag behind invalidations.
    scaleReads: 'master',
    shardedSubscribers: false,
    slotsRefreshInterval,
    clusterRetryStrategy: retryDelay,
    // A node that is lost is found anew, with a client of its own: a scan must not go on there.
    clusterNodeRetryStrategy: null,
    maxRedirections: MAX_REDIRECTIONS,
    retryDelayOnMoved: 0,
    retryDelayOnTryAgain: 0,
    // With any other value a script whose connection broke is sent again.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    redisOptions: { ...redisOptions, ...ownOptions(redisOptions) },
  }
  const cluster = (given as { duplicate(nodes: [], options: ClusterOptions): Cluster }).duplicate([], options)
  cluster.on('+node', hearAsking)
  cluster.on('+node', hearSockets)
  return cluster
}

/**
 * In front of a command that an ASK sends elsewhere the client sends ASKING, and leaves its promise to nobody (in
 * `sendCommand` of cluster/index.js, versions 5 and 6). Where the connection breaks then, or the node refuses, that would be
 * an unhandled rejection, which ends the process. The command itself says what became of it.
 */
function hearAsking(node: Redis): void {
  const asking = node.asking.bind(node)
  node.asking = () => {
    const sent = asking()
    sent.catch(() => undefined)
    return sent
  }
}

/**
 * Connects to every master: a node's client queues what is sent before it is connected, and a write must not wait in a
 * queue. Resolves when each is connected or has failed, or after `limit` ms: one may take connections and be silent.
 */
export async function connectNodes(cluster: Cluster, limit: number): Promise<void> {
  await Promise.all(cluster.nodes('master').map((node) => inTime(connectNode(node), limit)))
}

export async function connectNode(node: Redis): Promise<void> {
  if (node.status === 'wait')
    await node.connect().catch(() => undefined) // told by the event `node error`
  else if (node.status === 'connecting' || node.status === 'connect') await settled(node)
}

/** Resolves when the node is connected, or has failed to. */
function settled(node: Redis): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      node.off('ready', done)
      node.off('close', done)
      resolve()
    }
    node.on('ready', done)
    node.on('close', done)
  })
}

/**
 * A plain connection to any node, which finds another one where that is lost: messages reach all nodes. The cluster's own
 * subscriber would resubscribe elsewhere in silence.
 *
 * @throws StoreError where no node is known
 */
export function anyNodeOf(cluster: Cluster): Redis {
  const pick = () => {
    const masters = cluster.nodes('master')
    const ready = masters.filter(({ status }) => status === 'ready')
    const nodes = ready.length > 0 ? ready : masters
    return nodes[Math.floor(Math.random() * nodes.length)]
  }
  const first = pick()
  if (first === undefined) throw unreachable('no node of the cluster is known')
  const options: RedisOptions = {
    ...ownOptions(first.options),
    retryStrategy(attempt: number) {
      // The connector reads its address from these options at each attempt.
      const { host, port } = pick()?.options ?? client.options
      Object.assign(client.options, { host, port })
      return retryDelay(attempt)
    },
  }
  const client: Redis = first.duplicate(options)
  return client
}

/**
 * Publishes through a master that is connected, and through another one too where that has failed, or not answered within
 * `patience` ms. The message may arrive more than once.
 */
export async function publishThroughAny(
  cluster: Cluster,
  patience: number,
  channel: string,
  message: string | Buffer,
): Promise<void> {
  const ready = cluster.nodes('master').filter(({ status }) => status === 'ready')
  const from = Math.floor(Math.random() * ready.length)
  const sent: Promise<number>[] = []
  for (const node of [...ready.slice(from), ...ready.slice(0, from)].slice(0, PUBLISHERS)) {
    sent.push(node.publish(channel, message))
    if ((await inTime(Promise.any(sent), patience)) !== undefined) return
  }
  try {
    await Promise.any(sent)
  } catch (error) {
    throw (error as AggregateError).errors[0] ?? unreachable('no master of the cluster is connected')
  }
}

/**
 * Every master, as the cluster has them now.
 *
 * @throws StoreError where a slot has none, or none that is connected
 */
export async function mastersOf(cluster: Cluster): Promise<readonly Redis[]> {
  await new Promise<void>((resolve, reject) => {
    cluster.refreshSlotsCache((error) => (error ? reject(error) : resolve()))
  })
  return [...new Set(Array.from({ length: SLOTS }, (_, slot) => masterOf(cluster, slot)))]
}

/** The master that has the key, as far as it is known here. @throws StoreError where none is */
export function ownerOf(cluster: Cluster, key: string): Redis {
  return masterOf(cluster, new Command('GET', [key]).getSlot() ?? 0)
}

function masterOf(cluster: Cluster, slot: number): Redis {
  // By slot: the addresses of its nodes, the master's first. Not in the declarations, and the same in versions 5 and 6.
  const { slots, connectionPool } = cluster as unknown as {
    slots: readonly (readonly string[] | undefined)[]
    connectionPool: { getInstanceByKey(address: string): Redis | undefined }
  }
  const address = slots[slot]?.[0]
  const node = address === undefined ? undefined : connectionPool.getInstanceByKey(address)
  if (node === undefined) throw unreachable(`slot ${slot} of the cluster has no master that is connected`)
  return node
}
