import { Redis, type RedisOptions } from 'ioredis'

/** What a user may give: of ioredis 5 or 6, a client or what makes one. A client is only duplicated. */
export type RedisSource = string | RedisOptions | RedisClient

/** The part of an ioredis `Redis` or `Cluster` that is used; those of version 5 and 6 both have it. */
export interface RedisClient {
  readonly options: object
  duplicate(...overrides: never[]): unknown
}

/**
 * The client to duplicate: the one given, or one that is made of a URL or of options and never connects.
 *
 * @throws TypeError or RangeError for what is neither a URL, nor options, nor a client
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
    throw new TypeError('redisStore takes a URL, ioredis options, or an ioredis client: a Redis or a Cluster')
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

export function isCluster(client: RedisClient): boolean {
  return (client as { isCluster?: unknown }).isCluster === true
}

function isClient(source: RedisOptions | RedisClient): source is RedisClient {
  const { duplicate, defineCommand } = source as { duplicate?: unknown; defineCommand?: unknown }
  return typeof duplicate === 'function' && typeof defineCommand === 'function'
}
