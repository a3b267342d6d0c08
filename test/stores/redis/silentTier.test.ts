import { expect, inject, test } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../../core/trace.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { startProxy } from '../../redis/proxy.ts'

test('the memory tier is off within some seconds of the silence of all connections, and on again after it', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  await using cache = createCache({ namespace: testNamespace(), store: redisStore(proxy.url), ttl: 60_000, memory: {} })
  await cache.ready()
  const trace = traceOf(cache)
  await cache.getOrSet('key', () => 'value')
  await trace.saw('publish')
  expect(await cache.get('key')).toBe('value')
  expect(trace.of('memoryHit')).toHaveLength(1)
  const silentAt = performance.now()
  proxy.blackhole(true)
  expect(await trace.saw('inbox')).toMatchObject({ confirmed: false })
  // A probe every three seconds has a second to come back.
  expect(performance.now() - silentAt).toBeLessThan(8000)
  expect(cache.stats().memory.entries).toBe(0)
  proxy.blackhole(false)
  expect(await trace.saw('inbox', 2)).toMatchObject({ confirmed: true })
  await cache.getOrSet('other', () => 'value')
  await trace.saw('publish', 2)
  expect(cache.stats().memory.entries).toBe(1)
})
