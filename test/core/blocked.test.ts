import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, inject, it } from 'vitest'
import { createCache } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { testNamespace } from '../redis/namespace.ts'

const cache = createCache({
  namespace: testNamespace(),
  store: redisStore(inject('redisUrl')),
  ttl: 60_000,
  commandTimeout: 50,
})
afterEach(() => cache.close())

it('a reply that is there when a blocked event loop goes on is not too late', async () => {
  await cache.ready()
  const faults: unknown[] = []
  cache.on('storeFault', (fault) => faults.push(fault))
  await cache.set('key', 'stored')

  const value = cache.getOrSet('key', () => 'computed')
  // The command is on its way; the loop stands still for longer than the budget while the reply comes in.
  await turn()
  const until = performance.now() + 150
  while (performance.now() < until);

  expect(await value).toBe('stored')
  expect(faults).toEqual([])
})
