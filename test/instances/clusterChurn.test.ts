import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { testNamespace } from '../redis/namespace.ts'
import { sharedCluster } from '../redis/sharedCluster.ts'
import { trafficOf } from './clusterTraffic.ts'
import { useCrew } from './crew.ts'

const startupNodes = await sharedCluster()
const traffic = trafficOf(startupNodes)
afterAll(() => traffic[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))

test('4 processes that write, invalidate by key and by tag, and ask at once get nothing older than their own write', async () => {
  const cache = { leaseTtl: 60_000, commandTimeout: 20_000 }
  const instances = await crew.open({ cluster: { startupNodes }, cache })
  const url = inject('redisUrl')
  const origin = `${testNamespace('origin')}:version`
  const keys = await traffic.keysOnEach('churn', 2)
  const tags = await traffic.keyOnEach('tag')
  const rounds = 100
  const stale = await Promise.all(
    instances.map(({ process }) => process.call('churnTags', url, origin, keys, tags, rounds)),
  )
  expect(stale).toEqual([0, 0, 0, 0])
  // After the last invalidation everything readable is of the last version.
  const [a] = instances
  await a.process.call('invalidateTags', tags[1] as string)
  for (const { process } of instances) expect(await process.call('getMany', keys)).toEqual(keys.map(() => undefined))
  expect(await a.process.call('churnTags', url, origin, keys, tags, 1)).toBe(0)
  for (const { process } of instances) {
    for (const value of await process.call('getMany', keys)) expect([undefined, 4 * rounds + 1]).toContain(value)
  }
  const totals = await Promise.all(instances.map(({ process }) => process.call('stats')))
  // Otherwise it was no race.
  expect(totals.reduce((sum, { events }) => sum + events.follow, 0)).toBeGreaterThan(rounds)
})
