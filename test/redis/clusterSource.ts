import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { type RedisCluster, startCluster } from './cluster.ts'
import type { Address } from './clusterNode.ts'

/** A cluster for a whole run, and how to give it back. */
export interface ClusterSource {
  /** Where other processes ask for it, with `takeCluster`. */
  readonly port: number
  stop(): Promise<void>
}

type Answer = { nodes: readonly Address[] } | { error: string }

/**
 * Offers one cluster to all processes. A cluster takes two seconds to start (a new master refuses commands for so long)
 * and six processes, which most runs don't need: it starts when the first asks, and all get the same.
 */
export async function offerCluster(start: () => Promise<RedisCluster> = startCalmCluster): Promise<ClusterSource> {
  let cluster: Promise<RedisCluster> | undefined

  async function answer(): Promise<Answer> {
    cluster ??= start()
    try {
      return { nodes: (await cluster).startupNodes }
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) }
    }
  }

  const server = createServer(async (socket) => {
    // Of one who did not wait for the answer.
    socket.on('error', () => {})
    socket.end(JSON.stringify(await answer()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close()
      const started = await cluster?.catch(() => undefined)
      await started?.[Symbol.asyncDispose]()
    },
  }
}

/** The nodes of the cluster that is offered at this port; rejects if it could not be started. */
export async function takeCluster(port: number): Promise<Address[]> {
  const answer = JSON.parse(await text(connect({ host: '127.0.0.1', port }))) as Answer
  if ('error' in answer) throw new Error(answer.error)
  return [...answer.nodes]
}

/** One in which nobody is replaced: nobody fails, and a busy machine must not look as if. */
function startCalmCluster(): Promise<RedisCluster> {
  return startCluster({ nodeTimeout: 15_000, config: ['cluster-replica-no-failover yes'] })
}
