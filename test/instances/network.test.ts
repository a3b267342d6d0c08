import { test as base, expect, inject } from 'vitest'
import { startProxy, type TcpProxy } from '../redis/proxy.ts'
import { type Instance, useCrew } from './crew.ts'

const crew = useCrew(3)
const url = inject('redisUrl')

/** ms. */
const COMMAND_TIMEOUT = 300
/** ms that a caller may wait beyond the command budget: for the machine, not for the cache. */
const MARGIN = 1500
const CACHE = { leaseTtl: 60_000, commandTimeout: COMMAND_TIMEOUT, breaker: { failures: 3, retryAfter: 200 } }

/** `A` reaches the server through the proxy, `B` and `C` directly. */
const test = base.extend<{ proxy: TcpProxy }>({
  proxy: async ({ task: _ }, use) => {
    await using proxy = await startProxy(url)
    await use(proxy)
  },
})

function openBehind(proxy: TcpProxy, commandTimeout = COMMAND_TIMEOUT): Promise<Instance[]> {
  return crew.open({ url: [proxy.url, url, url], cache: { ...CACHE, commandTimeout } })
}

async function expectInTime(instance: Instance, key: string): Promise<void> {
  const { values, errors, askedAt, lastAt } = await instance.ask(key, 50)
  expect({ values, errors }).toEqual({ values: [`${instance.name} 1`], errors: [] })
  expect(lastAt - askedAt).toBeLessThan(COMMAND_TIMEOUT + MARGIN)
  expect(await instance.process.call('runs', key)).toEqual({ count: 1, most: 1 })
}

test('behind a black hole requests are answered in time, invalidations reject and can be repeated after', async ({
  proxy,
}) => {
  const [a, b, c] = (await openBehind(proxy)) as [Instance, Instance, Instance]
  await b.process.call('set', 'k', 'old')
  proxy.blackhole(true)
  for (let i = 0; i < 4; i++) await expectInTime(a, `lost ${i}`)
  expect((await a.process.call('stats')).breaker).toBe('open')
  // The breaker is open, and an invalidation is tried all the same.
  const error = await a.process.call('invalidate', 'k').catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ message: expect.stringMatching(/invalidate was not confirmed by the store \(k\)/) })
  await expect(a.process.call('set', 'k', 'lost')).rejects.toThrow('set was not confirmed by the store (k)')
  const faults = (await a.events('storeFault')).map(({ op, error }) => [op, (error as { code?: string }).code])
  expect(faults).toContainEqual(['read', 'TIMEOUT'])
  expect(faults).toContainEqual(['invalidate', 'TIMEOUT'])

  // The others go on, and see what is stored.
  expect((await b.ask('k')).values).toEqual(['old'])
  proxy.blackhole(false)
  await a.recovered()
  await a.process.call('invalidate', 'k')
  for (const instance of [a, b, c]) expect(await instance.process.call('get', 'k')).toBeUndefined()
  const values = (await Promise.all([a, b, c].map((instance) => instance.ask('k', 20)))).flatMap(
    (asked) => asked.values,
  )
  expect(new Set(values).size).toBe(1)
})

test('a leader lost in a black hole answers its own callers, and another takes over', async ({ proxy }) => {
  const [a, b, c] = (await openBehind(proxy)) as [Instance, Instance, Instance]
  const led = a.ask('k', 5, { held: true }, { leaseTtl: 600 })
  await a.saw('load')
  const following = [b, c].map((follower) => follower.ask('k', 5))
  await Promise.all([b, c].map((follower) => follower.saw('follow')))
  proxy.blackhole(true)
  const answers = await Promise.all(following)
  expect(new Set(answers.flatMap(({ values }) => values)).size).toBe(1)
  const takeovers = await Promise.all([b, c].map((follower) => follower.events('takeover')))
  expect(takeovers.flat()).toHaveLength(1)

  await a.finish('k')
  expect(await led).toMatchObject({ values: ['A 1'], errors: [] })
  proxy.blackhole(false)
  await a.recovered()
  expect([await a.process.call('get', 'k')]).toEqual(answers[0]?.values)
})

test('a server slower than the command budget delays nobody by more than that', async ({ proxy }) => {
  const [a, b] = (await openBehind(proxy)) as [Instance, Instance]
  proxy.delay(COMMAND_TIMEOUT) // each way
  for (let i = 0; i < 4; i++) await expectInTime(a, `slow ${i}`)
  expect(await a.trace('slow 0')).toEqual(['storeFault read TIMEOUT', 'alone store', 'load', 'loaded'])
  expect((await a.process.call('stats')).breaker).toBe('open')
  // What it computed is in nobody's way.
  expect((await b.ask('slow 0')).values).toEqual(['B 1'])
  proxy.delay(0)
  await a.recovered()
  expect((await a.ask('slow 0')).values).toEqual(['B 1'])
})

test('a slow read leaves less time for the claim: together they delay the loader by one budget', async ({ proxy }) => {
  const [a] = (await openBehind(proxy, 900)) as [Instance]
  proxy.delay(300) // each way: the read takes two thirds of the budget, and so would the claim
  const { values, askedAt, lastAt } = await a.ask('k', 50)
  expect(values).toEqual(['A 1'])
  expect(lastAt - askedAt).toBeLessThan(900 + MARGIN)
  expect(await a.trace('k')).toEqual(['miss', 'storeFault claim TIMEOUT', 'alone store', 'load', 'loaded'])
})

test('a server within the command budget is slow, and coordinates all the same', async ({ proxy }) => {
  const instances = await openBehind(proxy, 10_000)
  proxy.delay(20)
  const asked = await Promise.all(instances.map((instance) => instance.ask('k', 50)))
  expect(new Set(asked.flatMap(({ values }) => values)).size).toBe(1)
  const runs = await Promise.all(instances.map(async ({ process }) => (await process.call('runs', 'k')).count))
  expect(runs.toSorted()).toEqual([0, 0, 1])
})

test('connections that are cut again and again break no request', async ({ proxy }) => {
  const [a, b] = (await openBehind(proxy)) as [Instance, Instance]
  for (let i = 0; i < 10; i++) {
    const asked = a.ask(`k${i}`, 20)
    proxy.cut()
    expect((await asked).errors).toEqual([])
    expect((await a.process.call('runs', `k${i}`)).most).toBe(1)
  }
  await a.recovered()
  expect((await a.ask('after')).values).toEqual(['A 1'])
  await a.saw('publish', { key: 'after' })
  expect(await b.process.call('get', 'after')).toBe('A 1')
})
