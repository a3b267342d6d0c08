import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { PROBE } from '../../src/stores/redis/messages.ts'
import type { Address } from '../redis/clusterNode.ts'
import { type CommandWatch, inScript, watchCommands } from '../redis/monitor.ts'
import { SLOTS, slotOf } from '../redis/slots.ts'
import type { Instance } from './crew.ts'

/** The nodes of a cluster, looked at one by one: which slots they have, who is connected to them, what they are sent. */
export interface ClusterTraffic extends AsyncDisposable {
  /** The first of `prefix-0`, `prefix-1`, … that each master has, in the order of their slots. */
  keyOnEach(prefix: string): Promise<string[]>
  /** As `keyOnEach`, so many of each, in turn. */
  keysOnEach(prefix: string, count: number): Promise<string[]>
  /** From now on sees what all nodes are sent. */
  watch(): Promise<TrafficWatch>
  /** The port of the node that an instance hears its messages from. */
  inboxOf(instance: Instance): Promise<number>
}

export interface TrafficWatch extends AsyncDisposable {
  /** What these instances sent to any node, by instance: names of commands, sorted; without upkeep and what scripts ran. */
  stop(instances: readonly Instance[]): Promise<Record<string, string[]>>
}

/** What a client sends by itself, whatever is asked of the cache. */
const UPKEEP = new Set([
  'cluster',
  'info',
  'client',
  'hello',
  'auth',
  'subscribe',
  'ping',
  'time',
  'readonly',
  'command',
])

export function trafficOf(nodes: readonly Address[]): ClusterTraffic {
  const clients = nodes.map((node) => new Redis({ ...node, lazyConnect: true }))

  async function keysOnEach(prefix: string, count: number): Promise<string[]> {
    const ranges = (await clients[0]?.cluster('SLOTS')) ?? []
    const owners = Array.from({ length: SLOTS }, (_, slot) => {
      return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2]?.[1]
    })
    const masters = [...new Set(owners)].map((port) => {
      const keys: string[] = []
      for (let n = 0; keys.length < count; n++)
        if (owners[slotOf(`${prefix}-${n}`)] === port) keys.push(`${prefix}-${n}`)
      return keys
    })
    return Array.from({ length: count }, (_, i) => masters.map((keys) => keys[i] as string)).flat()
  }

  async function connectionsAt(client: Redis): Promise<{ name: string; address: string; subscribed: boolean }[]> {
    const lines = String(await client.client('LIST'))
      .trim()
      .split('\n')
    return lines.map((line) => ({
      name: / name=(\S*)/.exec(line)?.[1] ?? '',
      address: / addr=(\S+)/.exec(line)?.[1] ?? '',
      subscribed: / sub=([1-9]\d*)/.test(line),
    }))
  }

  return {
    keyOnEach: (prefix) => keysOnEach(prefix, 1),
    keysOnEach,

    async inboxOf({ connectionName }) {
      const found = await Promise.all(clients.map(connectionsAt))
      const at = found.flatMap((connections, i) =>
        connections.filter(({ name, subscribed }) => name === connectionName && subscribed).map(() => nodes[i]?.port),
      )
      expect(at).toHaveLength(1)
      return at[0] as number
    },

    async watch() {
      const watches: CommandWatch[] = await Promise.all(
        nodes.map(({ port }) => watchCommands(`redis://127.0.0.1:${port}`)),
      )
      return {
        async stop(instances) {
          const sent: Record<string, string[]> = Object.fromEntries(instances.map(({ name }) => [name, []]))
          for (const [i, watch] of watches.entries()) {
            const records = (await watch.stop()).filter((record) => !inScript(record))
            const connections = await connectionsAt(clients[i] as Redis)
            for (const { source, args } of records) {
              const command = String(args[0]).toLowerCase()
              const name = connections.find(({ address }) => address === source)?.name
              const instance = instances.find(({ connectionName }) => connectionName === name)
              if (instance === undefined || UPKEEP.has(command) || args[2] === PROBE) continue
              sent[instance.name]?.push(command)
            }
          }
          for (const commands of Object.values(sent)) commands.sort()
          return sent
        },
        async [Symbol.asyncDispose]() {
          await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()))
        },
      }
    },

    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect()
    },
  }
}
