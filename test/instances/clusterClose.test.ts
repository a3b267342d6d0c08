import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../redis/cluster.ts'
import type { ClusterNode } from '../redis/clusterNode.ts'
import { testNamespace } from '../redis/namespace.ts'
import { slotOf } from '../redis/slots.ts'
import { type Instance, useCrew } from './crew.ts'

// One of its own, in which nodes are killed and paused; long enough before anybody is replaced to close in the middle.
const cluster: RedisCluster = await startCluster({ nodeTimeout: 3000 })
const { startupNodes } = cluster
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(2)
/** Processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))
const CACHE = { leaseTtl: 60_000 }
/** ms: the command budget and a second, and a busy machine. */
const CLOSING = 1250 + 3000
const BY_ITSELF = /exited with 0$/

/** `A` (ioredis 6) leads a key of this node and `B` (ioredis 5) waits for it. */
async function leadAndFollow(node: ClusterNode, key: string): Promise<[Instance, Instance, Promise<void>]> {
  expect(await cluster.ownerOf(key)).toBe(node)
  const [a, b] = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const led = a.ask(key, 5, { held: true })
  await a.saw('load', { key })
  const followed = b.ask(key, 5)
  await b.saw('follow', { key })
  const answered = Promise.all([led, followed]).then((asked) => {
    for (const { errors, values } of asked) expect([errors, values.length]).toEqual([[], 1])
  })
  answered.catch(() => undefined) // awaited later
  return [a, b, answered]
}

/** Both close soon, their callers are answered, and nothing keeps their processes. */
async function expectToClose(instances: readonly Instance[], key: string, answered: Promise<void>): Promise<void> {
  const took = await Promise.all(instances.map(({ process }) => process.call('close')))
  for (const ms of took) expect(ms).toBeLessThan(CLOSING)
  await Promise.all(instances.map((instance) => instance.finish(key)))
  await answered
  await Promise.all(instances.map(({ process }) => process.call('leave')))
  for (const ended of await Promise.all(instances.map((instance) => instance.ends()))) expect(ended).toMatch(BY_ITSELF)
}

async function scene(): Promise<{ master: ClusterNode; key: string }> {
  const [master] = (await cluster.masters()) as [ClusterNode]
  return { master, key: await cluster.keyOn(master, testNamespace('key')) }
}

test('caches close, and their processes end, when a master has just been killed', async () => {
  const { master, key } = await scene()
  const [a, b, answered] = await leadAndFollow(master, key)
  await master.server.kill()
  await expectToClose([a, b], key, answered)
  await cluster.settled()
  await cluster.revive(master)
}, 60_000)

test('caches close, and their processes end, while a master is silent', async () => {
  const { master, key } = await scene()
  const [a, b, answered] = await leadAndFollow(master, key)
  master.server.pause()
  try {
    await expectToClose([a, b], key, answered)
  } finally {
    master.server.resume()
    await cluster.settled()
  }
}, 60_000)

test('caches close, and their processes end, while a master is replaced', async () => {
  const { master, key } = await scene()
  const [a, b, answered] = await leadAndFollow(master, key)
  const replaced = cluster.failover(master)
  // They learn of it, and look for another one.
  await Promise.all([a, b].map((one) => one.until(({ type }) => type === 'storeFault' || type === 'inbox', 'a fault')))
  await expectToClose([a, b], key, answered)
  await replaced
  await cluster.revive(master)
}, 60_000)

test('caches close, and their processes end, in the middle of a migration', async () => {
  const { master, key } = await scene()
  const [a, b, answered] = await leadAndFollow(master, key)
  const to = (await cluster.masters()).find((node) => node !== master) as ClusterNode
  const move = await cluster.beginMove(slotOf(key), to)
  await move.carry([`${a.namespace}:{${key}}:flight`])
  await expectToClose([a, b], key, answered)
  await move.finish()
}, 60_000)

test('caches that never found a cluster close, and their processes end', async () => {
  const nowhere = [{ host: '127.0.0.1', port: 1 }]
  const instances = await crew.open({ cluster: { startupNodes: nowhere }, cache: CACHE, ready: false })
  for (const instance of instances) {
    const { errors, values } = await instance.ask('k', 5)
    expect([errors, values]).toEqual([[], [`${instance.name} 1`]])
  }
  await expectToClose(instances, 'k', Promise.resolve())
}, 60_000)
