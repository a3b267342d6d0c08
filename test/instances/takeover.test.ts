import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { watchCommands } from '../redis/monitor.ts'
import { firstOf, type Instance, useCrew } from './crew.ts'
import type { AskOptions } from './worker.ts'

const crew = useCrew(4)
const url = inject('redisUrl')
const directory = mkdtempSync(join(tmpdir(), 'atomcache-takeover-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** ms. The flights that a test lets run out have this lease; all others last for as long as a test may. */
const SHORT = 500
const LONG = { leaseTtl: 60_000 }
/** ms that a takeover may come late: far more than a timer does on a busy machine, and less than a second lease. */
const MARGIN = 2000

/** `A` leads `k` with a short lease, all others wait for it; once they lead they hold until told. */
async function leadAndFollow(
  instances: readonly Instance[],
  options: { leader?: AskOptions; follower?: AskOptions; blocksUntil?: string } = {},
) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const { leader = { leaseTtl: SHORT }, follower = LONG, blocksUntil } = options
  const led = a.ask('k', 5, blocksUntil === undefined ? { held: true } : { blocksUntil }, leader)
  const { token } = await a.saw('lead')
  const following = followers.map((instance) => instance.ask('k', 5, { held: true }, follower))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  return { a, followers, led, following, token }
}

/** Exactly one follower takes over from the token; the others wait for it, and get what it computes. */
async function expectOneTakeover(
  followers: readonly Instance[],
  following: readonly Promise<{ values: unknown[] }>[],
  token: string,
) {
  const next = await firstOf(followers, 'load')
  const others = followers.filter((follower) => follower !== next)
  const takeover = await next.saw('takeover')
  expect(takeover.from).toBe(token)
  await Promise.all(others.map((other) => other.saw('follow', { count: 2 })))
  await next.finish('k')
  for (const { values } of await Promise.all(following)) expect(values).toEqual([`${next.name} 1`])
  await next.saw('publish')
  expect(await next.trace('k')).toEqual(['miss', 'follow', 'takeover', 'lead', 'load', 'loaded', 'publish'])
  for (const other of others) expect(await other.trace('k')).toEqual(['miss', 'follow', 'follow', 'followed value'])
  expect((await others[0]?.events('follow'))?.map((event) => event.token)).toEqual([token, takeover.token])
  return next
}

test('when the leader is killed exactly one follower takes over, within a lease and a margin', async ({ annotate }) => {
  const { a, followers, led, following, token } = await leadAndFollow(await crew.open({ url }))
  const killedAt = performance.now()
  await a.kill()
  await expect(led).rejects.toThrow('SIGKILL')
  await firstOf(followers, 'takeover')
  const took = performance.now() - killedAt
  await annotate(`took over ${took.toFixed(0)} ms after the kill, with a lease of ${SHORT} ms`)
  expect(took).toBeLessThan(SHORT + MARGIN)
  await expectOneTakeover(followers, following, token)
})

test('a loader that takes longer than its lease keeps it, and nobody takes over', async () => {
  const instances = await crew.open({ url })
  const leaseTtl = 1500
  await using watch = await watchCommands(url)
  const { a, followers, led, following, token } = await leadAndFollow(instances, { leader: { leaseTtl } })
  const startedAt = performance.now()
  const renewals = () => watch.records.filter(({ args }) => args.includes(token) && args.includes(`${leaseTtl}`)).length
  // Its claim, and renewals: the lease would be over by the third.
  await expect.poll(renewals, { timeout: 10_000 }).toBeGreaterThanOrEqual(5)
  expect(performance.now() - startedAt).toBeGreaterThan(leaseTtl)
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
  await a.saw('publish')
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'loaded', 'publish'])
  // They asked again when the lease was over that they had been told of, and went on waiting for the same flight.
  for (const follower of followers) expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed value'])
})

test('a leader paused beyond its lease cannot publish over the one that took over', async () => {
  const { a, followers, led, following, token } = await leadAndFollow(await crew.open({ url }))
  a.process.pause()
  const next = await expectOneTakeover(followers, following, token)
  a.process.resume()
  await a.saw('fenced')
  await a.finish('k')
  // Its own callers get its value, late; whoever asks it from now on gets the store's.
  expect((await led).values).toEqual(['A 1'])
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'fenced', 'loaded'])
  for (const instance of [a, ...followers]) {
    expect((await instance.ask('k')).values).toEqual([`${next.name} 1`])
    expect(await instance.process.call('get', 'k')).toBe(`${next.name} 1`)
  }
})

test('a leader whose loader blocks the event loop beyond its lease is fenced when it ends', async () => {
  const blocksUntil = join(directory, 'go-on')
  const { a, followers, led, following, token } = await leadAndFollow(await crew.open({ url }), { blocksUntil })
  const next = await expectOneTakeover(followers, following, token)
  writeFileSync(blocksUntil, '')
  expect((await led).values).toEqual(['A 1'])
  await a.saw('fenced')
  // By its end, not by a renewal: the loader returned before any timer could fire.
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'loaded', 'fenced'])
  for (const instance of [a, ...followers]) expect(await instance.process.call('get', 'k')).toBe(`${next.name} 1`)
})

test('a leader fenced while its successor still runs leaves the flight to it', async () => {
  const { a, followers, led, following } = await leadAndFollow(await crew.open({ url }))
  a.process.pause()
  const next = await firstOf(followers, 'load')
  a.process.resume()
  await a.saw('fenced')
  // Asks anew here, while the old loader still runs: a follower of the new leader.
  const asked = a.ask('k', 5, {}, LONG)
  await a.saw('follow')
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
  await next.finish('k')
  for (const { values } of await Promise.all([asked, ...following])) expect(values).toEqual([`${next.name} 1`])
  expect(await a.process.call('runs', 'k')).toEqual({ count: 1, most: 1 })
  expect(await a.process.call('get', 'k')).toBe(`${next.name} 1`)
})

test('a loader that hangs is not renewed beyond maxFlightTime: exactly one follower takes over', async () => {
  const leader = { leaseTtl: 1000, maxFlightTime: 1500, waitTimeout: 60_000 }
  const { a, followers, led, following, token } = await leadAndFollow(await crew.open({ url }), { leader })
  const next = await expectOneTakeover(followers, following, token)
  await a.saw('overdue')
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
  await a.saw('fenced')
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'overdue', 'loaded', 'fenced'])
  for (const instance of [a, ...followers]) expect(await instance.process.call('get', 'k')).toBe(`${next.name} 1`)
})

test('of those that wait for a hung leader with the default limits exactly one takes over', async () => {
  const instances = await crew.open({ url })
  const limits = { leaseTtl: 500, maxFlightTime: 1000 }
  const { a, followers, led, following, token } = await leadAndFollow(instances, { leader: limits, follower: limits })
  await expectOneTakeover(followers, following, token)
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
})
