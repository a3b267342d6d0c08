import { setTimeout as delay } from 'node:timers/promises'
import { namesOf } from '../../src/stores/redis/keys.ts'
import { startCluster } from '../redis/cluster.ts'
import type { ProxiedNode } from '../redis/clusterNode.ts'
import { slotOf } from '../redis/slots.ts'
import { harmTo } from './nodes.ts'
import { EVERYBODY, evicting, type Servers, type ServersOptions } from './servers.ts'

/** ms: a master that is silent so long is replaced, and may have lost what it had confirmed. No pause here is that long. */
const NODE_TIMEOUT = 3000
/** ms for which writes wait before a master is killed: until its replica has all that was confirmed. */
const WRITES_WAIT = 4000

/**
 * Three masters and three replicas; every other process comes through proxies, one before each node.
 *
 * Nothing is flushed: nodes can't be in one moment, and of a tag that is forgotten where its entries are not I3 says
 * nothing.
 */
export async function startChaosCluster({ namespace, ids, latencies }: ServersOptions): Promise<Servers> {
  const names = namesOf(namespace)
  const cluster = await startCluster({ nodeTimeout: NODE_TIMEOUT, proxied: true })
  const { nodes, natMap, startupNodes } = cluster
  const eyes = cluster.client()
  const { disasters, alone } = harmTo(nodes, latencies)
  const masters = () => cluster.masters() as Promise<readonly ProxiedNode[]>

  return {
    kind: 'cluster',
    targetOf: (place) =>
      place % 2 === 0
        ? { type: 'cluster', nodes: startupNodes, natMap }
        : { type: 'cluster', nodes: nodes.map(({ server }) => ({ host: '127.0.0.1', port: server.port })), natMap: {} },
    async look(some) {
      const found = await Promise.allSettled(some.map((id) => eyes.getBuffer(names.entry(id))))
      return found.map((result) => (result.status === 'fulfilled' ? result.value : null))
    },
    disasters: {
      ...disasters,
      pauseRedis: alone(async (random) => {
        const { server } = random.pick(await masters())
        server.pause()
        await delay(50 + random.next() * 550)
        server.resume()
        return EVERYBODY
      }),
      evict: evicting(ids, names, (key) => eyes.unlink(key)),
      handOver: alone(async (random) => {
        await cluster.handover(random.pick(await masters()))
        return EVERYBODY
      }),
      failOver: alone(async (random) => {
        const master = random.pick(await masters())
        // Nothing that was confirmed is lost: no write is confirmed any more, then its replica has all, then it dies.
        await master.ask('CLIENT', 'PAUSE', WRITES_WAIT, 'WRITE')
        await cluster.replicated()
        await cluster.failover(master)
        await cluster.revive(master)
        return EVERYBODY
      }),
      moveSlot: alone(async (random) => {
        const slot = slotOf(names.entry(random.pick(ids)))
        const owner = await cluster.ownerOf(slot)
        await cluster.moveSlot(slot, random.pick((await masters()).filter((node) => node !== owner)))
        return EVERYBODY
      }),
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}
