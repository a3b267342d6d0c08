import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** The network between a client and a server, as bad as a test wants it. */
export interface TcpProxy extends AsyncDisposable {
  /** The server's URL with the proxy's address in it. */
  readonly url: string
  readonly port: number
  /** How many clients are connected now. */
  readonly connections: number
  /** Breaks all connections with a reset; new ones are accepted. */
  cut(): void
  /**
   * While on, connections are accepted and stay open, and every byte in either direction is lost. When it ends, the
   * connections that lost bytes are cut: what would follow on them could only be misread.
   */
  blackhole(on: boolean): void
  /** As the black hole, for the one connection that the server knows by this address (`127.0.0.1:50123`), until it ends. */
  silence(address: string): void
  /** While on, all connections are cut, and new ones reset as soon as they are there. */
  refuse(on: boolean): void
  /** Holds every chunk back for so many milliseconds, in both directions, in order; 0 ends it for what comes later. */
  delay(ms: number): void
  /** As `delay`, only what comes from the server. */
  delayReplies(ms: number): void
  /**
   * Loses so large a part of all chunks, by chance, as TCP loses packets: it comes, and what is behind it on its connection with
   * it, when it was sent again after 200 ms (Linux' least), and twice as long each time that it is lost again. 0 ends it.
   */
  lose(part: number, chance?: () => number): void
  /** Cuts all connections and refuses new ones. */
  close(): Promise<void>
}

/** Starts a TCP proxy on a free loopback port in front of the server at `target`, a redis:// URL. */
export async function startProxy(target: string): Promise<TcpProxy> {
  const destination = new URL(target)
  const pairs = new Set<Pair>()
  let swallows = false
  let refuses = false
  /** ms. */
  const latency = { request: 0, reply: 0 }
  let loss = { part: 0, chance: Math.random }

  const server = createServer({ noDelay: true }, (client) => {
    if (refuses) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ host: destination.hostname, port: Number(destination.port || 6379), noDelay: true })
    const pair: Pair = { client, upstream, damaged: false, silent: false }
    pairs.add(pair)
    pump(client, upstream, pair, 'request')
    pump(upstream, client, pair, 'reply')
  })

  function pump(from: Socket, to: Socket, pair: Pair, what: keyof typeof latency): void {
    const line = delayLine()
    from.on('data', (chunk: Buffer) => {
      if (swallows || pair.silent) pair.damaged = true
      else line(latency[what] + retransmission(loss), () => to.write(chunk))
    })
    // An error is always followed by `close`, which is where a pair ends.
    from.on('error', () => {})
    from.on('close', () => {
      // In the same line as the data, so that a server's last words arrive before the connection ends.
      line(latency[what], () => to.end())
      if (pair.client.closed) pairs.delete(pair)
    })
  }

  function cut(): void {
    for (const pair of pairs) sever(pair)
  }

  async function close(): Promise<void> {
    if (!server.listening) return
    server.close()
    const closed = once(server, 'close')
    cut()
    await closed
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(port)

  return {
    url: url.href,
    port,
    get connections() {
      return pairs.size
    },
    cut,
    blackhole(on) {
      swallows = on
      if (on) return
      for (const pair of pairs) if (pair.damaged) sever(pair)
    },
    silence(address) {
      const found = [...pairs].find(({ upstream }) => `${upstream.localAddress}:${upstream.localPort}` === address)
      if (found === undefined) throw new Error(`No connection through this proxy is ${address} to the server.`)
      found.silent = true
    },
    refuse(on) {
      refuses = on
      if (on) cut()
    },
    delay(ms) {
      latency.request = latency.reply = ms
    },
    delayReplies(ms) {
      latency.reply = ms
    },
    lose(part, chance = Math.random) {
      loss = { part, chance }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Pair {
  client: Socket
  upstream: Socket
  damaged: boolean
  silent: boolean
}

function sever({ client, upstream }: Pair): void {
  client.resetAndDestroy()
  upstream.destroy()
}

/** ms until a chunk has arrived that is lost with this probability each time that it is sent (RFC 6298 §5). */
function retransmission({ part, chance }: { part: number; chance(): number }): number {
  let waits = 0
  for (let timeout = 200; part > 0 && chance() < part; timeout *= 2) waits += timeout
  return waits
}

/** Runs what it is given after a delay, never out of order, and at once where nothing is held back. */
function delayLine(): (delay: number, run: () => void) => void {
  const held: { at: number; run: () => void }[] = []

  function release(): void {
    const next = held[0]
    if (next === undefined) return
    setTimeout(() => {
      held.shift()
      next.run()
      release()
    }, next.at - performance.now())
  }

  return (delay, run) => {
    const last = held.at(-1)
    if (last === undefined && delay === 0) return run()
    held.push({ at: Math.max(performance.now() + delay, last?.at ?? 0), run })
    if (last === undefined) release()
  }
}
