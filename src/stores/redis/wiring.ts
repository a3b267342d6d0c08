import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import { StoreError } from '../../core/errors.ts'
import { anyNodeOf, clusterLike, connectNode, connectNodes, mastersOf, ownerOf, publishThroughAny } from './cluster.ts'
import { type Connection, type ConnectionListener, connect, duplicateOf, unreachable } from './connection.ts'
import { isBehindSentinel, sentinelOptions, watchSentinels } from './sentinel.ts'
import { isCluster, type RedisClient } from './source.ts'

/**
 * A server as it is connected now. Cursors of scans are of one process: another one, that has taken its place or is the same
 * started anew, keeps its keys in another order, and goes on elsewhere.
 */
export interface Server {
  readonly client: Redis
  /** Of this connection, without a space. */
  readonly name: string
}

/** How one cache reaches its Redis: one server, or a cluster. */
export interface Wiring {
  readonly client: Redis | Cluster
  /** Keys of several ids can't be in one command, and messages go to every node. */
  readonly clustered: boolean
  /** Resolves when it was connected once; rejects with `CLOSED` when it is closed. */
  connected(): Promise<void>
  /** Sends a command that does no harm where it runs twice or late; faults become a `StoreError`. */
  send<T>(command: () => Promise<T>): Promise<T>
  /**
   * As `send`, for one that does. A's claim is on its way when its connection breaks, is sent again, and A leads; B
   * invalidates; the first copy arrives: A would lead again, with what it began before.
   */
  sendOnce<T>(command: () => Promise<T>): Promise<T>
  /** As `send`. In a cluster a message reaches all nodes from any: one that does not answer soon is not waited for. */
  publish(channel: string, message: string | Buffer): Promise<unknown>
  /** Every server that has keys of its own. */
  masters(): Promise<readonly Server[]>
  /** The server of the name, as long as it is connected; @throws StoreError after that */
  serverNamed(name: string): Server
  /** The server that has the key; @throws StoreError where none is known */
  serverOf(key: string): Server
  /** What is the same for keys of one server, as far as that is known. */
  serverName(key: string): string
  /** A connection for messages, which is not made yet. In a cluster as soon as a node is known; rejects when closed. */
  readonly inbox: Redis | Promise<Redis>
  close(): Promise<void>
}

/** ms until a command is sent again that a cluster had nobody for, because a slot or a role has moved. */
const SEND_AGAIN_AFTER = 30
/** The part of the command budget after which a message is given to another node too. */
const PATIENCE_SHARE = 0.25

export function wire(source: RedisClient, commandTimeout: number, listener: ConnectionListener): Wiring {
  if (isCluster(source)) return wireCluster(source, commandTimeout, listener)
  const guarded = isBehindSentinel(source)
  const duplicate = () => duplicateOf(source, guarded ? sentinelOptions(source.options) : {})
  const commands = connect(duplicate(), commandTimeout, listener)
  const inbox = duplicate()
  const watch = guarded ? watchSentinels(source, [commands.client, inbox], listener.fault) : undefined
  const server = (): Server => ({ client: commands.client, name: String(commands.times) })
  return {
    ...partOf(commands),
    clustered: false,
    send: commands.send,
    sendOnce: commands.send,
    publish: (channel, message) => commands.send(() => commands.client.publish(channel, message)),
    masters: async () => [server()],
    serverNamed: (name) => found([server()], name),
    serverOf: server,
    serverName: () => '',
    inbox,
    async close() {
      watch?.close()
      await commands.close()
    },
  }
}

function wireCluster(source: RedisClient, commandTimeout: number, listener: ConnectionListener): Wiring {
  const cluster = clusterLike(source)
  /** A node that is lost and found again has a new client. */
  const names = new WeakMap<Redis, string>()
  let named = 0
  const asServer = (client: Redis): Server => {
    const name = names.get(client) ?? String(++named)
    names.set(client, name)
    return { client, name }
  }
  cluster.on('+node', (node: Redis) => {
    // Before that it looks for the slots through whichever node, and lets the command wait for the connection.
    if (cluster.status === 'ready' && node.options.readOnly !== true) void connectNode(node)
  })
  const commands = connect(cluster, commandTimeout, {
    ...listener,
    prepare: () => connectNodes(cluster, commandTimeout),
  })
  /** Without a master it knows of the client would ask a replica, which lags behind invalidations. */
  function sendToMasters<T>(command: () => Promise<T>): Promise<T> {
    return commands.send(() => {
      if (cluster.nodes('master').length > 0) return command()
      cluster.refreshSlotsCache()
      throw unreachable('no master of the cluster is connected')
    })
  }
  function sender(mayGoAgain: (error: StoreError) => boolean) {
    return async <T>(command: () => Promise<T>): Promise<T> => {
      try {
        return await sendToMasters(command)
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'UNREACHABLE' && mayGoAgain(error))) throw error
        await delay(SEND_AGAIN_AFTER)
        return sendToMasters(command)
      }
    }
  }
  const send = sender(() => true)
  const patience = commandTimeout * PATIENCE_SHARE
  return {
    ...partOf(commands),
    clustered: true,
    send,
    sendOnce: sender(hasNotRun),
    publish: (channel, message) => send(() => publishThroughAny(cluster, patience, channel, message)),
    masters: async () => (await mastersOf(cluster)).map(asServer),
    serverNamed: (name) => found(cluster.nodes('master').map(asServer), name),
    serverOf: (key) => asServer(ownerOf(cluster, key)),
    serverName(key) {
      try {
        return asServer(ownerOf(cluster, key)).name
      } catch {
        return '' // the command itself says so
      }
    },
    inbox: commands.connected().then(() => anyNodeOf(cluster)),
  }
}

function partOf({ client, connected, close }: Connection<Redis | Cluster>) {
  return { client, connected, close }
}

/** It was not sent, or a node answered that it is not the one. Where a connection broke nobody knows. */
function hasNotRun({ cause }: StoreError): boolean {
  return cause === undefined || (cause as Error).name === 'ReplyError'
}

function found(servers: readonly Server[], name: string): Server {
  const server = servers.find((one) => one.name === name)
  if (server === undefined) throw unreachable('the connection to a server was lost in the middle of a scan')
  return server
}
