import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster } from '../redis/cluster.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type Instance, useCrew } from './crew.ts'
import { confirm, expectCoordination, expectNothingOld, keepAsking, leadAndFollow } from './failover.ts'

// One of its own: masters die, and others take their place.
const cluster = await startCluster()
const { startupNodes } = cluster
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))
/** ms: an end that nobody could be given costs those who wait a lease. */
const CACHE = { leaseTtl: 5000 }
/** One run for all, for new keys of this master. */
const expectCoordinationAt = (instances: readonly Instance[], master: Awaited<ReturnType<typeof cluster.failover>>) =>
  expectCoordination(instances, (namespace) => cluster.keyOn(master, namespace))

test('a master is killed in the middle of flights, replaced, and comes back', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const [a, b, c, d] = instances
  const [master] = await cluster.masters()
  if (master === undefined) throw new Error('There is no master.')
  const key = await cluster.keyOn(master, testNamespace('flight'))
  const stored = await cluster.keyOn(master, testNamespace('stored'))
  expect(await a.process.call('set', stored, 'old', 600_000, ['t'])).toBe(true)
  const { finish } = await leadAndFollow(instances, key)
  await cluster.replicated()

  const stop = keepAsking([b, c, d], 'meanwhile')
  const successor = await cluster.failover(master)
  await finish()

  await confirm(c, { tags: ['t'] })
  await expectNothingOld(instances, stored)
  await expectCoordinationAt(instances, successor)
  expect(await stop()).toBeGreaterThan(0)

  await cluster.revive(master)
  await expectNothingOld(instances, stored)
  await expectCoordinationAt(instances, successor)
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
  const { finish } = await leadAndFollow(instances, key)
  await cluster.replicated()

  const stop = keepAsking([b, c, d], 'meanwhile')
  master.server.pause()
  await cluster.settled()
  expect(await replica?.role()).toBe('master')
  await finish()
  await Promise.all(instances.map((instance) => confirm(instance, { tags: ['t'] })))
  await expectNothingOld(instances, stored)
  await expectCoordinationAt(instances, replica as typeof master)

  // It has the old value still, until it learns that it is a replica now.
  master.server.resume()
  await expectNothingOld(instances, stored)
  await cluster.settled()
  expect(await master.role()).toBe('replica')
  await expectNothingOld(instances, stored)
  await expectCoordinationAt(instances, replica as typeof master)
  expect(await stop()).toBeGreaterThan(0)
}, 60_000)
