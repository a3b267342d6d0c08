import { afterAll, expect, test } from 'vitest'
import { watchCommands } from '../redis/monitor.ts'
import { startRedis } from '../redis/server.ts'
import { commandsOf, type Instance, useCrew } from './crew.ts'

// A server of its own: other tests could flush the scripts, which then cost a command more.
const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const crew = useCrew(4)
const client = server.client()

/** Asks for a key in all processes at once, and returns what they sent; `A` leads, all others wait before it ends. */
async function commandsFor(
  instances: Instance[],
  key: string,
  callers: number,
  tags: readonly string[] = [],
): Promise<Record<string, string[]>> {
  const [leader, ...followers] = instances as [Instance, ...Instance[]]
  await using watch = await watchCommands(server.url)
  const led = leader.ask(key, callers, { held: true }, { tags })
  await leader.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, callers, {}, { tags }))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  await leader.finish(key)
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
  await leader.saw('publish', { key })
  return commandsOf(await watch.stop(), client, instances)
}

/** Two commands for each process, and one for the end. */
const COLD = {
  A: ['get', 'evalsha', 'evalsha'],
  B: ['get', 'evalsha'],
  C: ['get', 'evalsha'],
  D: ['get', 'evalsha'],
}

test('a cold key costs two commands per process and two more, for 10 callers as for 1,000', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  await commandsFor(instances, 'warm-up', 1)

  const ten = await commandsFor(instances, 'ten', 10)
  const thousand = await commandsFor(instances, 'thousand', 1000)
  expect(Object.values(thousand).flat().length).toBeLessThanOrEqual(2 * 4 + 2)
  expect(ten).toEqual(COLD)
  expect(thousand).toEqual(COLD)
})

test('tags, however many, cost the leader one command more, and nobody else any', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  await commandsFor(instances, 'warm-up', 1, ['tag'])
  const tags = Array.from({ length: 100 }, (_, i) => `tag ${i}`)
  for (const some of [['tag'], tags]) {
    const sent = await commandsFor(instances, `with ${some.length}`, 10, some)
    expect(sent).toEqual({ ...COLD, A: ['get', 'evalsha', 'evalsha', 'evalsha'] })
  }
})

test('a hit costs one command per process, for 10 callers as for 1,000', async () => {
  const instances = await crew.open({ url: server.url })
  await instances[0].process.call('set', 'k', 'stored')
  for (const callers of [10, 1000]) {
    await using watch = await watchCommands(server.url)
    const asked = await Promise.all(instances.map((instance) => instance.ask('k', callers)))
    for (const { values } of asked) expect(values).toEqual(['stored'])
    const sent = await commandsOf(await watch.stop(), client, instances)
    expect(sent).toEqual({ A: ['get'], B: ['get'], C: ['get'], D: ['get'] })
  }
})

test('callers that come while their instance leads or waits send nothing', async () => {
  const [a, b] = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 }, size: 2 })
  const led = a.ask('k', 1, { held: true })
  await a.saw('load')
  const followed = b.ask('k')
  await b.saw('follow')

  await using watch = await watchCommands(server.url)
  const joined = [...Array(10)].flatMap(() => [a.ask('k', 100), b.ask('k', 100)])
  // Calls are served in order: once these have answered, all callers wait.
  await Promise.all([a.process.call('stats'), b.process.call('stats')])
  expect(await commandsOf(await watch.stop(), client, [a, b])).toEqual({ A: [], B: [] })
  await a.finish('k')
  for (const { values } of await Promise.all([led, followed, ...joined])) expect(values).toEqual(['A 1'])
})

test('an error costs no more than a value', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: 60_000 } })
  await commandsFor(instances, 'warm-up', 1)
  const [a, ...followers] = instances
  await using watch = await watchCommands(server.url)
  const led = a.ask('k', 100, { held: true, throws: { message: 'no' } })
  await a.saw('load', { key: 'k' })
  const following = followers.map((follower) => follower.ask('k', 100))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key: 'k' })))
  await a.finish('k')
  for (const { errors } of await Promise.all([led, ...following])) expect(errors).toMatchObject([{ message: 'no' }])
  expect(await commandsOf(await watch.stop(), client, instances)).toEqual(COLD)
})
