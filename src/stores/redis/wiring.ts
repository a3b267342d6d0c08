import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import { StoreError } from '../../core/errors.ts'
import { anyNodeOf, clusterLike, connectNode, connectNodes, mastersOf } from './cluster.ts'
import { type Connection, type ConnectionListener, connect, duplicateOf } from './connection.ts'
import { isCluster, type RedisClient } from './source.ts'

/** How one cache reaches its Redis: one server, or a cluster. */
export interface Wiring {
  readonly client: Redis | Cluster
  /** Keys of several ids can't be in one command, and messages go to every node. */
  readonly clustered: boolean
  /** Resolves when it was connected once; rejects with `CLOSED` when it is closed. */
  connected(): Promise<void>
  /** Sends a command, or one that does no harm where it runs twice or late; faults become a `StoreError`. */
  send<T>(command: () => Promise<T>): Promise<T>
  /** As `send`, for a command that must run once and now, or never. */
  sendOnce<T>(command: () => Promise<T>): Promise<T>
  /** Every server that has keys of its own. */
  masters(): Promise<readonly Redis[]>
  /** A connection for messages, which is not made yet. In a cluster as soon as a node is known; rejects when closed. */
  readonly inbox: Redis | Promise<Redis>
  close(): Promise<void>
}

/** ms until a command is sent again that a cluster had nobody for, because a slot or a role has moved. */
const SEND_AGAIN_AFTER = 30

export function wire(source: RedisClient, commandTimeout: number, listener: ConnectionListener): Wiring {
  if (isCluster(source)) return wireCluster(source, commandTimeout, listener)
  const commands = connect(duplicateOf(source), commandTimeout, listener)
  return {
    ...partOf(commands),
    clustered: false,
    send: commands.send,
    masters: async () => [commands.client],
    inbox: duplicateOf(source),
  }
}

function wireCluster(source: RedisClient, commandTimeout: number, listener: ConnectionListener): Wiring {
  const cluster = clusterLike(source)
  cluster.on('+node', (node: Redis) => {
    // Before that it looks for the slots through whichever node, and lets the command wait for the connection.
    if (cluster.status === 'ready') void connectNode(node)
  })
  const commands = connect(cluster, commandTimeout, {
    ...listener,
    async up() {
      await connectNodes(cluster)
      await listener.up?.()
    },
  })
  return {
    ...partOf(commands),
    clustered: true,
    async send(command) {
      try {
        return await commands.send(command)
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'UNREACHABLE')) throw error
        await delay(SEND_AGAIN_AFTER)
        return commands.send(command)
      }
    },
    masters: () => mastersOf(cluster),
    inbox: commands.connected().then(() => anyNodeOf(cluster)),
  }
}

function partOf(commands: Connection<Redis | Cluster>) {
  const { client, connected, send: sendOnce, close } = commands
  return { client, connected, sendOnce, close }
}
