import { afterAll, beforeAll, expect, test } from 'vitest'
import { sharedCluster } from '../redis/sharedCluster.ts'
import { slotOf } from '../redis/slots.ts'
import { trafficOf } from './clusterTraffic.ts'
import { type Instance, useCrew } from './crew.ts'

const startupNodes = await sharedCluster()
const cluster = { startupNodes }
const traffic = trafficOf(startupNodes)
afterAll(() => traffic[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster }))
const LONG = { leaseTtl: 60_000, commandTimeout: 10_000 }

async function runsOf(instances: readonly Instance[], key: string): Promise<number[]> {
  const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
  return runs.map(({ count }) => count).toSorted()
}

/** `A` leads, and all others wait before it ends. */
async function leadAndFollow(instances: readonly Instance[], key: string, callers: number, value: unknown) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask(key, callers, { held: true, value })
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, callers))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  await a.finish(key)
  const asked = await Promise.all([led, ...following])
  await a.saw('publish', { key })
  return asked
}

test('4 processes ask for 60 cold keys in all slots at once: each loader runs once', async () => {
  const instances = await crew.open({ cluster, cache: LONG })
  const keys = await traffic.keysOnEach('cold', 20)
  expect(new Set(keys.map(slotOf)).size).toBe(60)
  const asked = await Promise.all(
    instances.flatMap((instance) => keys.map(async (key) => ({ key, ...(await instance.ask(key, 20)) }))),
  )
  for (const key of keys) {
    const answers = asked.filter((one) => one.key === key)
    expect(answers.flatMap(({ errors }) => errors)).toEqual([])
    expect(new Set(answers.flatMap(({ values }) => values)).size).toBe(1)
    expect(await runsOf(instances, key)).toEqual([0, 0, 0, 1])
  }
})

test('who waits is told, on whichever node its inbox is and whichever has the key', async () => {
  const instances = await crew.open({ cluster, cache: LONG })
  // Some are on another node than the key: of three nodes none can have all three keys.
  for (const key of await traffic.keyOnEach('told')) {
    const asked = await leadAndFollow(instances, key, 5, `value of ${key}`)
    for (const { values } of asked) expect(values).toEqual([`value of ${key}`])
    for (const follower of instances.slice(1)) {
      expect(await follower.trace(key)).toEqual(['miss', 'follow', 'followed value'])
      expect(startupNodes.map(({ port }) => port)).toContain(await traffic.inboxOf(follower))
    }
  }
})

test('what is too large for messages to all nodes is said to be ready, and read', async () => {
  const instances = await crew.open({ cluster, cache: LONG })
  const sizes = { small: 4 * 1024, large: 9 * 1024, huge: 1024 * 1024 }
  for (const [key, size] of Object.entries(sizes)) {
    const value = key[0]?.repeat(size)
    for (const { values } of await leadAndFollow(instances, key, 5, value)) expect(values).toEqual([value])
  }
  for (const follower of instances.slice(1)) {
    // Three waiters: 12 KiB in all, 27 KiB, and 3 MiB.
    expect(await follower.trace('small')).toEqual(['miss', 'follow', 'followed value'])
    expect(await follower.trace('large')).toEqual(['miss', 'follow', 'followed ready'])
    expect(await follower.trace('huge')).toEqual(['miss', 'follow', 'followed ready'])
  }
})

/** As on one server, and the clock of tags, which is on a node of its own. */
const COLD = {
  A: ['evalsha', 'evalsha', 'evalsha', 'get'],
  B: ['evalsha', 'evalsha', 'get'],
  C: ['evalsha', 'evalsha', 'get'],
  D: ['evalsha', 'evalsha', 'get'],
}

test('a cold key costs three commands per process and one more, for 10 callers as for 1,000', async () => {
  const instances = await crew.open({ cluster, cache: LONG })
  const [warm, ...others] = await traffic.keysOnEach('counted', 2)
  const [, , again, ...rest] = others as string[]
  // Each node is told each script once by each connection.
  for (const key of [warm, ...others.slice(0, 2)] as string[]) await leadAndFollow(instances, key, 1, 'warm')
  for (const [i, key] of [again, ...rest].entries()) {
    await using watch = await traffic.watch()
    const asked = await leadAndFollow(instances, key as string, i === 0 ? 10 : 1000, 'value')
    for (const { values } of asked) expect(values).toEqual(['value'])
    expect(await watch.stop(instances)).toEqual(COLD)
  }
})

test('a hit costs one GET per process, for 10 callers as for 1,000', async () => {
  const instances = await crew.open({ cluster, cache: LONG })
  for (const key of await traffic.keyOnEach('hit')) {
    await instances[0].process.call('set', key, 'stored')
    for (const callers of [10, 1000]) {
      await using watch = await traffic.watch()
      const asked = await Promise.all(instances.map((instance) => instance.ask(key, callers)))
      for (const { values } of asked) expect(values).toEqual(['stored'])
      expect(await watch.stop(instances)).toEqual({ A: ['get'], B: ['get'], C: ['get'], D: ['get'] })
    }
  }
})
