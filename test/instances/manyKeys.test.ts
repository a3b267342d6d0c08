import { afterAll, expect, test } from 'vitest'
import { watchCommands } from '../redis/monitor.ts'
import { startRedis } from '../redis/server.ts'
import { commandsOf, firstOf, type Instance, useCrew } from './crew.ts'

// A server of its own: other tests could flush the scripts, which then cost a command more.
const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const crew = useCrew(4)
const client = server.client()
const { url } = server

const KEYS = Array.from({ length: 50 }, (_, i) => `k${i}`)
const CACHE = { commandTimeout: 10_000, leaseTtl: 60_000 }

/** How often the loader of each key ran, over all processes. */
async function runsOf(instances: readonly Instance[]): Promise<number[]> {
  const all = await Promise.all(
    instances.map(({ process }) => Promise.all(KEYS.map((key) => process.call('runs', key)))),
  )
  return KEYS.map((_, i) => all.reduce((sum, runs) => sum + (runs[i]?.count ?? 0), 0))
}

const ONCE = KEYS.map(() => 1)

test('4 processes that ask for the same 50 cold keys compute each once, and have the same values', async () => {
  const instances = await crew.open({ url, cache: CACHE })
  await using watch = await watchCommands(url)
  const [first, ...others] = await Promise.all(instances.map(({ process }) => process.call('askMany', KEYS)))
  expect(first).toHaveLength(KEYS.length)
  for (const answers of others) expect(answers).toEqual(first)
  expect(await runsOf(instances)).toEqual(ONCE)
  await Promise.all(
    instances.map(async ({ process }, i) => {
      const led = (first ?? []).filter((value) => String(value).startsWith(`${instances[i]?.name} `)).length
      await expect.poll(async () => (await process.call('stats')).events.publish).toBe(led)
    }),
  )
  const sent = await commandsOf(await watch.stop(), client, instances)
  // A look, claims, ends, and another look by who finds what was just stored; a script that was not known is sent twice.
  for (const { name } of instances) expect(sent[name]?.length).toBeLessThanOrEqual(6)
})

test('who comes while another computes all of them sends two commands: one that reads, and one that claims', async () => {
  const [a, ...others] = await crew.open({ url, cache: CACHE })
  // Each knows the scripts from then on.
  for (const { name, process } of [a, ...others]) await process.call('askMany', [`of ${name}`])
  const led = a.process.call('askMany', KEYS, { held: true })
  await Promise.all(KEYS.map((key) => a.saw('load', { key })))
  await using watch = await watchCommands(url)
  const following = others.map(({ process }) => process.call('askMany', KEYS))
  await Promise.all(others.flatMap((other) => KEYS.map((key) => other.saw('follow', { key }))))
  await Promise.all(KEYS.map((key) => a.finish(key)))
  expect(await led).toEqual(KEYS.map(() => 'A 1'))
  for (const values of await Promise.all(following)) expect(values).toEqual(KEYS.map(() => 'A 1'))
  const sent = await commandsOf(await watch.stop(), client, others)
  const two = ['mget', 'evalsha']
  expect(sent).toEqual({ B: two, C: two, D: two })
})

test('those who are stored cost one command for all of them', async () => {
  const [a, b] = await crew.open({ url, cache: CACHE, size: 2 })
  const values = await a.process.call('askMany', KEYS)
  await expect.poll(async () => (await a.process.call('stats')).events.publish).toBe(KEYS.length)
  await using watch = await watchCommands(url)
  expect(await b.process.call('askMany', KEYS)).toEqual(values)
  expect(await commandsOf(await watch.stop(), client, [b])).toEqual({ B: ['mget'] })
})

test('those of a process that is killed are computed by another one, in one more call', async () => {
  const [a, ...others] = await crew.open({ url, cache: { commandTimeout: 10_000, leaseTtl: 1000 } })
  const led = a.process.call('askMany', KEYS, { held: true })
  led.catch(() => undefined)
  await Promise.all(KEYS.map((key) => a.saw('load', { key })))
  const following = others.map(({ process }) => process.call('askMany', KEYS))
  await Promise.all(others.flatMap((other) => KEYS.map((key) => other.saw('follow', { key }))))
  await a.kill()
  await firstOf(others, 'takeover')
  const [first, ...rest] = await Promise.all(following)
  for (const answers of rest) expect(answers).toEqual(first)
  expect(await runsOf(others)).toEqual(ONCE)
})

test('4 processes that warm the same 50 keys at once compute each once', async () => {
  const instances = await crew.open({ url, cache: CACHE })
  const warmed = await Promise.all(instances.map(({ process }) => process.call('warm', KEYS)))
  expect(await runsOf(instances)).toEqual(ONCE)
  expect(warmed.flatMap(({ failed }) => failed)).toEqual([])
  expect(warmed.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(KEYS.length)
  for (const { loaded, present } of warmed) expect(loaded + present).toBe(KEYS.length)
  const again = await Promise.all(instances.map(({ process }) => process.call('warm', KEYS)))
  expect(again).toEqual(instances.map(() => ({ loaded: 0, present: KEYS.length, failed: [] })))
})
