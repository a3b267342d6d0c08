import { setTimeout as delay } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { createCache } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { watchCommands } from '../redis/monitor.ts'
import { firstOf, type Instance, useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')

/** Reads the key over and over. */
function watchKey(namespace: string, key: string) {
  const cache = createCache({ namespace, store: redisStore(url) })
  const stop = new AbortController()
  let missed = 0
  const values = new Set<unknown>()
  const reading = (async () => {
    while (!stop.signal.aborted) {
      const value = await cache.get(key)
      if (value === undefined) missed++
      else values.add(value)
      await delay(5)
    }
  })()
  return {
    values,
    /** How often it was not there, or not fresh. */
    async stop() {
      stop.abort()
      await reading
      await cache.close()
      return missed
    },
  }
}

async function runsOf(instances: readonly Instance[], key: string) {
  return Promise.all(instances.map(({ process }) => process.call('runs', key)))
}

test('a key that 4 processes keep fresh never ends for a reader, though the one that refreshes it is killed', async () => {
  const instances = await crew.open({ url })
  // Refreshed in the middle of its ttl, which leaves twice the lease.
  const options = { ttl: 6000, leaseTtl: 1500 }
  await instances[0].process.call('set', 'k', 'first', options.ttl)
  const reader = watchKey(instances[0].namespace, 'k')
  for (const { process } of instances) await process.call('keepFresh', 'k', { held: true }, options)
  const leader = await firstOf(instances, 'load', { key: 'k' })
  const { token } = await leader.saw('lead')
  const others = instances.filter((instance) => instance !== leader)
  await leader.kill()
  const next = await firstOf(others, 'takeover')
  expect((await next.saw('takeover')).from).toBe(token)
  await next.saw('load')
  await next.finish('k')
  await expect.poll(() => [...reader.values]).toEqual(['first', `${next.name} 1`])
  expect(await reader.stop()).toBe(0)
  const runs = await runsOf(others, 'k')
  expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(1)
})

test('the loader of a key that 4 processes keep fresh runs once for each renewal', async () => {
  const instances = await crew.open({ url })
  const [ttl, leaseTtl, renewals] = [2000, 300, 4]
  await instances[0].process.call('set', 'k', 'first', ttl)
  const reader = watchKey(instances[0].namespace, 'k')
  const startedAt = performance.now()
  for (const { process } of instances) await process.call('keepFresh', 'k', {}, { ttl, leaseTtl })
  await expect.poll(() => reader.values.size, { timeout: 15_000 }).toBeGreaterThan(renewals)
  const took = performance.now() - startedAt
  expect(await reader.stop()).toBe(0)
  const runs = await runsOf(instances, 'k')
  const total = runs.reduce((sum, { count }) => sum + count, 0)
  // Each is due when twice the lease is left.
  expect(total).toBeLessThanOrEqual(1 + Math.floor(took / (ttl - 2 * leaseTtl)))
  expect(total).toBeGreaterThanOrEqual(renewals)
})

test('a loader slower than the ttl of what 4 processes keep fresh runs one at a time', async () => {
  const instances = await crew.open({ url })
  const options = { ttl: 20, leaseTtl: 300, maxFlightTime: 60_000 }
  await using watch = await watchCommands(url)
  for (const { process } of instances) await process.call('keepFresh', 'k', { held: true }, options)
  for (let round = 1; round <= 3; round++) {
    const run = await nextRun(instances, round)
    const { token } = await run.saw('lead', { count: await leadsOf(run) })
    // Renewed each 100 ms: many a ttl has passed.
    const renewals = () => watch.records.filter(({ args }) => args.includes(token) && args.includes('300')).length
    await expect.poll(renewals, { timeout: 10_000 }).toBeGreaterThanOrEqual(4)
    const runs = await runsOf(instances, 'k')
    expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(round)
    await run.finish('k')
  }
  for (const { most } of await runsOf(instances, 'k')) expect(most).toBeLessThanOrEqual(1)
})

/** Who runs the loader for the `nth` time over all processes, once it does. */
async function nextRun(instances: readonly Instance[], nth: number): Promise<Instance> {
  const loads = () => Promise.all(instances.map((instance) => loadsOf(instance)))
  await expect.poll(async () => (await loads()).reduce((sum, count) => sum + count, 0), { timeout: 10_000 }).toBe(nth)
  const states = await Promise.all(
    instances.map(async (instance) => ({ instance, runs: await loadsOf(instance), ended: await endedOf(instance) })),
  )
  const running = states.filter(({ runs, ended }) => runs > ended)
  expect(running).toHaveLength(1)
  return (running[0] as { instance: Instance }).instance
}

async function loadsOf(instance: Instance): Promise<number> {
  return (await instance.trace('k')).filter((line) => line === 'load').length
}

async function endedOf(instance: Instance): Promise<number> {
  return (await instance.trace('k')).filter((line) => line === 'loaded').length
}

async function leadsOf(instance: Instance): Promise<number> {
  return (await instance.trace('k')).filter((line) => line === 'lead').length
}
