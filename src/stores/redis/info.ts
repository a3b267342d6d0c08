import { StoreError } from '../../core/errors.ts'

/** A field of what INFO replies. */
export function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

/**
 * What a server says of itself with which it can't be a store, by the client that was given. It answers all the same, each
 * command in its own way; this says it once, in words.
 */
export function misplacedIn(info: string, clustered: boolean): StoreError | undefined {
  if (clustered) return undefined // its client looks for masters by itself
  if (fieldOf(info, 'redis_mode') === 'cluster') {
    return unfit('is a node of a cluster: redisStore needs an ioredis Cluster, not the address of one node')
  }
  if (fieldOf(info, 'role') === 'slave') {
    return unfit('is a replica: redisStore needs its master, or Sentinels to find it; nothing can be stored here')
  }
  return undefined
}

function unfit(why: string): StoreError {
  return new StoreError('REFUSED', `the server ${why} (see docs/redis.md)`)
}
