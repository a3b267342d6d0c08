import type { ClusterNode } from './clusterNode.ts'
import type { Inspector } from './server.ts'

/** A slot on its way, with any part of its keys here or there. */
export interface SlotMove<N extends ClusterNode = ClusterNode> {
  readonly slot: number
  readonly from: N
  readonly to: N
  /** Moves these keys, or else all there are. Clients are still sent to `from`, which sends them on with ASK. */
  carry(keys?: readonly (string | Buffer)[]): Promise<void>
  /** Moves what is left and gives the slot to its new owner; resolves when every node says so. */
  finish(): Promise<void>
}

/** What a move needs to know of its cluster. */
export interface MoveSurroundings<N extends ClusterNode> {
  readonly inspector: Inspector
  masters(): Promise<readonly N[]>
  settled(): Promise<void>
}

/** Keys in one MIGRATE, which blocks both nodes. */
const BATCH = 100
/** ms for one MIGRATE. */
const MIGRATE_TIMEOUT = 5_000

/** Opens the slot on both sides, in the order that CLUSTER SETSLOT wants, and moves nothing. */
export async function beginMove<N extends ClusterNode>(
  slot: number,
  from: N,
  to: N,
  { inspector, masters, settled }: MoveSurroundings<N>,
): Promise<SlotMove<N>> {
  if (from === to) throw new Error(`Slot ${slot} is where it would be moved to: at ${to.url}.`)
  await to.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)

  async function carry(keys?: readonly (string | Buffer)[]): Promise<void> {
    for (;;) {
      const batch = keys ?? ((await from.askBuffer('CLUSTER', 'GETKEYSINSLOT', slot, BATCH)) as Buffer[])
      if (batch.length === 0) return
      const login = ['AUTH2', inspector.username, inspector.password]
      const { host, port } = { host: '127.0.0.1', port: to.server.port }
      await from.ask('MIGRATE', host, port, '', 0, MIGRATE_TIMEOUT, ...login, 'KEYS', ...batch)
      if (keys !== undefined) return
    }
  }

  return {
    slot,
    from,
    to,
    carry,
    async finish() {
      await carry()
      // The new owner first: if the old one knew first, nobody would have the slot until the other knows.
      const others = (await masters()).filter((node) => node !== from && node !== to)
      for (const node of [to, from, ...others]) await node.ask('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
      await settled()
    },
  }
}
