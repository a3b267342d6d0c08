import type { ClusterNode } from './clusterNode.ts'
import { objectionOf, viewOf } from './clusterView.ts'
import { SLOTS } from './slots.ts'
import { untilClear } from './untilClear.ts'

/**
 * While nodes get to know each other news travels with pings, which are sent every half of the node timeout, and nobody
 * shall replace anybody.
 */
const HASTE = { 'cluster-node-timeout': '1000', 'cluster-replica-no-failover': 'yes' }

/** Makes one cluster of nodes that know nobody: equal shares of slots, the replicas dealt out to the masters in turn. */
export async function joinNodes(masters: readonly ClusterNode[], replicas: readonly ClusterNode[]): Promise<void> {
  const nodes = [...masters, ...replicas]
  const restore = await hasten(nodes)
  // Before they meet: only a node that knows nobody takes an epoch, and equal ones would have to be sorted out later.
  await Promise.all(nodes.map((node, index) => node.ask('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)))
  await Promise.all(
    masters.map((master, index) => master.ask('CLUSTER', 'ADDSLOTS', ...shareOf(index, masters.length))),
  )
  await untilClear(() => introduce(nodes), 'Nodes that know each other')
  await Promise.all(
    replicas.map((replica, index) =>
      replica.ask('CLUSTER', 'REPLICATE', masters[index % masters.length]?.id as string),
    ),
  )
  await untilClear(() => objectionOf(nodes), 'A cluster')
  await restore()
}

/** Sets what makes joining fast; the returned function sets back what was there before. */
async function hasten(nodes: readonly ClusterNode[]): Promise<() => Promise<void>> {
  const undo = await Promise.all(
    Object.entries(HASTE).flatMap(([name, value]) =>
      nodes.map(async (node) => {
        const [, before] = (await node.ask('CONFIG', 'GET', name)) as [string, string]
        await node.ask('CONFIG', 'SET', name, value)
        return () => node.ask('CONFIG', 'SET', name, before)
      }),
    ),
  )
  return async () => {
    await Promise.all(undo.map((set) => set()))
  }
}

function shareOf(index: number, shares: number): number[] {
  const bound = (share: number) => Math.round((share * SLOTS) / shares)
  return Array.from({ length: bound(index + 1) - bound(index) }, (_, slot) => bound(index) + slot)
}

/** Has every node meet all it does not know: handshakes that time out are begun again, those under way are not. */
async function introduce(nodes: readonly ClusterNode[]): Promise<string | undefined> {
  const missing = await Promise.all(
    nodes.map(async (node) => {
      const known = new Set((await viewOf(node)).map(({ id }) => id))
      const strangers = nodes.filter(({ id }) => !known.has(id))
      await Promise.all(strangers.map(({ server }) => node.ask('CLUSTER', 'MEET', '127.0.0.1', server.port)))
      return strangers.length
    }),
  )
  const count = missing.reduce((sum, strangers) => sum + strangers, 0)
  return count === 0 ? undefined : `${count} introductions are missing`
}
