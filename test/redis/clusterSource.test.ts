import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { type RedisCluster, startCluster } from './cluster.ts'
import { offerCluster, takeCluster } from './clusterSource.ts'
import { testNamespace } from './namespace.ts'
import { isRunning } from './reaper.ts'
import { sharedCluster } from './sharedCluster.ts'

test('the shared cluster is the same for all, and every master of it takes writes', async () => {
  const nodes = await sharedCluster()
  expect(nodes).toHaveLength(6)
  expect(await sharedCluster()).toEqual(nodes)
  const client = new Cluster(nodes)
  const namespace = testNamespace()
  const keys = Array.from({ length: 50 }, (_, n) => `${namespace}:${n}`)
  await Promise.all(keys.map((key) => client.set(key, key, 'PX', 10_000)))
  expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys)
  const sizes = await Promise.all(client.nodes('master').map((master) => master.dbsize()))
  expect(sizes).toHaveLength(3)
  expect(Math.min(...sizes)).toBeGreaterThan(0)
  client.disconnect()
})

test('an offered cluster starts when the first asks, once for all, and ends with the offer', async () => {
  const started: RedisCluster[] = []
  let starts = 0
  const offer = await offerCluster(async () => {
    starts++
    const cluster = await startCluster({ masters: 1, replicas: 1 })
    started.push(cluster)
    return cluster
  })
  try {
    expect(starts).toBe(0)
    const [one, two] = await Promise.all([takeCluster(offer.port), takeCluster(offer.port)])
    expect(one).toEqual(two)
    expect(one).toEqual(started[0]?.startupNodes)
    expect(starts).toBe(1)
  } finally {
    await offer.stop()
  }
  expect(started.flatMap(({ nodes }) => nodes).map(({ server }) => isRunning(server.pid))).toEqual([false, false])
})

test('whoever asks for a cluster that cannot start is told why', async () => {
  const offer = await offerCluster(() => startCluster({ config: ['no-such-directive yes'] }))
  await expect(takeCluster(offer.port)).rejects.toThrow('no-such-directive')
  await offer.stop()
})

test('an offer that nobody took ends at once', async () => {
  const offer = await offerCluster()
  await offer.stop()
  await expect(takeCluster(offer.port)).rejects.toThrow('ECONNREFUSED')
})
