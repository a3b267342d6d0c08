import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startCluster } from '../redis/cluster.ts'
import type { ProxiedNode } from '../redis/clusterNode.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type Instance, useCrew } from './crew.ts'

// One of its own: a node is cut off. The nodes among themselves don't come through the proxies: nobody is replaced.
const cluster = await startCluster({ proxied: true, nodeTimeout: 15_000 })
const { startupNodes, natMap } = cluster
const client = cluster.client()
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(2)
/** Processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes, natMap } }))
const CACHE = { leaseTtl: 60_000, commandTimeout: 1000, breaker: { failures: 1000 } }

let instances: [Instance, Instance]
/** Has the clock of tags. */
let keeper: ProxiedNode
/** Keys and a tag of other nodes. */
let keys: string[]
let tag: string
beforeEach(async () => {
  const [a, b] = await crew.open({ cluster: { startupNodes, natMap }, cache: CACHE })
  instances = [a, b]
  keeper = await cluster.ownerOf(`${a.namespace}:clock`)
  const others = (await cluster.masters()).filter((node) => node !== keeper)
  keys = await Promise.all(others.map((node) => cluster.keyOn(node, testNamespace('key'))))
  tag = await cluster.keyOn(others[0] as ProxiedNode, testNamespace('tag'))
})

const entryOf = (key: string) => client.exists(`${instances[0].namespace}:{${key}}`)

/** `A` leads and `B` waits before it ends. */
async function leadAndFollow(key: string, tags: string[]) {
  const [a, b] = instances
  const led = a.ask(key, 5, { held: true }, { tags })
  await a.saw('load', { key })
  const followed = b.ask(key, 5, {}, { tags })
  await b.saw('follow', { key })
  await a.finish(key)
  return { led: await led, followed: await followed }
}

const FAULTS: Record<string, (on: boolean) => void> = {
  'can not be reached': (on) => keeper.proxy.refuse(on),
  'is silent': (on) => keeper.proxy.blackhole(on),
}

test.each(Object.keys(FAULTS))('while the clock of tags %s only values with tags are not stored', async (name) => {
  const [a, b] = instances
  const [tagged, plain] = keys as [string, string]
  FAULTS[name]?.(true)
  try {
    const withTags = await leadAndFollow(tagged, [tag])
    expect(withTags.led).toMatchObject({ values: ['A 1'], errors: [] })
    // It is told to run its own.
    expect(withTags.followed).toMatchObject({ values: ['B 1'], errors: [] })
    expect(await entryOf(tagged)).toBe(0)
    expect(await a.saw('share', { key: tagged })).toMatchObject({ reason: 'alone' })

    const without = await leadAndFollow(plain, [])
    expect(without.led).toMatchObject({ values: ['A 1'], errors: [] })
    expect(without.followed).toMatchObject({ values: ['A 1'], errors: [] })
    await a.saw('publish', { key: plain })
    expect(await entryOf(plain)).toBe(1)

    for (const { process } of instances) {
      expect(await process.call('unconfirmed', { set: [tagged, [tag]] })).toMatchObject({ keys: [tagged], tags: [] })
      expect(await process.call('unconfirmed', { tags: [tag] })).toMatchObject({ keys: [], tags: [tag] })
      // By key all goes on.
      expect(await process.call('unconfirmed', { keys: [plain] })).toBeUndefined()
    }
    expect(await entryOf(tagged)).toBe(0)
    expect(await entryOf(plain)).toBe(0)
  } finally {
    FAULTS[name]?.(false)
  }
  // Again as ever, by itself.
  await Promise.all(instances.map((instance) => instance.recovered()))
  const set = async () => (await b.process.call('unconfirmed', { set: [tagged, [tag]] })) === undefined
  await expect.poll(set, { timeout: 10_000 }).toBe(true)
  expect(await a.process.call('get', tagged)).toBe('set')
  await a.process.call('invalidateTags', tag)
  expect((await a.ask(tagged, 5, { value: 'again' }, { tags: [tag] })).values).toEqual(['again'])
  await a.saw('publish', { key: tagged })
})
