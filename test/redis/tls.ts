import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer } from 'node:tls'
import type { Certificate } from './certificate.ts'
import type { Address } from './clusterNode.ts'

/** What ends TLS in front of servers that do not speak it, as in front of many a cluster. */
export interface Terminators extends AsyncDisposable {
  readonly startupNodes: readonly Address[]
  /** By the addresses that the servers announce, as ioredis takes it. */
  readonly natMap: Readonly<Record<string, Address>>
  /** Connections so far that came by TLS. */
  readonly connections: number
}

export async function terminateTls(targets: readonly Address[], { cert, key }: Certificate): Promise<Terminators> {
  const sockets = new Set<Socket>()
  let connections = 0

  const servers = targets.map(({ port }) =>
    createServer({ cert, key }, (client) => {
      connections++
      const upstream = connect({ host: '127.0.0.1', port, noDelay: true })
      for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
        sockets.add(from)
        // Who resets a connection is of no interest here; an error is always followed by `close`.
        from.on('error', () => {})
        from.on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
        from.pipe(to)
      }
    }).listen(0, '127.0.0.1'),
  )
  await Promise.all(servers.map((server) => server.listening || once(server, 'listening')))
  const startupNodes = servers.map((server) => ({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }))

  return {
    startupNodes,
    natMap: Object.fromEntries(targets.map(({ port }, i) => [`127.0.0.1:${port}`, startupNodes[i] as Address])),
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}
