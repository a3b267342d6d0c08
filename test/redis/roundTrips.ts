import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Address } from './clusterNode.ts'

/** The network between clients and some servers, in which waiting can be counted. */
export interface RoundTrips extends AsyncDisposable {
  /** Where the servers are reached, in their order. */
  readonly addresses: readonly Address[]
  /** The same by the addresses that servers call themselves, as ioredis takes it for a cluster. */
  readonly natMap: Readonly<Record<string, Address>>
  /** How often clients had to wait for replies to commands so far. Messages are none, nor what is said to begin a connection. */
  readonly count: number
}

/** One connection through the network. */
interface Line {
  readonly client: Socket
  readonly upstream: Socket
  readonly held: Buffer[]
  /** What a client says on its own behalf, such as INFO or SUBSCRIBE, is no work. */
  works: boolean
}

/** ms, in turns of the event loop: what was written in a busy one is seen in the next. */
const TURN = 10
const QUIET_TURNS = 5

const WORK = /\$\d+\r\n(?:get|mget|eval|evalsha|set)\r\n/i

/**
 * Proxies that pass on at once what clients send, and hold back all that servers send until all have been silent for 50 ms:
 * the clients can do nothing more without a reply. Each time that is one round trip.
 */
export async function countRoundTrips(servers: readonly Address[]): Promise<RoundTrips> {
  const lines = new Set<Line>()
  let quiet = 0
  let asked = false
  let count = 0

  const ticking = setInterval(() => {
    if (++quiet >= QUIET_TURNS) release()
  }, TURN)

  function release(): void {
    const waiting = [...lines].filter(({ held }) => held.length > 0)
    // What comes late of the same replies is no other trip.
    if (asked && waiting.some(({ works }) => works)) {
      count++
      asked = false
    }
    for (const { client, held } of waiting) client.write(Buffer.concat(held.splice(0)))
  }

  function serve({ host, port }: Address): Server {
    return createServer({ noDelay: true }, (client) => {
      const upstream = connect({ host, port, noDelay: true })
      const line: Line = { client, upstream, held: [], works: false }
      lines.add(line)
      client.on('data', (chunk) => {
        quiet = 0
        line.works ||= WORK.test(chunk.toString('latin1'))
        asked ||= line.works
        upstream.write(chunk)
      })
      upstream.on('data', (chunk) => {
        quiet = 0
        line.held.push(chunk)
      })
      for (const socket of [client, upstream]) {
        socket.on('error', () => {})
        socket.on('close', () => {
          lines.delete(line)
          client.destroy()
          upstream.destroy()
        })
      }
    })
  }

  const proxies = servers.map(serve)
  const addresses: Address[] = []
  for (const proxy of proxies) {
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    addresses.push({ host: '127.0.0.1', port: (proxy.address() as AddressInfo).port })
  }

  return {
    addresses,
    natMap: Object.fromEntries(servers.map(({ host, port }, i) => [`${host}:${port}`, addresses[i] as Address])),
    get count() {
      return count
    },
    async [Symbol.asyncDispose]() {
      clearInterval(ticking)
      for (const proxy of proxies) proxy.close()
      for (const { client } of lines) client.destroy()
    },
  }
}
