import { readdir } from 'node:fs/promises'
import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from './cluster.ts'
import type { ClusterNode } from './clusterNode.ts'
import { hasSlot, objectionOf, viewOf } from './clusterView.ts'
import { isRunning } from './reaper.ts'
import { slotOf } from './slots.ts'

const PASSWORD = 'a "quoted" pass'

const clients: Cluster[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
})

interface Guest {
  username?: string
  password?: string
}

function connectTo({ startupNodes }: RedisCluster, guest: Guest = {}): Cluster {
  const client = new Cluster([...startupNodes], { redisOptions: { password: PASSWORD, ...guest } })
  client.on('error', () => {})
  clients.push(client)
  return client
}

const portsOf = (nodes: readonly ClusterNode[]) => nodes.map(({ server }) => server.port).sort()

describe('a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster({
      requirepass: PASSWORD,
      maxmemory: '50mb',
      acl: ['user reader on >secret ~* +@read +cluster +info'],
      config: ['maxmemory-policy noeviction'],
    })
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('has three masters with a replica each, and every node knows it', async () => {
    const [masters, replicas] = [await cluster.masters(), await cluster.replicas()]
    expect(masters).toEqual(cluster.nodes.slice(0, 3))
    expect(replicas).toEqual(cluster.nodes.slice(3))
    expect(await Promise.all(masters.map((master) => cluster.replicas(master)))).toEqual(replicas.map((one) => [one]))
    for (const node of cluster.nodes) {
      const info = String(await node.ask('CLUSTER', 'INFO'))
      expect(info).toMatch(/cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:6/)
      expect(await node.role()).toBe(masters.includes(node) ? 'master' : 'replica')
    }
  })

  test('is settled only with all slots, and a master for each replica', async () => {
    const [masters, replicas] = [await cluster.masters(), await cluster.replicas()]
    expect(await objectionOf(cluster.nodes)).toBeUndefined()
    expect(await objectionOf(masters.slice(1))).toContain('10923 slots are covered')
    expect(await objectionOf(replicas)).toContain('is a replica without a master')
  })

  test('is settled only when a replica that lost its master follows it again', async () => {
    const [master] = (await cluster.masters()) as [ClusterNode]
    const [replica] = (await cluster.replicas(master)) as [ClusterNode]
    const [, password] = (await replica.ask('CONFIG', 'GET', 'masterauth')) as [string, string]
    await replica.ask('CONFIG', 'SET', 'masterauth', 'wrong')
    await master.ask('CLIENT', 'KILL', 'TYPE', 'replica')
    await expect.poll(() => objectionOf(cluster.nodes)).toMatch(/is not in sync|is not online/)
    await replica.ask('CONFIG', 'SET', 'masterauth', password)
    await cluster.settled()
    expect(String(await replica.ask('INFO', 'replication'))).toContain('master_link_status:up')
  })

  test('keeps no data in files: a node that is started again begins empty', async () => {
    for (const node of cluster.nodes) {
      const [, directory] = (await node.ask('CONFIG', 'GET', 'dir')) as [string, string]
      expect((await readdir(directory)).filter((file) => file.endsWith('.rdb'))).toEqual([])
    }
  })

  test('has the options of a server on all nodes, and an inspecting client with every right', async () => {
    for (const node of cluster.nodes) {
      expect(await node.ask('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(50 * 1024 * 1024)])
      expect(await node.ask('CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
      const stranger = new Redis({ ...node.address, retryStrategy: null, enableReadyCheck: false })
      stranger.on('error', () => {})
      await expect(stranger.ping()).rejects.toThrow('NOAUTH')
      stranger.disconnect()
    }
    const inspector = cluster.client()
    await inspector.set('inspected', '1')
    expect(await connectTo(cluster).get('inspected')).toBe('1')
    const reader = connectTo(cluster, { username: 'reader', password: 'secret' })
    expect(await reader.get('inspected')).toBe('1')
    await expect(reader.set('inspected', '2')).rejects.toThrow('NOPERM')
  })

  test('keeps each key where its owner is', async () => {
    const client = connectTo(cluster)
    for (const master of await cluster.masters()) {
      const key = await cluster.keyOn(master, 'routed')
      await client.set(key, master.id)
      expect(await master.ask('GET', key)).toBe(master.id)
      expect(await cluster.ownerOf(key)).toBe(master)
      expect(await cluster.ownerOf(slotOf(key))).toBe(master)
    }
  })

  test('computes slots as slotOf does', async () => {
    const [node] = await cluster.masters()
    const parts = ['{', '}', 'a', 'ü€😀', '']
    const keys = parts.flatMap((a) =>
      parts.flatMap((b) => parts.flatMap((c) => parts.map((d) => `${a}${b}x${c}${d}y}`))),
    )
    const slots = await Promise.all(keys.map((key) => node?.ask('CLUSTER', 'KEYSLOT', key)))
    expect(keys.map(slotOf)).toEqual(slots)
    expect(slotOf(Buffer.from([0xff, 0x7b, 0x80, 0x7d]))).toBe(slotOf(Buffer.from([0x80])))
  })

  test('hands a master’s slots to its replica without losing anything', async () => {
    const [master] = (await cluster.masters()) as [ClusterNode]
    const key = await cluster.keyOn(master, 'handed')
    const client = connectTo(cluster)
    await client.set(key, 'over')
    const successor = await cluster.handover(master)
    expect(await cluster.ownerOf(key)).toBe(successor)
    expect([await master.role(), await successor.role()]).toEqual(['replica', 'master'])
    expect(await client.get(key)).toBe('over')
    expect(await cluster.replicas(successor)).toEqual([master])
  })

  test('moves a slot with more keys than fit one batch', async () => {
    const [from, to] = (await cluster.masters()) as [ClusterNode, ClusterNode]
    const tag = await cluster.keyOn(from, 'moved')
    const slot = slotOf(tag)
    const client = connectTo(cluster)
    const keys = Array.from({ length: 250 }, (_, n) => `{${tag}}${n}`)
    await Promise.all(keys.map((key) => client.set(key, key, 'EX', 600)))
    await cluster.moveSlot(slot, to)
    expect(await cluster.ownerOf(slot)).toBe(to)
    expect(await from.ask('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(0)
    expect(await to.ask('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(250)
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys)
    for (const node of cluster.nodes) {
      const owner = (await viewOf(node)).find((line) => hasSlot(line, slot))
      expect(owner?.id).toBe(to.id)
    }
    await expect(cluster.moveSlot(slot, to)).rejects.toThrow('is where it would be moved to')
  })

  test('answers in the middle of a move: by ASK, and for keys of both sides not yet', async () => {
    const [, from, to] = (await cluster.masters()) as [ClusterNode, ClusterNode, ClusterNode]
    const tag = await cluster.keyOn(from, 'middle')
    const [here, there, born] = [`{${tag}}here`, `{${tag}}there`, `{${tag}}born`] as const
    const client = connectTo(cluster)
    await client.mset(here, '1', there, '2')

    const move = await cluster.beginMove(slotOf(tag), to)
    expect([move.from, move.to]).toEqual([from, to])
    await move.carry([there])
    expect(await from.ask('GET', here)).toBe('1')
    await expect(from.ask('GET', there)).rejects.toThrow(`ASK ${move.slot} 127.0.0.1:${to.server.port}`)
    await expect(to.ask('GET', there)).rejects.toThrow(`MOVED ${move.slot} 127.0.0.1:${from.server.port}`)
    expect([await client.get(here), await client.get(there)]).toEqual(['1', '2'])
    const both = await to.server.client().pipeline().asking().mget(here, there).exec()
    expect(String(both?.[1]?.[0])).toContain('TRYAGAIN')

    // New keys are born on the other side.
    await client.set(born, '3')
    expect(await from.ask('CLUSTER', 'COUNTKEYSINSLOT', move.slot)).toBe(1)

    await move.finish()
    expect(await client.mget(here, there, born)).toEqual(['1', '2', '3'])
    expect(await to.ask('MGET', here, there, born)).toEqual(['1', '2', '3'])
  })

  test('replaces a master that is killed, and takes it back as a replica in sync', async () => {
    const [master] = (await cluster.masters()) as [ClusterNode]
    const key = await cluster.keyOn(master, 'failed')
    const client = connectTo(cluster)
    await client.set(key, 'over')
    await cluster.replicated()

    const successor = await cluster.failover(master)
    expect(master.server.state).toBe('gone')
    expect(await cluster.ownerOf(key)).toBe(successor)
    expect(await cluster.masters()).toHaveLength(3)
    expect(await client.get(key)).toBe('over')
    await client.set(key, 'and on')
    await expect(cluster.failover(successor)).rejects.toThrow('has no running replica')
    expect(successor.server.state).toBe('running')

    await cluster.revive(master)
    expect(await master.role()).toBe('replica')
    expect(await cluster.replicas(successor)).toEqual([master])
    await cluster.replicated()
    expect(Number(await master.ask('DBSIZE'))).toBe(await successor.ask('DBSIZE'))
    expect(await client.get(key)).toBe('and on')
  })

  test('replaces a master that is paused, which learns of it when it is resumed', async () => {
    const [master] = (await cluster.masters()) as [ClusterNode]
    const key = await cluster.keyOn(master, 'paused')
    const [replica] = await cluster.replicas(master)
    master.server.pause()
    expect(master.server.state).toBe('paused')
    await cluster.settled()
    expect(await cluster.ownerOf(key)).toBe(replica)
    master.server.resume()
    await cluster.settled()
    expect(await master.role()).toBe('replica')
    expect(await cluster.replicas(replica)).toEqual([master])
  })

  test('does without a replica, and takes it back', async () => {
    const [replica] = (await cluster.replicas()) as [ClusterNode]
    await replica.server.kill()
    const masters = portsOf(await cluster.masters())
    await cluster.settled()
    expect(await cluster.replicas()).toHaveLength(2)
    await cluster.revive(replica)
    expect(await cluster.replicas()).toContain(replica)
    expect(portsOf(await cluster.masters())).toEqual(masters)
  })
})

test('a cluster that is disposed of is gone, dead and paused nodes and all', async () => {
  const cluster = await startCluster({ masters: 1, replicas: 2 })
  const [, paused, killed] = cluster.nodes
  paused?.server.pause()
  await killed?.server.kill()
  await cluster[Symbol.asyncDispose]()
  expect(cluster.nodes.map(({ server }) => isRunning(server.pid))).toEqual([false, false, false])
})

test('a cluster that cannot start is told, and leaves no process behind', async () => {
  const children = () => process.getActiveResourcesInfo().filter((resource) => resource === 'ProcessWrap').length
  const before = children()
  await expect(startCluster({ config: ['no-such-directive yes'] })).rejects.toThrow('no-such-directive')
  await expect(startCluster({ config: ['cluster-enabled no'] })).rejects.toThrow('cluster support disabled')
  await expect(startCluster({ config: ['rename-command CONFIG ""'] })).rejects.toThrow('unknown command')
  await expect.poll(children).toBe(before)
})
