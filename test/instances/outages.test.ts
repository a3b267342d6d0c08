import { afterAll, beforeEach, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { firstOf, type Instance, useCrew } from './crew.ts'

const server = await startSleeper()
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => server.restart())
const crew = useCrew(4)

/** ms. */
const COMMAND_TIMEOUT = 300
/** ms that a loader may be late beyond the command budget: it is for the machine, not for the cache. */
const MARGIN = 1500
const CACHE = { leaseTtl: 60_000, commandTimeout: COMMAND_TIMEOUT, breaker: { failures: 3, retryAfter: 200 } }

/** A server that knows DEBUG SLEEP; since Redis 7 the command has to be allowed. */
async function startSleeper(): Promise<RedisServer> {
  return startRedis({ config: ['enable-debug-command local'] }).catch(() => startRedis())
}

/** Every caller is answered in time by its own process, whose loader runs once at a time. */
async function expectAloneAndInTime(instances: readonly Instance[], key: string): Promise<void> {
  const asked = await Promise.all(instances.map((instance) => instance.ask(key, 50)))
  for (const [i, { values, errors, askedAt, lastAt }] of asked.entries()) {
    const { name, process } = instances[i] as Instance
    expect({ values, errors }).toEqual({ values: [`${name} 1`], errors: [] })
    expect(lastAt - askedAt).toBeLessThan(COMMAND_TIMEOUT + MARGIN)
    expect(await process.call('runs', key)).toEqual({ count: 1, most: 1 })
  }
}

function recovered(instances: readonly Instance[]): Promise<unknown> {
  return Promise.all(instances.map((instance) => instance.recovered()))
}

/** One run for all. */
async function expectCoordination(instances: readonly Instance[], key: string): Promise<void> {
  const asked = await Promise.all(instances.map((instance) => instance.ask(key, 50)))
  expect(new Set(asked.flatMap(({ values }) => values)).size).toBe(1)
  expect(asked.flatMap(({ errors }) => errors)).toEqual([])
  const runs = await Promise.all(instances.map(async ({ process }) => (await process.call('runs', key)).count))
  expect(runs.toSorted()).toEqual([0, 0, 0, 1])
}

async function leadAndFollow(instances: readonly Instance[], leaseTtl: number) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask('k', 5, { held: true }, { leaseTtl })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 5, { held: true }))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  return { a, followers, led, following }
}

/** Asks until the breaker of each has opened and closed again, in this order. */
async function expectBreakerToHaveOpenedAndClosed(instances: readonly Instance[]): Promise<void> {
  for (const instance of instances) {
    const states = (await instance.events('breaker')).map((event) => event.state)
    expect(states[0]).toBe('open')
    expect(states.at(-1)).toBe('closed')
    expect(states.filter((state) => state === 'closed')).toHaveLength(1)
  }
}

test('redis is killed in the middle of everything and comes back empty', async () => {
  const instances = await crew.open({ url: server.url, cache: CACHE })
  const { a, followers, led, following } = await leadAndFollow(instances, 1000)
  await server.kill()
  await Promise.all(instances.map((instance) => instance.saw('inbox', { count: 2 })))
  await a.finish('k')
  expect(await led).toMatchObject({ values: ['A 1'], errors: [] })
  // Followers wait for the lease, find nobody to ask, and run their own.
  await Promise.all(followers.map((follower) => follower.saw('alone', { key: 'k' })))
  for (const follower of followers) await follower.finish('k')
  for (const [i, { values, errors }] of (await Promise.all(following)).entries()) {
    expect({ values, errors }).toEqual({ values: [`${followers[i]?.name} 1`], errors: [] })
    expect(await followers[i]?.process.call('runs', 'k')).toEqual({ count: 1, most: 1 })
  }
  for (let i = 0; i < 5; i++) await expectAloneAndInTime(instances, `down ${i}`)
  for (const { process } of instances) expect((await process.call('stats')).breaker).not.toBe('closed')

  await server.restart()
  await recovered(instances)
  await expectCoordination(instances, 'after')
  await expectBreakerToHaveOpenedAndClosed(instances)
})

test('redis restarts empty during a flight: its leader is fenced, and all are answered', async () => {
  const instances = await crew.open({ url: server.url, cache: { ...CACHE, breaker: { failures: 100 } } })
  const { a, followers, led, following } = await leadAndFollow(instances, 60_000)
  await server.restart()
  // Whose inbox is back before its command connection can't ask whether somebody leads: it runs its own.
  await Promise.all(
    followers.map(async (follower) => {
      await Promise.race([follower.saw('follow', { count: 2 }), follower.saw('load')])
    }),
  )
  await a.saw('inbox', { count: 3 })
  await recovered(instances)
  await a.finish('k')
  expect(await led).toMatchObject({ values: ['A 1'], errors: [] })
  await a.saw('fenced')
  for (const follower of followers) await follower.finish('k')
  for (const { errors } of await Promise.all(following)) expect(errors).toEqual([])
  const leads = await Promise.all(followers.map((follower) => follower.events('lead')))
  expect(leads.flat().length).toBeLessThanOrEqual(1)
  for (const { process } of instances) expect((await process.call('runs', 'k')).most).toBeLessThanOrEqual(1)
  await expectCoordination(instances, 'after')
})

test('the data is lost during a flight: its leader is fenced, and one of those who wait leads', async () => {
  const instances = await crew.open({ url: server.url, cache: CACHE })
  const { a, followers, led, following } = await leadAndFollow(instances, 60_000)
  const client = server.client()
  await client.flushall()
  // As when it restarts, but with the command connections there first.
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const next = await firstOf(followers, 'load')
  const others = followers.filter((follower) => follower !== next)
  await Promise.all(others.map((other) => other.saw('follow', { count: 2 })))
  await a.finish('k')
  expect(await led).toMatchObject({ values: ['A 1'], errors: [] })
  await a.saw('fenced')
  await next.finish('k')
  for (const { values } of await Promise.all(following)) expect(values).toEqual([`${next.name} 1`])
  expect(await next.trace('k')).toEqual(['miss', 'follow', 'lead', 'load', 'loaded', 'publish'])
  // By the message, or by a poll if their inbox was not back yet.
  for (const other of others) expect((await other.trace('k')).slice(0, 3)).toEqual(['miss', 'follow', 'follow'])
  for (const { process } of instances) expect(await process.call('get', 'k')).toBe(`${next.name} 1`)
})

test('redis stands still: every request is answered in time, and afterwards all is as before', async () => {
  const instances = await crew.open({ url: server.url, cache: CACHE })
  server.pause()
  try {
    // The first requests wait for their budget, until the breaker opens.
    for (let i = 0; i < 3; i++) await expectAloneAndInTime(instances, `paused ${i}`)
    for (const { process } of instances) expect((await process.call('stats')).breaker).toBe('open')
    const invalidating = instances.map(({ process }) => process.call('invalidate', 'paused 0'))
    for (const result of await Promise.allSettled(invalidating)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: /not confirmed by the store/ } })
    }
  } finally {
    server.resume()
  }
  await recovered(instances)
  await Promise.all(instances.map(({ process }) => process.call('invalidate', 'paused 0')))
  await expectCoordination(instances, 'after')
  await expectBreakerToHaveOpenedAndClosed(instances)
})

test('a claim that the server runs too late is given back, and nobody waits for its lease', async () => {
  const [a, b] = await crew.open({ url: server.url, cache: { ...CACHE, breaker: { failures: 100 } }, size: 2 })
  server.pause()
  try {
    // A forced refresh reads nothing: what the server gets is a claim.
    const asked = await a.ask('k', 5, {}, { forceRefresh: true })
    expect(asked).toMatchObject({ values: ['A 1'], errors: [] })
    expect(await a.trace('k')).toEqual(['storeFault claim TIMEOUT', 'alone store', 'load', 'loaded'])
  } finally {
    server.resume()
  }
  await recovered([a, b])
  // The lease would be a minute.
  expect((await b.ask('k')).values).toEqual(['B 1'])
  await b.saw('publish', { key: 'k' }) // its reply comes behind the answer
  expect((await b.trace('k')).slice(-3)).toEqual(['load', 'loaded', 'publish'])
  expect(await b.process.call('get', 'k')).toBe('B 1')
})

test('DEBUG SLEEP in the middle of a flight delays its end, and nothing else', async () => {
  const instances = await crew.open({ url: server.url, cache: CACHE })
  const { a, led, following } = await leadAndFollow(instances, 60_000)
  const client = server.client()
  await client.ping()
  // Written to a connection that is ready: the server has it before anything that is sent from now on.
  const slept = client.call('DEBUG', 'SLEEP', '1.2')
  await expectAloneAndInTime(instances, 'asleep')
  await a.finish('k')
  // Answered at once; its end has to wait for the server, longer than the budget.
  expect(await led).toMatchObject({ values: ['A 1'], errors: [] })
  await slept
  for (const { values } of await Promise.all(following)) expect(values).toEqual(['A 1'])
  await recovered(instances)
  await expectCoordination(instances, 'after')
})

test('SCRIPT FLUSH in the middle of a flight is not noticed', async () => {
  const instances = await crew.open({ url: server.url, cache: { ...CACHE, commandTimeout: 10_000 } })
  const { a, followers, led, following } = await leadAndFollow(instances, 60_000)
  const client = server.client()
  await client.script('FLUSH')
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
  for (const follower of followers) expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed value'])
  for (let i = 0; i < 10; i++) {
    await Promise.all([client.script('FLUSH'), expectCoordination(instances, `flush ${i}`)])
  }
  expect(await a.events('storeFault')).toEqual([])
})
