import type { ServerNode } from './clusterNode.ts'
import { untilClear } from './untilClear.ts'

/** What a node says of its replication: INFO replication. */
export interface Replication {
  readonly port: number
  /** Port of the master of a replica. */
  readonly master: number | undefined
  /** A replica that has its master's data and follows it. */
  readonly linked: boolean
  /** How far it is in the stream that replicas copy. */
  readonly offset: number
  /** Ports of the replicas of a master that follow it. */
  readonly online: readonly number[]
}

export async function replicationOf(node: ServerNode): Promise<Replication> {
  const info = String(await node.ask('INFO', 'replication'))
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const master = field('role') === 'master' ? undefined : Number(field('master_port'))
  return {
    port: node.server.port,
    master,
    linked: field('master_link_status') === 'up' && field('master_sync_in_progress') === '0',
    offset: Number(field(master === undefined ? 'master_repl_offset' : 'slave_repl_offset')),
    online: [...info.matchAll(/^slave\d+:ip=[^,]*,port=(\d+),state=online/gm)].map(([, port]) => Number(port)),
  }
}

/** Resolves when the replicas among these nodes have what the masters among them have now. */
export async function caughtUp(nodes: readonly ServerNode[]): Promise<void> {
  const stands = await Promise.all(nodes.map(replicationOf))
  const goals = new Map(stands.filter(({ master }) => master === undefined).map(({ port, offset }) => [port, offset]))
  await untilClear(async () => {
    const now = await Promise.all(nodes.map(replicationOf))
    const late = now.find(({ master, offset }) => master !== undefined && offset < (goals.get(master) ?? 0))
    return late && `${late.port} is at ${late.offset}, its master was at ${goals.get(late.master ?? 0)}`
  }, 'Replicas up to date')
}
