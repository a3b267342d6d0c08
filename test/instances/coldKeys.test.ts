import { expect, inject, test } from 'vitest'
import { firstOf, useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')

test('1,000 callers of a cold key in 4 processes get one answer of one run', async () => {
  const instances = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const asking = instances.map((instance) => instance.ask('k', 250, { held: true }))
  // Whoever leads, the three others wait for it before it may end.
  const leader = await firstOf(instances, 'load')
  const followers = instances.filter((instance) => instance !== leader)
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  await leader.finish('k')

  for (const { values, errors } of await Promise.all(asking)) {
    expect({ values, errors }).toEqual({ values: [`${leader.name} 1`], errors: [] })
  }
  await leader.saw('publish')
  expect(await leader.trace('k')).toEqual(['miss', 'lead', 'load', 'loaded', 'publish'])
  for (const follower of followers) expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed value'])
  for (const { process } of instances) expect((await process.call('stats')).events.join).toBe(249)
})

test('however the race for 200 cold keys in 4 processes goes, there are 200 runs', async () => {
  const instances = await crew.open({ url, cache: { commandTimeout: 10_000, leaseTtl: 60_000 } })
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`)
  const [first, ...others] = await Promise.all(instances.map(({ process }) => process.call('askEach', keys)))

  for (const answers of others) expect(answers).toEqual(first)
  const counts = await Promise.all(
    keys.map(async (key) => {
      const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
      return runs.reduce((sum, { count }) => sum + count, 0)
    }),
  )
  expect(counts).toEqual(keys.map(() => 1))
  const totals = await Promise.all(instances.map(({ process }) => process.call('stats')))
  const total = (type: 'lead' | 'takeover' | 'alone') => totals.reduce((sum, { events }) => sum + events[type], 0)
  expect([total('lead'), total('takeover'), total('alone')]).toEqual([200, 0, 0])
})

test('what one process computed is a hit in every other', async () => {
  const [a, ...others] = await crew.open({ url })
  expect((await a.ask('k')).values).toEqual(['A 1'])
  await a.saw('publish')
  for (const other of others) {
    expect((await other.ask('k', 100)).values).toEqual(['A 1'])
    expect(await other.trace('k')).toEqual(['hit'])
  }
})

test('followers are woken by the message of the end, within milliseconds', async ({ annotate }) => {
  const [a, ...followers] = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const latencies: number[] = []
  for (let round = 0; round < 20; round++) {
    const key = `k${round}`
    const led = a.ask(key, 1, { held: true })
    await a.saw('load', { key })
    const following = followers.map((follower) => follower.ask(key, 100))
    await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
    await a.finish(key)
    expect((await led).values).toEqual(['A 1'])
    const ended = await a.until((event) => event.type === 'loaded' && event.key === key, 'its end')
    for (const { values, lastAt } of await Promise.all(following)) {
      expect(values).toEqual(['A 1'])
      latencies.push(lastAt - ended.at)
    }
    // By the message, and not by a timer or a poll: the lease is a minute.
    for (const follower of followers) expect(await follower.trace(key)).toEqual(['miss', 'follow', 'followed value'])
  }
  latencies.sort((one, other) => one - other)
  const at = (part: number) => latencies[Math.floor((latencies.length - 1) * part)] as number
  await annotate(`median ${at(0.5).toFixed(2)} ms, p95 ${at(0.95).toFixed(2)} ms, longest ${at(1).toFixed(2)} ms`)
  expect(at(0.5)).toBeLessThan(250)
})

test('a value too large for messages to all is read by each follower, once', async () => {
  const [a, ...followers] = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const value = 'x'.repeat(600_000)
  const led = a.ask('k', 10, { held: true, value })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 10))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual([value])
  for (const follower of followers) expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed ready'])
})

test('forced refreshes in all processes at once are one run, which replaces what is stored', async () => {
  const instances = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const [a, ...followers] = instances
  await followers[0]?.process.call('set', 'k', 'old')
  const led = a.ask('k', 10, { held: true }, { forceRefresh: true })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 10, {}, { forceRefresh: true }))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  // Nobody else has to wait for it.
  for (const instance of instances) expect((await instance.ask('k', 10)).values).toEqual(['old'])
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
  await a.saw('publish')
  for (const { process } of instances) expect(await process.call('get', 'k')).toBe('A 1')
})
