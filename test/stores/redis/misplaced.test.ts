import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../../core/trace.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { sharedCluster } from '../../redis/sharedCluster.ts'

const nodes = await sharedCluster()
const LONG = 60_000

const OBJECTION = 'the server is a node of a cluster: redisStore needs an ioredis Cluster'

test('the address of one node of a cluster is told to be that, once, and requests have what their loader gives', async () => {
  const store = redisStore(nodes[0] as (typeof nodes)[number])
  const cache = createCache({ namespace: testNamespace(), store, ttl: LONG, commandTimeout: 10_000 })
  const trace = traceOf(cache)
  await cache.ready()
  for (const key of ['a', 'b', 'c', 'd']) expect(await cache.getOrSet(key, () => key)).toBe(key)
  const told = () => trace.of('storeFault').filter(({ error }) => String(error).includes(OBJECTION))
  await expect.poll(told).toHaveLength(1)
  expect(told()).toMatchObject([{ op: 'connection', error: { code: 'REFUSED' } }])
  await cache.close()
})

test('a client of the cluster is not told', async () => {
  const client = new Cluster(nodes, { lazyConnect: true })
  const cache = createCache({
    namespace: testNamespace(),
    store: redisStore(client),
    ttl: LONG,
    commandTimeout: 10_000,
  })
  const trace = traceOf(cache)
  await cache.ready()
  await cache.set('a', 1, { tags: ['a'] })
  expect(trace.of('storeFault')).toEqual([])
  await cache.close()
})
