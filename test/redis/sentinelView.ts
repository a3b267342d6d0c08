import type { Redis } from 'ioredis'
import type { ServerNode } from './clusterNode.ts'
import { replicationOf } from './replication.ts'
import type { RedisServer } from './server.ts'

/**
 * ms. Sentinels ask and tell each other as often as this, not every ten seconds: tests wait less. A master that is none any more is
 * made a replica after four times `PUBLISH-PERIOD`. And one that a busy machine has kept waiting trusts its clock again soon.
 */
const PERIODS = {
  'INFO-PERIOD': 500,
  'PUBLISH-PERIOD': 400,
  'PING-PERIOD': 250,
  'ASK-PERIOD': 250,
  'ELECTION-TIMEOUT': 3000,
  'MIN-LINK-RECONNECT-PERIOD': 1000,
  'TILT-PERIOD': 2000,
}

/** Before Redis 7 sentinels have their periods and no others; then all takes longer. */
export async function hasten(
  sentinels: readonly RedisServer[],
  publishPeriod = PERIODS['PUBLISH-PERIOD'],
): Promise<void> {
  const periods = { ...PERIODS, 'PUBLISH-PERIOD': publishPeriod }
  await Promise.all(
    sentinels.map(async (sentinel) => {
      const client = sentinel.client()
      try {
        await client.call('SENTINEL', 'DEBUG', ...Object.entries(periods).flat())
      } catch (error) {
        if (!/unknown/i.test(String(error))) throw error
      } finally {
        client.disconnect()
      }
    }),
  )
}

/** What a sentinel says of the master: SENTINEL MASTER. */
async function viewOf(sentinel: Redis, name: string): Promise<ReadonlyMap<string, string>> {
  const said = (await sentinel.call('SENTINEL', 'MASTER', name)) as string[]
  return new Map(said.flatMap((word, i) => (i % 2 === 0 ? [[word, said[i + 1] ?? '']] : [])))
}

/** The port of the master that all sentinels name. */
export async function agreedMaster(sentinels: readonly Redis[], name: string): Promise<number> {
  const views = await Promise.all(sentinels.map((sentinel) => viewOf(sentinel, name)))
  const ports = [...new Set(views.map((view) => view.get('port')))]
  if (ports.length !== 1) throw new Error(`the sentinels name ${ports.join(' and ')}`)
  return Number(ports[0])
}

/** What keeps these servers from being a master with its replicas, known to all sentinels, if anything. */
export async function objectionOf(
  sentinels: readonly Redis[],
  name: string,
  running: readonly ServerNode[],
): Promise<string | undefined> {
  const port = await agreedMaster(sentinels, name)
  for (const [i, sentinel] of sentinels.entries()) {
    const view = await viewOf(sentinel, name)
    const [flags, replicas, others] = ['flags', 'num-slaves', 'num-other-sentinels'].map((field) => view.get(field))
    if (flags !== 'master') return `sentinel ${i} calls the master ${flags}`
    if (Number(replicas) < running.length - 1) return `sentinel ${i} knows of ${replicas} replicas`
    if (Number(others) !== sentinels.length - 1) return `sentinel ${i} knows of ${others} other sentinels`
  }
  const stands = await Promise.all(running.map(replicationOf))
  const stand = stands.find((one) => one.port === port)
  if (stand === undefined) return `the master ${port} does not run`
  if (stand.master !== undefined) return `the master ${port} is a replica itself`
  for (const { port: own, master, linked } of stands) {
    if (own === port) continue
    if (master !== port || !linked) return `${own} follows ${master}${linked ? '' : ', not in sync'}`
    if (!stand.online.includes(own)) return `${own} is not online for the master`
  }
  return undefined
}
