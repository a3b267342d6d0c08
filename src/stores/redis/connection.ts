import { setTimeout as delay } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { StoreError } from '../../core/errors.ts'

/** What a user may give: of ioredis 5 or 6, a client or what makes one. A client is only duplicated. */
export type RedisSource = string | RedisOptions | RedisClient

/** The part of an ioredis client that is used; clients of version 5 and 6 both have it. */
export interface RedisClient {
  readonly options: object
  duplicate(override?: object): unknown
}

/** One connection of a cache's own. */
export interface Connection {
  readonly client: Redis
  /** Resolves when it was connected once; rejects with `CLOSED` when it is closed. */
  connected(): Promise<void>
  /** Sends a command now, or, before the first connection, within `commandTimeout`; faults become a `StoreError`. */
  send<T>(command: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface ConnectionListener {
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
  // Never give up; apart by chance, so that a thousand instances do not come back in one moment.
  retryStrategy: (attempt: number) => Math.min(FIRST_RETRY * attempt, LAST_RETRY) * (0.75 + Math.random() / 2),
} as const satisfies RedisOptions

/**
 * The client to duplicate: the one given, or one that is made of a URL or of options and never connects.
 *
 * @throws TypeError or RangeError for what is neither a URL, nor options, nor a client of a single server
 */
export function clientOf(source: RedisSource): RedisClient {
  if (typeof source === 'string') {
    if (!/^(?:rediss?:\/\/|unix:\/\/|\/)/.test(source)) {
      throw new TypeError(`redisStore takes a URL such as redis://localhost:6379, got ${JSON.stringify(source)}`)
    }
    const template = new Redis(source, { lazyConnect: true })
    if (template.status !== 'wait') template.disconnect() // the URL says lazyConnect itself
    return template
  }
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    throw new TypeError('redisStore takes a URL, ioredis options, or an ioredis client of a single server')
  }
  if ((source as { isCluster?: unknown }).isCluster === true) {
    throw new TypeError('redisStore does not know Redis Cluster: give it a client of a single server or of Sentinel')
  }
  if (isClient(source)) return source
  if ('duplicate' in source) throw new TypeError('redisStore takes clients of ioredis, of no other library')
  return new Redis({ ...(source as object), lazyConnect: true })
}

/** The ioredis `keyPrefix`: ours to put in front of keys and of channels, whose names scripts make too. */
export function prefixOf(client: RedisClient): string {
  const { keyPrefix = '' } = client.options as RedisOptions
  if (/[{}]/.test(keyPrefix)) throw new RangeError(`keyPrefix must not have braces, got ${JSON.stringify(keyPrefix)}`)
  return keyPrefix
}

export function connect(source: RedisClient, commandTimeout: number, listener: ConnectionListener): Connection {
  const client = duplicateOf(source)
  let closed = false
  let everUp = false
  let up!: () => void
  let never!: (error: StoreError) => void
  const connected = new Promise<void>((resolve, reject) => {
    up = resolve
    never = reject
  })
  connected.catch(() => undefined) // told to those who wait for it; nobody may
  client.on('error', listener.fault)
  client.on('ready', () => {
    everUp = true
    up()
    listener.up?.()
  })
  client.on('close', () => listener.down?.())
  // What fails here is told by the event `error` too, and tried again.
  client.connect().catch(() => undefined)

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
    async connected() {
      if (closed) throw new StoreError('CLOSED', 'the cache was closed')
      await connected
    },
    async send(command) {
      if (closed) throw new StoreError('CLOSED', 'the cache was closed')
      if (!everUp) await firstConnection()
      if (client.status !== 'ready') throw unreachable('not connected')
      try {
        return await command()
      } catch (error) {
        throw translate(error)
      }
    },
    async close() {
      closed = true
      never(new StoreError('CLOSED', 'the cache was closed'))
      const { status } = client
      if (status === 'end' || status === 'wait') return
      if (status === 'close' || status === 'reconnecting') return client.disconnect() // between two attempts: nothing is open
      const limit = new AbortController()
      const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
      client.disconnect()
      await Promise.race([ended, delay(CLOSE_LIMIT, undefined, { signal: limit.signal }).catch(() => undefined)])
      limit.abort()
    },
  }
}

function duplicateOf(client: RedisClient): Redis {
  const { reconnectOnError } = client.options as RedisOptions
  return client.duplicate({
    ...OWN_OPTIONS,
    // Its 2 asks for the command to be resent.
    ...(reconnectOnError ? { reconnectOnError: (error: Error) => Boolean(reconnectOnError(error)) } : {}),
  }) as Redis
}

function isClient(source: RedisOptions | RedisClient): source is RedisClient {
  const { duplicate, defineCommand } = source as { duplicate?: unknown; defineCommand?: unknown }
  return typeof duplicate === 'function' && typeof defineCommand === 'function'
}

function unreachable(message: string, options?: ErrorOptions): StoreError {
  return new StoreError('UNREACHABLE', message, options)
}

/** An answer of the server that says no, or the lack of an answer. */
function translate(error: unknown): StoreError {
  const { name, message } = error as Error
  delete (error as { command?: unknown }).command // its arguments are users' data, and errors are logged
  if (name !== 'ReplyError') return unreachable(message, { cause: error })
  return new StoreError(/\bWRONGTYPE\b/.test(message) ? 'WRONG_TYPE' : 'REFUSED', message, { cause: error })
}
