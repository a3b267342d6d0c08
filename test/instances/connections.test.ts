import type { Redis } from 'ioredis'
import { afterAll, expect, test } from 'vitest'
import { startRedis } from '../redis/server.ts'
import { connectionsOf, type Instance, useCrew, within } from './crew.ts'

// A server of its own: connections are killed, and new ones refused.
const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const crew = useCrew(4)
const client = server.client()

/** `A` leads `k` and all others wait for it. */
async function leadAndFollow(instances: readonly Instance[], leaseTtl: number) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask('k', 5, { held: true }, { leaseTtl })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 5))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  return { a, followers, led, following }
}

async function kill(instance: Instance, which: 'commands' | 'inbox'): Promise<void> {
  const connection = (await connectionsOf(client, instance))[which]
  await client.client('KILL', 'ID', String(connection?.id))
}

/** Lets no new connection in until the result is called. */
async function refuseConnections(redis: Redis): Promise<() => Promise<void>> {
  const [, before] = (await redis.config('GET', 'maxclients')) as [string, string]
  await redis.config('SET', 'maxclients', '1')
  return async () => {
    await redis.config('SET', 'maxclients', before)
  }
}

async function runsIn(instances: readonly Instance[], key = 'k'): Promise<number[]> {
  return Promise.all(instances.map(async ({ process }) => (await process.call('runs', key)).count))
}

test('followers whose inbox is cut while they wait ask again, and nobody runs the loader twice', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  const { a, followers, led, following } = await leadAndFollow(instances, 60_000)
  await Promise.all(followers.map((follower) => kill(follower, 'inbox')))
  await Promise.all(followers.map((follower) => follower.saw('inbox', { count: 2 })))
  // The message of this end can't reach those whose inbox is not back yet.
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
  await Promise.all(followers.map((follower) => follower.saw('inbox', { count: 3 })))
  for (const follower of followers) {
    expect((await follower.events('inbox')).map((event) => event.confirmed)).toEqual([true, false, true])
    expect((await follower.trace('k')).slice(0, 2)).toEqual(['miss', 'follow'])
  }
  expect(await runsIn(instances)).toEqual([1, 0, 0, 0])
})

test('who waits while no message can come polls, and has the value soon after it is stored', async () => {
  const [a, b] = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 }, size: 2 })
  const letIn = await refuseConnections(client)
  try {
    await kill(b, 'inbox')
    await b.saw('inbox', { count: 2 })
    const { led, following } = await leadAndFollow([a, b], 60_000)
    await a.finish('k')
    for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
    // By a poll, with the inbox still down: no message was followed.
    expect(await b.trace('k')).toEqual(['miss', 'follow'])
    expect((await b.process.call('stats')).inbox).toBe(false)
    expect(await runsIn([a, b])).toEqual([1, 0])
  } finally {
    await letIn()
  }
})

test('who waited before the inbox broke polls as well', async () => {
  const [a, b] = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 }, size: 2 })
  const { led, following } = await leadAndFollow([a, b], 60_000)
  const letIn = await refuseConnections(client)
  try {
    await kill(b, 'inbox')
    await b.saw('inbox', { count: 2 })
    await a.finish('k')
    const answers = within(5000, Promise.all([led, ...following]), 'a poll, with a lease of a minute')
    for (const { values } of await answers) expect(values).toEqual(['A 1'])
    expect((await b.process.call('stats')).inbox).toBe(false)
  } finally {
    await letIn()
  }
})

test('a leader whose command connection is cut publishes on the next one', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  const { a, followers, led, following } = await leadAndFollow(instances, 60_000)
  const before = (await connectionsOf(client, a)).commands
  await kill(a, 'commands')
  await expect.poll(async () => (await connectionsOf(client, a)).commands?.id ?? before?.id).not.toBe(before?.id)
  await a.recovered()
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
  for (const follower of followers) expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed value'])
  await a.saw('publish')
  expect(await runsIn(instances)).toEqual([1, 0, 0, 0])
})

test('when the end of a flight is lost with its connection exactly one follower takes over after the lease', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  const { a, followers, led, following } = await leadAndFollow(instances, 1000)
  const letIn = await refuseConnections(client)
  try {
    await kill(a, 'commands')
    await a.finish('k')
    expect((await led).values).toEqual(['A 1'])
    await a.saw('storeFault', { key: 'k' })
  } finally {
    await letIn()
  }
  const answers = await Promise.all(following)
  const runs = await runsIn(followers)
  expect(runs.toSorted()).toEqual([0, 0, 1])
  const next = followers[runs.indexOf(1)] as Instance
  for (const { values } of answers) expect(values).toEqual([`${next.name} 1`])
  expect(await next.trace('k')).toEqual(['miss', 'follow', 'takeover', 'lead', 'load', 'loaded', 'publish'])
})

test('all connections of all processes are cut at once: they come back, and coordinate as before', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  const { a, led, following } = await leadAndFollow(instances, 60_000)
  await Promise.all(instances.flatMap((instance) => [kill(instance, 'commands'), kill(instance, 'inbox')]))
  await Promise.all(instances.map((instance) => instance.saw('inbox', { count: 3 })))
  await Promise.all(instances.map((instance) => instance.recovered()))
  await a.finish('k')
  const answers = await Promise.all([led, ...following])
  // A follower whose command connection was still down when it asked again ran its own.
  for (const { errors } of answers) expect(errors).toEqual([])

  await Promise.all(instances.map(({ process }) => process.call('invalidate', 'k')))
  const asking = instances.map((instance) => instance.ask('again', 20))
  const values = (await Promise.all(asking)).flatMap((asked) => asked.values)
  expect(new Set(values).size).toBe(1)
  expect((await runsIn(instances, 'again')).toSorted()).toEqual([0, 0, 0, 1])
})
