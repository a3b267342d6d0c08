import { afterAll, expect, test } from 'vitest'
import { watchCommands } from '../redis/monitor.ts'
import { startRedis } from '../redis/server.ts'
import { commandsOf, firstOf, type Instance, useCrew } from './crew.ts'
import type { AskOptions } from './worker.ts'

// A server of its own: other tests could flush the scripts, which then cost a command more.
const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const crew = useCrew(4)
const client = server.client()

/** ms. All flights but those that a test lets run out last for as long as a test may. */
const LONG = 60_000
const SHORT = 500
/** ms that a takeover may come late: far more than a timer does on a busy machine, and less than a second lease. */
const MARGIN = 2000
const STALE: AskOptions = { ttl: 1, staleWhileRevalidate: LONG }

/** `by` stores `old`, which is stale for all when this resolves: their clocks differ by some ms. */
async function storeStale(
  by: Instance,
  key: string,
  options: AskOptions,
  all: readonly Instance[] = [by],
): Promise<void> {
  expect((await by.ask(key, 1, { value: 'old' }, options)).values).toEqual(['old'])
  await by.saw('publish', { key })
  for (const { process } of all) {
    await expect.poll(async () => (await process.call('entry', key))?.ttl).toBeLessThan(0)
  }
}

async function runsOf(instances: readonly Instance[], key: string): Promise<number[]> {
  const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
  return runs.map(({ count }) => count)
}

function repeated(command: string, count: number): string[] {
  return Array.from({ length: count }, () => command)
}

test('of a stale key one process runs the loader, and the others neither run nor ask again until it is done', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: LONG } })
  // Each knows the scripts from then on.
  for (const instance of instances) await storeStale(instance, `of ${instance.name}`, STALE)
  await storeStale(instances[0], 'k', STALE, instances)
  await using watch = await watchCommands(server.url)
  const askAll = (callers: number) =>
    Promise.all(instances.map((instance) => instance.ask('k', callers, { held: true }, STALE)))
  const first = await askAll(100)
  const leader = await firstOf(
    instances.map((instance, i) =>
      i === 0 ? { ...instance, saw: (type, about) => instance.saw(type, { ...about, count: 2 }) } : instance,
    ),
    'load',
    { key: 'k' },
  )
  const others = instances.filter(({ name }) => name !== leader.name)
  await Promise.all(others.map((other) => other.saw('follow', { key: 'k' })))
  const rounds = 10
  const answers = [...first]
  for (let round = 0; round < rounds; round++) answers.push(...(await askAll(50)))
  for (const { values, errors } of answers) expect({ values, errors }).toEqual({ values: ['old'], errors: [] })

  await leader.finish('k')
  await leader.saw('publish', { key: 'k', count: leader.name === 'A' ? 2 : 1 })
  await Promise.all(others.map((other) => other.saw('followed', { key: 'k' })))
  const sent = await commandsOf(await watch.stop(), client, instances)
  for (const { name } of instances) {
    const scripts = name === leader.name ? 2 : 1
    expect([name, [...(sent[name] as string[])].sort()]).toEqual([
      name,
      [...repeated('evalsha', scripts), ...repeated('get', rounds + 1)],
    ])
  }
  const runs = await runsOf(instances, 'k')
  expect(runs.reduce((sum, count) => sum + count)).toBe(2)
})

test('a hit that is stale costs one command, as one that is fresh', async () => {
  const [a, ...others] = await crew.open({ url: server.url, cache: { leaseTtl: LONG } })
  await storeStale(a, 'k', STALE, [a, ...others])
  expect((await a.ask('k', 10, { held: true }, STALE)).values).toEqual(['old'])
  await a.saw('load', { key: 'k', count: 2 })
  await Promise.all(others.map((other) => other.ask('k', 1, {}, STALE)))
  await Promise.all(others.map((other) => other.saw('follow')))
  await using watch = await watchCommands(server.url)
  for (const other of others) expect((await other.ask('k', 1000, {}, STALE)).values).toEqual(['old'])
  const sent = await commandsOf(await watch.stop(), client, others)
  expect(sent).toEqual({ B: ['get'], C: ['get'], D: ['get'] })
  await a.finish('k')
})

test('a refresher that is killed is replaced by one other within a lease, and callers are answered at once all the while', async () => {
  const [a, ...others] = await crew.open({ url: server.url })
  const short = { ...STALE, leaseTtl: SHORT }
  await storeStale(a, 'k', { ...STALE, leaseTtl: LONG }, [a, ...others])
  expect((await a.ask('k', 5, { held: true }, short)).values).toEqual(['old'])
  const { token } = await a.saw('lead', { key: 'k', count: 2 })
  const askAll = () =>
    Promise.all(others.map((other) => other.ask('k', 20, { held: true }, { ...STALE, leaseTtl: LONG })))
  const answers = await askAll()
  await Promise.all(others.map((other) => other.saw('follow')))

  const killedAt = performance.now()
  await a.kill()
  let taken: Instance | undefined
  const takeover = firstOf(others, 'takeover').then((next) => {
    taken = next
    return performance.now() - killedAt
  })
  while (taken === undefined) answers.push(...(await askAll()))
  expect(await takeover).toBeLessThan(SHORT + MARGIN)
  answers.push(...(await askAll()))
  // The loader is held: who waited for it would still wait.
  for (const { values, errors } of answers) expect({ values, errors }).toEqual({ values: ['old'], errors: [] })

  const next = taken
  expect((await next.saw('takeover')).from).toBe(token)
  const rest = others.filter((other) => other !== next)
  await Promise.all(rest.map((other) => other.saw('follow', { count: 2 })))
  await next.finish('k')
  await next.saw('publish')
  await Promise.all(rest.map((other) => other.saw('followed')))
  expect(await runsOf(others, 'k')).toEqual(others.map((other) => (other === next ? 1 : 0)))
  expect(await next.process.call('entry', 'k')).toMatchObject({ value: `${next.name} 1` })
})

test('where the origin is down all processes answer what is stale, and each tries at most once in its rest', async () => {
  const instances = await crew.open({ url: server.url, cache: { leaseTtl: LONG } })
  const options = { ttl: 1, staleIfError: LONG }
  await storeStale(instances[0], 'k', options, instances)
  const startedAt = performance.now()
  const answers = []
  for (let round = 0; round < 5; round++) {
    const down = { throws: { message: 'down' } }
    answers.push(...(await Promise.all(instances.map((instance) => instance.ask('k', 50, down, options)))))
  }
  const took = performance.now() - startedAt
  for (const { values, errors } of answers) expect({ values, errors }).toEqual({ values: ['old'], errors: [] })
  // A rest is at least 750 ms; the first run of A was that which stored `old`.
  const most = 1 + Math.floor(took / 750)
  const [first = 0, ...others] = await runsOf(instances, 'k')
  for (const count of [first - 1, ...others]) expect(count).toBeLessThanOrEqual(most)
  expect(first - 1 + others.reduce((sum, count) => sum + count)).toBeGreaterThan(0)
})
