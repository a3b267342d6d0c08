import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster } from '../redis/cluster.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type Instance, useCrew } from './crew.ts'

// One of its own: masters die, and others take their place.
const cluster = await startCluster()
const { startupNodes } = cluster
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))
/** ms: an end that nobody could be given costs those who wait a lease. */
const CACHE = { leaseTtl: 5000 }
/** ms in which all is as ever again: a client looks every 5 s who has the slots. */
const SOON = 20_000

/** Repeats it until it is confirmed, as its caller should. */
async function confirm({ process }: Instance, what: { keys?: string[]; tags?: string[] }): Promise<void> {
  await expect.poll(() => process.call('unconfirmed', what), { timeout: SOON }).toBeUndefined()
}

/** Each asks again and again until the result is called: nobody's call fails, and each gets one value. */
function keepAsking(instances: readonly Instance[], key: string): () => Promise<number> {
  let over = false
  const rounds = instances.map(async (instance) => {
    let count = 0
    for (; !over; count++) {
      const { errors, values } = await instance.ask(`${key}-${count}`, 3)
      expect([errors, values.length]).toEqual([[], 1])
    }
    return count
  })
  const all = Promise.all(rounds)
  all.catch(() => undefined) // told to who ends it
  return async () => {
    over = true
    return Math.min(...(await all))
  }
}

async function leadAndFollow(instances: readonly Instance[], key: string) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask(key, 5, { held: true, value: 'flight' })
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, 5, { value: 'flight' }))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  return { a, led, following }
}

/** One run for all, for new keys of this master. */
async function expectCoordination(
  instances: readonly Instance[],
  master: Awaited<ReturnType<typeof cluster.failover>>,
) {
  for (let i = 0; i < 3; i++) {
    const key = await cluster.keyOn(master, testNamespace('after'))
    // Whoever has a stale view, or an inbox under way, shall first find its way.
    await Promise.all(instances.map((instance) => confirm(instance, { keys: [key] })))
    await expect
      .poll(async () => Promise.all(instances.map(async ({ process }) => (await process.call('stats')).inbox)), {
        timeout: SOON,
      })
      .toEqual(instances.map(() => true))
    const asked = await Promise.all(instances.map((instance) => instance.ask(key, 20)))
    expect(new Set(asked.flatMap(({ values }) => values)).size).toBe(1)
    const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
    expect(runs.map(({ count }) => count).toSorted()).toEqual([0, 0, 0, 1])
  }
}

async function expectNothingOld(instances: readonly Instance[], key: string): Promise<void> {
  for (const { process } of instances) expect(await process.call('get', key)).not.toBe('old')
}

test('a master is killed in the middle of flights, replaced, and comes back', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const [a, b, c, d] = instances
  const [master] = await cluster.masters()
  if (master === undefined) throw new Error('There is no master.')
  const key = await cluster.keyOn(master, testNamespace('flight'))
  const stored = await cluster.keyOn(master, testNamespace('stored'))
  expect(await a.process.call('set', stored, 'old', 600_000, ['t'])).toBe(true)
  const { led, following } = await leadAndFollow(instances, key)
  await cluster.replicated()

  const stop = keepAsking([b, c, d], 'meanwhile')
  const successor = await cluster.failover(master)
  await a.finish(key)
  for (const { values, errors } of await Promise.all([led, ...following])) {
    expect({ values, errors }).toEqual({ values: ['flight'], errors: [] })
  }
  const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
  for (const { count } of runs) expect(count).toBeLessThanOrEqual(2)

  await confirm(c, { tags: ['t'] })
  await expectNothingOld(instances, stored)
  await expectCoordination(instances, successor)
  expect(await stop()).toBeGreaterThan(0)

  await cluster.revive(master)
  await expectNothingOld(instances, stored)
  await expectCoordination(instances, successor)
}, 60_000)

test('a master is paused for so long that it is replaced, and wakes up as a replica', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const [a, b, c, d] = instances
  const [master] = await cluster.masters()
  if (master === undefined) throw new Error('There is no master.')
  const [replica] = await cluster.replicas(master)
  const key = await cluster.keyOn(master, testNamespace('flight'))
  const stored = await cluster.keyOn(master, testNamespace('stored'))
  expect(await a.process.call('set', stored, 'old', 600_000, ['t'])).toBe(true)
  const { led, following } = await leadAndFollow(instances, key)
  await cluster.replicated()

  const stop = keepAsking([b, c, d], 'meanwhile')
  master.server.pause()
  await cluster.settled()
  expect(await replica?.role()).toBe('master')
  await a.finish(key)
  for (const { values, errors } of await Promise.all([led, ...following])) {
    expect({ values, errors }).toEqual({ values: ['flight'], errors: [] })
  }
  await Promise.all(instances.map((instance) => confirm(instance, { tags: ['t'] })))
  await expectNothingOld(instances, stored)
  await expectCoordination(instances, replica as typeof master)

  // It has the old value still, until it learns that it is a replica now.
  master.server.resume()
  await expectNothingOld(instances, stored)
  await cluster.settled()
  expect(await master.role()).toBe('replica')
  await expectNothingOld(instances, stored)
  await expectCoordination(instances, replica as typeof master)
  expect(await stop()).toBeGreaterThan(0)
}, 60_000)
