import type { ClusterNode } from './clusterNode.ts'
import { type Replication, replicationOf } from './replication.ts'
import { SLOTS } from './slots.ts'

/** What a node says of one node: a line of CLUSTER NODES. */
export interface ViewLine {
  readonly id: string
  readonly port: number
  readonly flags: readonly string[]
  /** Id of the master of a replica. */
  readonly master: string | undefined
  /** Of two nodes that claim a slot the one with the higher epoch has it. */
  readonly epoch: number
  readonly linked: boolean
  /** `'0-5460'`; slots that are being moved are with their old owner. */
  readonly ranges: readonly string[]
}

export async function viewOf(node: ClusterNode): Promise<ViewLine[]> {
  const lines = String(await node.ask('CLUSTER', 'NODES'))
    .trim()
    .split('\n')
  return lines.map((line) => {
    const [id = '', address = '', flags = '', master, _ping, _pong, epoch, link, ...slots] = line.trim().split(' ')
    return {
      id,
      // Redis 6.2: ip:port@bus; from 7.0 on with more behind a comma.
      port: Number(/:(\d+)@/.exec(address)?.[1]),
      flags: flags.split(','),
      master: master === '-' ? undefined : master,
      epoch: Number(epoch),
      linked: link === 'connected',
      ranges: slots.filter((range) => !range.startsWith('[')),
    }
  })
}

/** What the node says of itself. */
export async function selfOf(node: ClusterNode): Promise<ViewLine> {
  const line = (await viewOf(node)).find(({ id }) => id === node.id)
  if (line === undefined) throw new Error(`${node.url} does not know itself as ${node.id}.`)
  return line
}

export function hasSlot({ ranges }: ViewLine, slot: number): boolean {
  return ranges.map(boundsOf).some(([first, last]) => first <= slot && slot <= last)
}

/**
 * What keeps these nodes from being one healthy cluster, if anything: each says that it is, all say the same about all
 * of them, they have every slot, and every replica has a master among them and is in sync with it. All know the same
 * epochs, and no two masters share one: or a hand-over gets no votes, and for four node timeouts there is no second election.
 * Nodes that are not among them, which may be dead, have no say.
 */
export async function objectionOf(nodes: readonly ClusterNode[]): Promise<string | undefined> {
  const reports = await Promise.all(nodes.map((node) => reportOf(node, nodes)))
  const objection = reports.map((report) => report.objection).find((found) => found !== undefined)
  if (objection !== undefined) return objection
  const [first, ...others] = reports.map(({ epoch, lines }) =>
    [`epoch ${epoch}`, ...lines.map(describe).sort()].join('\n'),
  )
  const differing = others.find((other) => other !== first)
  if (differing !== undefined) return `one says\n${first}\nand another\n${differing}`
  return undefined
}

interface Report {
  /** The highest that it has heard of. */
  epoch: number
  lines: readonly ViewLine[]
  objection: string | undefined
}

async function reportOf(node: ClusterNode, nodes: readonly ClusterNode[]): Promise<Report> {
  const [info, replication, view] = await Promise.all([node.ask('CLUSTER', 'INFO'), replicationOf(node), viewOf(node)])
  const lines = view.filter(({ id }) => nodes.some((other) => other.id === id))
  const objection =
    (String(info).includes('cluster_state:ok') ? undefined : 'cluster_state is not ok') ??
    (lines.length === nodes.length ? undefined : `knows ${lines.length} of ${nodes.length} nodes`) ??
    lines.map(lineObjection).find((found) => found !== undefined) ??
    coverageObjection(lines) ??
    epochObjection(lines) ??
    replicationObjection(node, lines, replication)
  const epoch = Number(/cluster_current_epoch:(\d+)/.exec(String(info))?.[1])
  return { epoch, lines, objection: objection === undefined ? undefined : `${node.server.port}: ${objection}` }
}

function lineObjection({ port, flags, master, linked, ranges }: ViewLine, _index: number, lines: readonly ViewLine[]) {
  const bad = flags.find((flag) => ['fail', 'fail?', 'handshake', 'noaddr'].includes(flag))
  if (bad !== undefined) return `${port} is flagged ${bad}`
  if (!linked && !flags.includes('myself')) return `the link to ${port} is down`
  if (flags.includes('master') && ranges.length === 0) return `${port} is a master without slots`
  if (!flags.includes('master') && !lines.some(({ id, flags }) => id === master && flags.includes('master'))) {
    return `${port} is a replica without a master`
  }
  return undefined
}

function coverageObjection(lines: readonly ViewLine[]): string | undefined {
  const sizes = lines.flatMap(({ ranges }) => ranges.map(boundsOf)).map(([first, last]) => last - first + 1)
  const covered = sizes.reduce((sum, size) => sum + size, 0)
  return covered === SLOTS ? undefined : `${covered} slots are covered`
}

function epochObjection(lines: readonly ViewLine[]): string | undefined {
  const masters = lines.filter(({ flags }) => flags.includes('master'))
  const epochs = masters.map(({ epoch }) => epoch)
  return new Set(epochs).size === epochs.length ? undefined : `masters share an epoch: ${epochs.join(' ')}`
}

function replicationObjection(
  { id }: ClusterNode,
  lines: readonly ViewLine[],
  { master, linked, online }: Replication,
): string | undefined {
  const own = lines.find((line) => line.id === id)
  if (own?.master === undefined) {
    const missing = lines.find((line) => line.master === id && !online.includes(line.port))
    return missing && `replica ${missing.port} is not online`
  }
  const expected = lines.find((line) => line.id === own.master)?.port
  if (master !== expected) return `replicates ${master} instead of ${expected}`
  return linked ? undefined : `is not in sync with ${master}`
}

function describe({ port, flags, master, epoch, ranges }: ViewLine): string {
  return `${port} ${flags.includes('master') ? `master since ${epoch}` : `replica of ${master}`} ${ranges.join(' ')}`
}

function boundsOf(range: string): [first: number, last: number] {
  const [first = 0, last = first] = range.split('-').map(Number)
  return [first, last]
}
