import type { Redis, RedisOptions } from 'ioredis'
import { ownOptions } from './connection.ts'
import type { RedisClient } from './source.ts'

/** Hears from the sentinels that another server is the master, until it is closed. */
export interface SentinelWatch {
  close(): void
}

/** What a sentinel tells of a fail-over: name of the master, its old host and port, its new ones. */
const SWITCHED = '+switch-master'
/** ms that a sentinel may take to answer; and a server, or a sentinel, to be connected. Then the next one is asked. */
const ANSWER_LIMIT = 1000
const CONNECT_LIMIT = 2000

export function isBehindSentinel({ options }: RedisClient): boolean {
  const { sentinels } = options as RedisOptions
  return Array.isArray(sentinels) && sentinels.length > 0
}

/** What our connections have of their own behind Sentinel. */
export function sentinelOptions({ sentinelCommandTimeout, connectTimeout }: RedisOptions): RedisOptions {
  return {
    // Or one that is silent is waited for for ever.
    sentinelCommandTimeout: sentinelCommandTimeout ?? ANSWER_LIMIT,
    connectTimeout: Math.min(connectTimeout ?? CONNECT_LIMIT, CONNECT_LIMIT),
    // By it a client sees that it was sent to a replica, by a sentinel that does not know better yet.
    enableReadyCheck: true,
    // As `watchSentinels`; but a client that hears of a fail-over while it asks who the master is would never connect again.
    failoverDetector: false,
  }
}

/**
 * Listens to each sentinel that the user named, and has the clients leave a master that was replaced. It may live on: paused,
 * cut off, or, where an operator asked for the fail-over, in its best health; then it takes writes, which are lost, until a
 * sentinel makes it a replica some ten seconds later. And one that is silent for ever would never be left.
 *
 * Each sentinel tells it when it learns it, within some two seconds. A client that asks another one in between is sent to the
 * old master, and leaves it again.
 */
export function watchSentinels(
  source: RedisClient,
  clients: readonly Redis[],
  fault: (error: unknown) => void,
): SentinelWatch {
  const given = source.options as RedisOptions
  let closed = false
  const switched = (host: string, port: number) => {
    for (const client of clients) if (!isAt(client, host, port)) client.disconnect(true)
  }
  const watchers = (given.sentinels ?? []).map(({ host = '127.0.0.1', port = 26_379 }) => {
    const watcher = (source as Redis).duplicate(watcherOptions(given, host, port))
    let silent = false
    // One that is away for days shall not be told of at each attempt.
    const failed = (error: unknown) => {
      if (!silent && !closed) fault(error)
      silent = true
    }
    watcher.on('error', failed)
    watcher.on('ready', () => {
      silent = false
      watcher.subscribe(SWITCHED).catch(failed)
    })
    watcher.on('message', (_, said: string) => {
      const [name, , , newHost = '', newPort] = said.split(' ')
      if (name === given.name) switched(newHost, Number(newPort))
    })
    watcher.connect().catch(() => undefined) // told by the event `error`, and tried again
    return watcher
  })
  return {
    close() {
      closed = true
      for (const watcher of watchers) watcher.disconnect()
    },
  }
}

/** Of a plain client of one sentinel. */
function watcherOptions(given: RedisOptions, host: string, port: number): RedisOptions {
  const { sentinelUsername, sentinelPassword, sentinelTLS } = given
  return {
    ...ownOptions({}),
    sentinels: undefined,
    host,
    port,
    username: sentinelUsername,
    password: sentinelPassword,
    tls: sentinelTLS,
    db: 0,
    connectTimeout: CONNECT_LIMIT,
    enableReadyCheck: false,
  }
}

/** Whether the client is connected to this server, by the name that the sentinels have for it. */
function isAt({ options, stream }: Redis, host: string, port: number): boolean {
  const { natMap } = options
  const name = `${host}:${port}`
  const mapped = typeof natMap === 'function' ? natMap(name) : natMap?.[name]
  const { remoteAddress, remotePort } = stream ?? {}
  return remotePort === (mapped?.port ?? port) && remoteAddress === (mapped?.host ?? host)
}
