import { Redis } from 'ioredis'
import { startProxy, type TcpProxy } from './proxy.ts'
import { type Inspector, type RedisServer, type RedisServerOptions, startRedis } from './server.ts'

/** As ioredis takes the nodes to start from. */
export interface Address {
  host: string
  port: number
}

/** One of several servers that belong together, which a test may kill and pause as it likes. */
export interface ServerNode {
  readonly server: RedisServer
  /** Where clients reach it: the server, or the proxy in front of it. */
  readonly address: Address
  /** The same as a URL for the default user, with its password. */
  readonly url: string
  readonly proxy: TcpProxy | undefined
  /** What it says of itself now. */
  role(): Promise<'master' | 'replica'>
  /** Runs one command on this very node with every right. Rejects at once where there is no process. */
  ask(command: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown>
  /** `ask` for keys: strings come as Buffers. */
  askBuffer(command: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown>
}

/** One server of a cluster. */
export interface ClusterNode extends ServerNode {
  /** As the others call it; it outlives a restart. */
  readonly id: string
}

export type Proxied<N extends ServerNode> = N & { readonly proxy: TcpProxy }
export type ProxiedNode = Proxied<ClusterNode>

export type Open<N extends ServerNode> = N & AsyncDisposable
export type OpenNode = Open<ClusterNode>

/** ms: a paused process or a busy machine; nothing here takes long. */
const ANSWER_TIMEOUT = 5_000

/** Starts a server that is a cluster of its own, and its proxy where one is wanted. */
export async function startNode(
  options: RedisServerOptions & { inspector: Inspector },
  proxied: boolean,
): Promise<OpenNode> {
  const node = await startServer({ ...options, cluster: true }, proxied)
  try {
    return Object.assign(node, { id: String(await node.ask('CLUSTER', 'MYID')) })
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}

/** Starts a server, and its proxy where one is wanted. */
export async function startServer(
  options: RedisServerOptions & { inspector: Inspector },
  proxied: boolean,
): Promise<Open<ServerNode>> {
  const server = await startRedis(options)
  const control = controlOf(server.port, options.inspector)
  let proxy: TcpProxy | undefined

  async function dispose(): Promise<void> {
    control.close()
    await Promise.all([server[Symbol.asyncDispose](), proxy?.close()])
  }

  try {
    proxy = proxied ? await startProxy(server.url) : undefined
  } catch (error) {
    await dispose()
    throw error
  }
  const node: Open<ServerNode> = {
    server,
    address: { host: '127.0.0.1', port: (proxy ?? server).port },
    url: (proxy ?? server).url,
    proxy,
    async role() {
      const [role] = (await node.ask('ROLE')) as string[]
      return role === 'master' ? 'master' : 'replica'
    },
    ask: async (command, ...args) => control.client().call(command, [...args]),
    askBuffer: async (command, ...args) => control.client().callBuffer(command, [...args]),
    [Symbol.asyncDispose]: dispose,
  }
  return node
}

/** A connection to whichever process the server runs now, which gives nothing a second try. */
function controlOf(port: number, inspector: Inspector): { client(): Redis; close(): void } {
  let client: Redis | undefined

  return {
    client() {
      if (client === undefined || client.status === 'end') {
        client = new Redis({
          port,
          ...inspector,
          retryStrategy: null,
          maxRetriesPerRequest: 0,
          enableReadyCheck: false,
          commandTimeout: ANSWER_TIMEOUT,
        })
        client.on('error', () => {})
      }
      return client
    },
    close() {
      client?.disconnect()
    },
  }
}
