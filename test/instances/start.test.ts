import { afterAll, expect, test } from 'vitest'
import { startRedis } from '../redis/server.ts'
import { useCrew } from './crew.ts'

const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const crew = useCrew(4)

/** ms. */
const COMMAND_TIMEOUT = 300
const MARGIN = 1500
const CACHE = { leaseTtl: 60_000, commandTimeout: COMMAND_TIMEOUT, breaker: { failures: 3, retryAfter: 200 } }

test('without a server requests are answered in time from the start, and it is found when it appears', async () => {
  await server.kill()
  const instances = await crew.open({ url: server.url, cache: CACHE, ready: false })
  const ready = Promise.all(instances.map(({ process }) => process.call('ready')))
  for (let i = 0; i < 4; i++) {
    const asked = await Promise.all(instances.map((instance) => instance.ask(`k${i}`, 50)))
    for (const [at, { values, errors, askedAt, lastAt }] of asked.entries()) {
      expect({ values, errors }).toEqual({ values: [`${instances[at]?.name} 1`], errors: [] })
      expect(lastAt - askedAt).toBeLessThan(COMMAND_TIMEOUT + MARGIN)
    }
  }
  for (const { process } of instances) {
    expect((await process.call('stats')).breaker).toBe('open')
    await expect(process.call('invalidate', 'k0')).rejects.toThrow('not confirmed')
  }

  await server.restart()
  await ready
  await Promise.all(instances.map((instance) => instance.recovered()))
  const asked = await Promise.all(instances.map((instance) => instance.ask('after', 50)))
  expect(new Set(asked.flatMap(({ values }) => values)).size).toBe(1)
  const runs = await Promise.all(instances.map(async ({ process }) => (await process.call('runs', 'after')).count))
  expect(runs.toSorted()).toEqual([0, 0, 0, 1])
  await Promise.all(instances.map(({ process }) => process.call('invalidate', 'after')))
})

test('the first request of a process waits for its connection, and coordinates', async () => {
  const cache = { ...CACHE, commandTimeout: 10_000 }
  const instances = await crew.open({ url: server.url, cache, ready: false })
  const asked = await Promise.all(instances.map((instance) => instance.ask('k', 50)))
  expect(new Set(asked.flatMap(({ values }) => values)).size).toBe(1)
  const runs = await Promise.all(instances.map(async ({ process }) => (await process.call('runs', 'k')).count))
  expect(runs.toSorted()).toEqual([0, 0, 0, 1])
})

test('without a listener an outage is a process warning, once for each kind', async () => {
  await server.restart()
  const [a] = await crew.open({ url: server.url, cache: CACHE, size: 1, unheard: true })
  await server.kill()
  for (let i = 0; i < 10; i++) expect((await a.ask(`k${i}`)).errors).toEqual([])
  const warnings = () => a.process.stderr.match(/\[ATOMCACHE_\w+\] AtomcacheWarning/g)?.toSorted()
  await expect
    .poll(warnings)
    .toEqual(['[ATOMCACHE_BREAKER] AtomcacheWarning', '[ATOMCACHE_STORE_FAULT] AtomcacheWarning'])
})
