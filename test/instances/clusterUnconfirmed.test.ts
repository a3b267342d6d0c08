import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startCluster } from '../redis/cluster.ts'
import type { ProxiedNode } from '../redis/clusterNode.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type Instance, useCrew } from './crew.ts'

// One of its own: a node is cut off. The nodes among themselves don't come through the proxies: nobody is replaced.
const cluster = await startCluster({ proxied: true, nodeTimeout: 15_000 })
const { startupNodes, natMap } = cluster
const client = cluster.client()
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes, natMap } }))
const CACHE = { leaseTtl: 60_000, commandTimeout: 1000, breaker: { failures: 1000 } }

/** How a node fails its clients, and how it is mended. */
const FAULTS: Record<string, (node: ProxiedNode) => Promise<() => Promise<unknown>>> = {
  async 'answers with errors'(node) {
    await node.ask('CONFIG', 'SET', 'min-replicas-to-write', 5)
    return () => node.ask('CONFIG', 'SET', 'min-replicas-to-write', 0)
  },
  async 'refuses all connections'(node) {
    node.proxy.refuse(true)
    return async () => node.proxy.refuse(false)
  },
  async 'does not answer'(node) {
    node.proxy.blackhole(true)
    return async () => node.proxy.blackhole(false)
  },
}

/** The node to fail has keys, and neither the clock nor the tag; what is not said of a key is on another node. */
interface Scene {
  instances: [Instance, Instance, Instance, Instance]
  failing: ProxiedNode
  tag: string
  /** Keys of the node that fails, and of the others. */
  lost: string[]
  kept: string[]
}

let prefixes = 0

async function keysOn(node: ProxiedNode, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => cluster.keyOn(node, `k${prefixes++}`)))
}

async function set(scene: Scene, keys: readonly string[]): Promise<void> {
  const [a] = scene.instances
  for (const key of keys) expect(await a.process.call('set', key, 'old', 60_000, [scene.tag])).toBe(true)
}

let scene: Scene
beforeEach(async () => {
  const instances = await crew.open({ cluster: { startupNodes, natMap }, cache: CACHE })
  const keeper = await cluster.ownerOf(`${instances[0].namespace}:clock`)
  const [failing, third] = (await cluster.masters()).filter((node) => node !== keeper) as [ProxiedNode, ProxiedNode]
  const lost = await keysOn(failing, 10)
  const kept = [...(await keysOn(keeper, 10)), ...(await keysOn(third, 10))]
  scene = { instances, failing, tag: await cluster.keyOn(keeper, testNamespace('tag')), lost, kept }
  await set(scene, [...lost, ...kept])
})

/** Which of these have an entry, by a client that comes past the proxies. */
async function present(keys: readonly string[]): Promise<string[]> {
  const { namespace } = scene.instances[0]
  const found = await Promise.all(keys.map((key) => client.exists(`${namespace}:{${key}}`)))
  return keys.filter((_, i) => found[i] === 1)
}

async function listed(): Promise<string[]> {
  return client.zrange(`${scene.instances[0].namespace}:tag:{${scene.tag}}:entries`, 0, '-1')
}

describe.each(Object.keys(FAULTS))('while one master %s', (name) => {
  test('an invalidation by tag rejects, keeps what it knows, and holds when it is repeated', async () => {
    const { instances, failing, tag, lost, kept } = scene
    const [, b, c, d] = instances
    const all = [...lost, ...kept].sort()
    const mend = await FAULTS[name]?.(failing)
    try {
      // Through both versions of ioredis.
      for (const { process } of [b, c]) {
        expect(await process.call('unconfirmed', { tags: [tag] })).toMatchObject({ keys: [], tags: [tag] })
      }
      expect(await present(all)).toEqual(lost.toSorted())
      expect((await listed()).toSorted()).toEqual(all)
      // Requests go on meanwhile; for the keys of this node by their loaders, where it does not answer.
      const asked = await Promise.all([...lost.slice(0, 2), ...kept.slice(0, 2)].map((key) => d.ask(key, 5)))
      for (const { errors, values } of asked) expect([errors, values.length]).toEqual([[], 1])
    } finally {
      await mend?.()
    }
    await Promise.all(instances.map((instance) => instance.recovered()))
    const holds = async () => (await c.process.call('unconfirmed', { tags: [tag] })) === undefined
    await expect.poll(holds, { timeout: 10_000 }).toBe(true)
    expect(await present(all)).toEqual([])
    for (const { process } of instances) expect(await process.call('getMany', all)).toEqual(all.map(() => undefined))
  })

  test('an invalidation of keys says which were not confirmed: those of this node', async () => {
    const { instances, failing, lost, kept } = scene
    const [, b, c] = instances
    const all = [...lost, ...kept].sort()
    const mend = await FAULTS[name]?.(failing)
    try {
      for (const { process } of [b, c]) {
        const said = await process.call('unconfirmed', { keys: all })
        expect(said).toMatchObject({ keys: lost.toSorted(), tags: [] })
      }
      expect(await present(all)).toEqual(lost.toSorted())
    } finally {
      await mend?.()
    }
    await Promise.all(instances.map((instance) => instance.recovered()))
    const holds = async () => (await b.process.call('unconfirmed', { keys: lost })) === undefined
    await expect.poll(holds, { timeout: 10_000 }).toBe(true)
    expect(await present(all)).toEqual([])
  })
})
