import { Cluster } from 'ioredis'
import { Cluster as Cluster5, type ClusterOptions } from 'ioredis5'
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

export type PlacedClient = Cluster | Cluster5

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
