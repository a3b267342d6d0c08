import { afterAll, expect, inject, test } from 'vitest'
import { startRedis } from '../redis/server.ts'
import { useCrew } from './crew.ts'

const crew = useCrew(3)
const url = inject('redisUrl')
const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const LONG = { leaseTtl: 60_000 }
const BY_ITSELF = /exited with 0$/

test('a leader that closes hands over at once, answers its own callers, and its process ends by itself', async () => {
  const [a, b, c] = await crew.open({ url, cache: LONG })
  const led = a.ask('k', 5, { held: true })
  await a.saw('load')
  const following = [b, c].map((follower) => follower.ask('k', 5, { value: 'next' }))
  await Promise.all([b, c].map((follower) => follower.saw('follow')))
  await a.process.call('close')
  // Its loader still runs, and its lease would last a minute.
  for (const { values } of await Promise.all(following)) expect(values).toEqual(['next'])
  const runs = await Promise.all([b, c].map(({ process }) => process.call('runs', 'k')))
  expect(runs.map(({ count }) => count).toSorted()).toEqual([0, 1])
  for (const follower of [b, c]) {
    expect((await follower.trace('k')).slice(0, 3)).toEqual(['miss', 'follow', 'followed again'])
    expect(await follower.events('takeover')).toEqual([])
  }
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'release closed', 'loaded'])
  expect(await b.process.call('get', 'k')).toBe('next')
  await a.process.call('leave')
  expect(await a.ends()).toMatch(BY_ITSELF)
})

test('a follower that closes runs its own loader for its callers, and its process ends by itself', async () => {
  const [a, b] = await crew.open({ url, cache: LONG, size: 2 })
  const led = a.ask('k', 1, { held: true })
  await a.saw('load')
  const followed = b.ask('k', 5)
  await b.saw('follow')
  await b.process.call('close')
  expect((await followed).values).toEqual(['B 1'])
  expect(await b.trace('k')).toEqual(['miss', 'follow', 'alone closed', 'load', 'loaded'])
  expect(await b.process.call('runs', 'k')).toEqual({ count: 1, most: 1 })
  await b.process.call('leave')
  expect(await b.ends()).toMatch(BY_ITSELF)

  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
  await a.saw('publish')
})

test('after close loaders run, reads find nothing, and writes and invalidations reject', async () => {
  const [a, b] = await crew.open({ url, size: 2 })
  await b.process.call('set', 'k', 'stored')
  await a.process.call('close')
  expect((await a.ask('k', 5)).values).toEqual(['A 1'])
  expect(await a.process.call('get', 'k')).toBeUndefined()
  await expect(a.process.call('set', 'k', 'late')).rejects.toThrow('not confirmed')
  await expect(a.process.call('invalidate', 'k')).rejects.toThrow('not confirmed')
  expect(await b.process.call('get', 'k')).toBe('stored')
  // Twice is once.
  await a.process.call('close')
  await a.process.call('leave')
  expect(await a.ends()).toMatch(BY_ITSELF)
})

test.each([
  ['killed', () => server.kill()],
  ['paused', async () => server.pause()],
])('close with the server %s ends in bounded time, while it leads and while it follows', async (_, fail) => {
  await server.restart()
  const [a, b, c] = await crew.open({ url: server.url, cache: LONG })
  const led = a.ask('k', 5, { held: true })
  await a.saw('load')
  const followed = b.ask('k', 5)
  await b.saw('follow')
  await fail()
  try {
    const closing = [a, b, c].map(({ process }) => process.call('close'))
    // The command budget and a second are promised; the rest is for a busy machine.
    for (const took of await Promise.all(closing)) expect(took).toBeLessThan(250 + 1000 + 1000)
    expect((await followed).values).toEqual(['B 1'])
    await a.finish('k')
    expect((await led).values).toEqual(['A 1'])
    const closedAt = performance.now()
    for (const instance of [a, b, c]) await instance.process.call('leave')
    for (const instance of [a, b, c]) expect(await instance.ends()).toMatch(BY_ITSELF)
    expect(performance.now() - closedAt).toBeLessThan(1000)
  } finally {
    server.resume()
  }
})

test('close before the first connection ends in bounded time', async () => {
  await server.kill()
  const [a] = await crew.open({ url: server.url, size: 1, ready: false })
  const ready = expect(a.process.call('ready')).rejects.toThrow('closed')
  expect(await a.process.call('close')).toBeLessThan(2250)
  await ready
  await a.process.call('leave')
  expect(await a.ends()).toMatch(BY_ITSELF)
})
