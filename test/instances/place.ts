import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { Cluster as Cluster5, type ClusterOptions, Redis as Redis5 } from 'ioredis5'
import type { Address } from '../redis/clusterNode.ts'

/** A cluster, and the client that a process has of it, as plain data. */
export interface ClusterPlace {
  readonly startupNodes: readonly Address[]
  readonly natMap?: Readonly<Record<string, Address>>
  /** Version of ioredis. Default: 6. */
  readonly ioredis?: 5 | 6
  /** Of the client; those that are plain data. Default: `lazyConnect`, since nobody uses it. */
  readonly options?: Omit<ClusterOptions, 'natMap'>
}

/** A master behind sentinels, and how a process gives it to the cache: as options, or as a client of one version. */
export interface SentinelPlace {
  readonly sentinels: readonly Address[]
  readonly name: string
  readonly natMap: Readonly<Record<string, Address>>
  readonly as: 'options' | 5 | 6
  readonly connectionName: string
}

export type PlacedClient = Cluster | Cluster5 | Redis | Redis5

/** What the user of sentinels has. */
export function sourceAt({ as, sentinels, natMap, ...rest }: SentinelPlace): PlacedClient | RedisOptions {
  const options = { ...rest, sentinels: [...sentinels], natMap: { ...natMap }, lazyConnect: true }
  if (as === 'options') return options
  return as === 5 ? new Redis5(options) : new Redis(options)
}

/** The client that the user of a cluster has. */
export function clientAt({ startupNodes, natMap, ioredis, options = {} }: ClusterPlace): PlacedClient {
  const all: ClusterOptions = {
    lazyConnect: true,
    ...options,
    ...(natMap === undefined ? {} : { natMap: { ...natMap } }),
  }
  const nodes = [...startupNodes]
  const client = ioredis === 5 ? new Cluster5(nodes, all) : new Cluster(nodes, all as object)
  // Where it connects at all, a node may be gone because the test wants it so.
  client.on('error', () => {})
  return client
}
