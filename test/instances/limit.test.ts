import { expect, inject, test } from 'vitest'
import { inScript, watchCommands } from '../redis/monitor.ts'
import { type Instance, useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')

/** ms. Far more than any test takes. */
const LONG = { leaseTtl: 60_000 }
/** ms that what follows from a lease that ran out may come late on a busy machine. */
const MARGIN = 2000

function limitOf(leaders: number) {
  return { limit: { group: 'origin', leaders } }
}

/** Those of the instances that run a loader of the key now, which is held. */
const running = async (instances: readonly Instance[], keys: readonly string[]) => {
  const all = instances.flatMap((instance) => keys.map((key) => instance.process.call('runs', key)))
  return (await Promise.all(all)).reduce((sum, { count }) => sum + count, 0)
}

test('of 40 cold keys in 4 processes as many are computed at once as the limit says, in the order they came', async () => {
  const instances = await crew.open({ url, cache: { ...LONG, ...limitOf(3) } })
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  const asking: Promise<{ values: unknown[]; errors: unknown[] }>[] = []
  for (const [i, key] of keys.entries()) {
    const instance = instances[i % 4] as Instance
    asking.push(instance.ask(key, 5, { held: true }))
    await (i < 3 ? instance.saw('load', { key }) : instance.saw('queue', { key }))
  }
  for (const [i, key] of keys.entries()) {
    // The first three, and one more for each that has ended.
    expect(await running(instances, keys)).toBe(Math.min(i + 3, keys.length))
    await instances[i % 4]?.finish(key)
    const next = i + 3
    if (next < keys.length) await instances[next % 4]?.saw('load', { key: keys[next] as string })
  }
  for (const [i, { values, errors }] of (await Promise.all(asking)).entries()) {
    expect({ values, errors }).toEqual({ values: [`${instances[i % 4]?.name} 1`], errors: [] })
  }
  expect(await running(instances, keys)).toBe(40)
})

test('a process that is killed gives its places back within a lease, those that it has and those that it waits for', async ({
  annotate,
}) => {
  const [a, b, c] = await crew.open({ url, cache: limitOf(1) })
  const leaseTtl = 800
  void a.ask('held', 1, { held: true }, { leaseTtl }).catch(() => undefined)
  await a.saw('load', { key: 'held' })
  void a.ask('waits', 1, { held: true }, { leaseTtl }).catch(() => undefined)
  await a.saw('queue', { key: 'waits' })
  const second = b.ask('second', 1, { held: true }, LONG)
  expect((await b.saw('queue', { key: 'second' })).ahead).toBe(1)
  const third = c.ask('third', 1, { held: true }, LONG)
  expect((await c.saw('queue', { key: 'third' })).ahead).toBe(2)
  const killedAt = performance.now()
  await a.kill()
  await b.saw('load', { key: 'second' })
  const took = performance.now() - killedAt
  await annotate(`had the place ${took.toFixed(0)} ms after the kill, with a lease of ${leaseTtl} ms`)
  expect(took).toBeLessThan(leaseTtl + MARGIN)
  expect((await c.process.call('runs', 'third')).count).toBe(0)
  await b.finish('second')
  await c.saw('load', { key: 'third' })
  await c.finish('third')
  expect((await Promise.all([second, third])).map(({ values }) => values)).toEqual([['B 1'], ['C 1']])
})

test('a process that stands still longer than its lease loses its place, and goes on behind the others', async () => {
  const [a, b] = await crew.open({ url, cache: limitOf(1) })
  const first = a.ask('first', 1, { held: true }, { leaseTtl: 500 })
  await a.saw('load', { key: 'first' })
  a.process.pause()
  const second = b.ask('second', 1, { held: true }, LONG)
  await b.saw('load', { key: 'second' })
  a.process.resume()
  await a.finish('first')
  await b.finish('second')
  expect((await Promise.all([first, second])).map(({ values }) => values)).toEqual([['A 1'], ['B 1']])
})

test('a place costs two commands, one for which it must wait three', async () => {
  const [a, b] = await crew.open({ url, cache: { ...LONG, ...limitOf(1) } })
  await using watch = await watchCommands(url)
  const first = a.ask('first', 1, { held: true })
  await a.saw('load', { key: 'first' })
  const second = b.ask('second', 1, { held: true })
  await b.saw('queue', { key: 'second' })
  await a.finish('first')
  await b.saw('load', { key: 'second' })
  await b.finish('second')
  await Promise.all([first, second])
  const sent = async () =>
    watch.records.filter((record) => !inScript(record) && record.args.some((arg) => arg.includes(':group:'))).length
  await expect.poll(sent).toBe(5)
  await watch.stop()
  expect(await sent()).toBe(5)
})
