import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from './cluster.ts'
import type { ProxiedNode } from './clusterNode.ts'
import { objectionOf } from './clusterView.ts'

describe('a cluster behind proxies', () => {
  let cluster: RedisCluster<ProxiedNode>
  beforeAll(async () => {
    cluster = await startCluster({ proxied: true })
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  const clients: Cluster[] = []
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect()
  })

  function connectTo(redisOptions: { connectionName: string } | { commandTimeout: number }): Cluster {
    const client = new Cluster([...cluster.startupNodes], { natMap: cluster.natMap, redisOptions })
    client.on('error', () => {})
    clients.push(client)
    return client
  }

  test('is reached through them alone, also where a node sends a client on', async () => {
    const [master] = (await cluster.masters()) as [ProxiedNode]
    const key = await cluster.keyOn(master)
    const client = connectTo({ connectionName: 'guest' })
    await client.set(key, 'value')
    const successor = await cluster.handover(master)
    expect(await client.get(key)).toBe('value')
    expect(successor.proxy.connections).toBeGreaterThan(0)
    for (const node of cluster.nodes) {
      const list = String(await node.ask('CLIENT', 'LIST', 'TYPE', 'normal'))
      const guests = [...list.matchAll(/ name=guest /g)]
      expect(guests.length).toBeLessThanOrEqual(node.proxy.connections)
    }
    const ports = client.nodes('all').map(({ options }) => options.port)
    expect(ports.filter((port) => !cluster.nodes.some(({ proxy }) => proxy.port === port))).toEqual([])
  })

  test('loses the clients of one node, and nothing else', async () => {
    const [cut, other] = (await cluster.masters()) as [ProxiedNode, ProxiedNode]
    const [lost, kept] = [await cluster.keyOn(cut), await cluster.keyOn(other)]
    const client = connectTo({ commandTimeout: 300 })
    await Promise.all([client.set(lost, '1'), client.set(kept, '2')])

    cut.proxy.blackhole(true)
    await expect(client.get(lost)).rejects.toThrow('timed out')
    expect(await client.get(kept)).toBe('2')
    expect(await objectionOf(cluster.nodes)).toBeUndefined()
    expect(await cluster.client().get(lost)).toBe('1')

    cut.proxy.blackhole(false)
    await expect.poll(() => client.get(lost).catch(() => undefined), { timeout: 10_000 }).toBe('1')
  })
})
