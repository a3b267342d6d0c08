import { afterAll, expect, test } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../../core/trace.ts'
import { startRedis } from '../../redis/server.ts'

const LONG = 60_000

const master = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] })
afterAll(() => Promise.all([master[Symbol.asyncDispose](), replica[Symbol.asyncDispose]()]))

test('a replica given as the store: what is stored is read, all else is loaded or rejects, until it is a master', async () => {
  const open = (url: string) =>
    createCache({ namespace: 'shop', store: redisStore(url), ttl: LONG, commandTimeout: 10_000 })
  const cache = open(replica.url)
  const writer = open(master.url)
  const trace = traceOf(cache)
  await Promise.all([cache.ready(), writer.ready()])
  await writer.set('x', 'stored')
  const told = trace.of('storeFault').map(({ op, error }) => `${op}: ${error}`)
  expect(told).toEqual([
    expect.stringContaining('connection: StoreError: the server is a replica: redisStore needs its master'),
  ])
  await expect.poll(() => cache.get('x'), { timeout: 15_000 }).toBe('stored')

  for (const key of ['a', 'b', 'c']) expect(await cache.getOrSet(key, () => key)).toBe(key)
  const claims = trace.of('storeFault').filter(({ op }) => op === 'claim')
  expect(claims).toHaveLength(3)
  for (const { error } of claims)
    expect(error).toMatchObject({ code: 'REFUSED', message: expect.stringContaining('READONLY') })
  expect(cache.stats().breaker).toBe('closed')
  for (const write of [() => cache.set('x', 1), () => cache.invalidate({ keys: ['x'] }), () => cache.clear()]) {
    await expect(write()).rejects.toThrow('READONLY')
  }
  expect(await cache.get('x')).toBe('stored')

  await replica.client().replicaof('NO', 'ONE')
  expect(await cache.getOrSet('y', () => 'y')).toBe('y')
  await trace.saw('publish')
  await Promise.all([cache.close(), writer.close()])
})
