import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { StoreError } from '../../core/errors.ts'
import { refusalOf } from './refusal.ts'
import { isCluster, type RedisClient } from './source.ts'

/** One connection of a cache's own, to a server or to all of a cluster. */
export interface Connection<C extends Redis | Cluster = Redis> {
  readonly client: C
  /** How often it was connected so far. */
  readonly times: number
  /** Resolves when it was connected once; rejects with `CLOSED` when it is closed. */
  connected(): Promise<void>
  /** Sends a command now, or, before the first connection, within `commandTimeout`; faults become a `StoreError`. */
  send<T>(command: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface ConnectionListener {
  /** The connection is there: what is to be awaited before commands are sent. */
  prepare?(): Promise<void>
  /** Commands can be sent. */
  up?(): void
  down?(): void
  fault(error: unknown): void
}

/** ms between two attempts to connect: at first, and at most. */
const FIRST_RETRY = 50
const LAST_RETRY = 1000
/** ms after which a socket is destroyed that the server does not end; and after which nobody waits for that any more. */
const DESTROY_AFTER = 100
const CLOSE_LIMIT = 500

/** Never give up; apart by chance, so that a thousand instances do not come back in one moment. */
export function retryDelay(attempt: number): number {
  return Math.min(FIRST_RETRY * attempt, LAST_RETRY) * (0.75 + Math.random() / 2)
}

/**
 * Options that the protocol depends on, whatever the user's client has. Nothing is queued and nothing is resent: a
 * claim whose reply was lost would wait for itself, and a write sent later than its caller knows could bring back what
 * was invalidated meanwhile.
 */
const OWN_OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false,
  keyPrefix: '',
  readOnly: false,
  monitor: false,
  // The cache has a budget of its own, and must see replies that come later: a late lease is given back.
  commandTimeout: undefined,
  // Behind Sentinel: replicas lag behind invalidations.
  role: 'master',
  disconnectTimeout: DESTROY_AFTER,
  stringNumbers: false,
  retryStrategy: retryDelay,
} as const satisfies RedisOptions

/** What our connections have of the user's options, and what they have of their own. */
export function ownOptions({ reconnectOnError }: RedisOptions): RedisOptions {
  return {
    ...OWN_OPTIONS,
    // Its 2 asks for the command to be resent.
    ...(reconnectOnError ? { reconnectOnError: (error: Error) => Boolean(reconnectOnError(error)) } : {}),
  }
}

/** A client like the given one of a single server, for us alone; `more`: of our own where the server is of a kind. */
export function duplicateOf(client: RedisClient, more: RedisOptions = {}): Redis {
  return (client as Redis).duplicate({ ...ownOptions(client.options), ...more })
}

/** Connects a client that is ours, and does not queue. */
export function connect<C extends Redis | Cluster>(
  client: C,
  commandTimeout: number,
  listener: ConnectionListener,
): Connection<C> {
  // The events that both have, of which the declarations make two lists.
  const emitter = client as unknown as NodeJS.EventEmitter
  let closed = false
  let times = 0
  let up = false
  let again: NodeJS.Timeout | undefined
  let ends = 0
  let confirm!: () => void
  let never!: (error: StoreError) => void
  const connected = new Promise<void>((resolve, reject) => {
    confirm = resolve
    never = reject
  })
  connected.catch(() => undefined) // told to those who wait for it; nobody may
  // What breaks because it was closed is no fault.
  const fault = (error: unknown) => closed || listener.fault(error)
  emitter.on('error', fault)
  // Of one node of a cluster.
  emitter.on('node error', fault)
  if (!isCluster(client)) hearSockets(client as Redis)
  emitter.on('ready', async () => {
    if (listener.prepare !== undefined) await listener.prepare()
    if (closed || client.status !== 'ready') return
    times++
    ends = 0
    up = true
    confirm()
    listener.up?.()
  })
  emitter.on('close', () => {
    up = false
    listener.down?.()
  })
  // Behind Sentinel a client gives up that is disconnected while it asks who the master is, or that nobody answers.
  emitter.on('end', () => {
    if (!closed) again = setTimeout(begin, retryDelay(++ends))
  })
  begin()

  function begin(): void {
    // What fails here is told by the event `error` too, and tried again.
    client.connect().catch(() => undefined)
  }

  async function firstConnection(): Promise<void> {
    const limit = new AbortController()
    const late = delay(commandTimeout, undefined, { signal: limit.signal }).then(
      () => Promise.reject(unreachable('not connected yet')),
      () => undefined,
    )
    try {
      await Promise.race([connected, late])
    } finally {
      limit.abort()
    }
  }

  return {
    client,
    get times() {
      return times
    },
    async connected() {
      if (closed) throw new StoreError('CLOSED', 'the cache was closed')
      await connected
    },
    async send(command) {
      if (closed) throw new StoreError('CLOSED', 'the cache was closed')
      if (times === 0) await firstConnection()
      if (!up || client.status !== 'ready') throw unreachable('not connected')
      try {
        return await command()
      } catch (error) {
        throw translate(error)
      }
    },
    async close() {
      closed = true
      clearTimeout(again)
      never(new StoreError('CLOSED', 'the cache was closed'))
      for (const one of isCluster(client) ? (client as Cluster).nodes() : [client as Redis]) hearSocket(one)
      const { status } = client
      if (status === 'end' || status === 'wait') return
      if (status === 'close' || status === 'reconnecting') return client.disconnect() // between two attempts: nothing is open
      const limit = new AbortController()
      const ended = new Promise<void>((resolve) => emitter.once('end', () => resolve()))
      client.disconnect()
      await Promise.race([ended, delay(CLOSE_LIMIT, undefined, { signal: limit.signal }).catch(() => undefined)])
      limit.abort()
    },
  }
}

/**
 * ioredis hears one error of a socket (`once` in `connect` of Redis.js, versions 5 and 6). One of TLS may have two, such as what the
 * server says to a handshake that was given up: nobody would hear that, and the process would end.
 */
export function hearSockets(client: Redis): void {
  client.on('error', () => hearSocket(client))
  client.on('connect', () => hearSocket(client))
}

/** The one it has now; also where it is about to be closed. */
function hearSocket(client: Redis): void {
  // Not in the declarations, and the same in versions 5 and 6.
  const { stream } = client as unknown as { stream?: NodeJS.EventEmitter }
  stream?.on('error', () => undefined)
}

export function unreachable(message: string, options?: ErrorOptions): StoreError {
  return new StoreError('UNREACHABLE', message, options)
}

/** Answers of a cluster that has nobody for the slot now: the command did not run. */
const NOBODY = /^(?:CLUSTERDOWN|TRYAGAIN|MASTERDOWN|MOVED|ASK)\b/

/** An answer of the server that says no, or the lack of an answer. */
export function translate(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { name, message } = error as Error
  delete (error as { command?: unknown }).command // its arguments are users' data, and errors are logged
  if (name !== 'ReplyError' || NOBODY.test(message)) return unreachable(message, { cause: error })
  return refusalOf(message, { cause: error })
}
