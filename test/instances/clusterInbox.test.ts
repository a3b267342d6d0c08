import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster } from '../redis/cluster.ts'
import type { ClusterNode } from '../redis/clusterNode.ts'
import { testNamespace } from '../redis/namespace.ts'
import { trafficOf } from './clusterTraffic.ts'
import { type Instance, useCrew, within } from './crew.ts'

// One of its own: nodes are killed and paused, and for so long nobody takes their place.
const cluster = await startCluster({ nodeTimeout: 60_000, config: ['cluster-require-full-coverage no'] })
const { startupNodes } = cluster
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))
const CACHE = { leaseTtl: 60_000, breaker: { failures: 1000 } }
/** ms: a probe every 3 s that may take 1 s, twice, and a busy machine; far less than the lease. */
const SOON = 20_000

/** The masters on which these have their inbox. */
async function inboxesOf(instances: readonly Instance[]): Promise<ClusterNode[]> {
  const masters = await cluster.masters()
  await using traffic = trafficOf(masters.map(({ address }) => address))
  const ports = await Promise.all(instances.map((instance) => traffic.inboxOf(instance)))
  return ports.map((port) => masters.find(({ address }) => address.port === port) as ClusterNode)
}

/** `A` leads a key of another node than `lost`, and the others wait. */
async function leadAndFollow(instances: readonly Instance[], lost: ClusterNode) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const other = (await cluster.masters()).find((node) => node !== lost) as ClusterNode
  const key = await cluster.keyOn(other, testNamespace('key'))
  const led = a.ask(key, 5, { held: true })
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, 5))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  return { key, a, answers: () => within(SOON, Promise.all([led, ...following]), 'answers, with a lease of a minute') }
}

async function expectOneRun(instances: readonly Instance[], key: string): Promise<void> {
  const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
  expect(runs.map(({ count }) => count)).toEqual([1, 0, 0, 0])
}

async function confirmedOf(instance: Instance): Promise<boolean[]> {
  return (await instance.events('inbox')).map(({ confirmed }) => confirmed)
}

test('an inbox whose node is killed is opened on another one, and who waited is answered', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const lost = (await inboxesOf(instances))[1] as ClusterNode
  const { key, a, answers } = await leadAndFollow(instances, lost)
  await lost.server.kill()
  try {
    await instances[1].saw('inbox', { count: 2 })
    // No message can reach it until its inbox is back.
    await a.finish(key)
    for (const { values } of await answers()) expect(values).toEqual(['A 1'])
    await instances[1].saw('inbox', { count: 3 })
    expect((await confirmedOf(instances[1])).slice(0, 3)).toEqual([true, false, true])
    expect((await inboxesOf([instances[1]]))[0]).not.toBe(lost)
    await expectOneRun(instances, key)
    // Messages arrive again, also where others had their inbox on this node.
    const arrive = ({ process }: Instance) => process.call('stats').then(({ inbox }) => inbox)
    for (const instance of instances) await expect.poll(() => arrive(instance), { timeout: SOON }).toBe(true)
    const again = await leadAndFollow(instances, lost)
    await a.finish(again.key)
    for (const { values } of await again.answers()) expect(values).toEqual(['A 1'])
    for (const follower of instances.slice(1)) expect((await follower.trace(again.key)).at(-1)).toBe('followed value')
  } finally {
    await cluster.revive(lost)
  }
})

test('inboxes whose node is silent are found out, and opened on another one', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const lost = (await inboxesOf(instances))[1] as ClusterNode
  const { key, a, answers } = await leadAndFollow(instances, lost)
  lost.server.pause()
  try {
    await a.finish(key)
    // Its message is lost: nothing is heard of it until the inbox has been found to be dead.
    for (const { values } of await answers()) expect(values).toEqual(['A 1'])
    await expect.poll(() => confirmedOf(instances[1]), { timeout: SOON }).toEqual([true, false, true])
    expect((await inboxesOf([instances[1]]))[0]).not.toBe(lost)
    await expectOneRun(instances, key)
  } finally {
    lost.server.resume()
    await cluster.settled()
  }
}, 60_000)

test('a cache that is opened while one master is silent is ready without it', async () => {
  const [lost] = (await cluster.masters()) as [ClusterNode]
  lost.server.pause()
  try {
    const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE, ready: false })
    await Promise.all(instances.map((one) => within(SOON, one.process.call('ready'), `${one.name} to be ready`)))
    const { key, a, answers } = await leadAndFollow(instances, lost)
    await a.finish(key)
    for (const { values } of await answers()) expect(values).toEqual(['A 1'])
    await expectOneRun(instances, key)
  } finally {
    lost.server.resume()
    await cluster.settled()
  }
}, 60_000)
