import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sharedCluster } from '../redis/sharedCluster.ts'
import { slotOf } from '../redis/slots.ts'
import { trafficOf } from './clusterTraffic.ts'
import { type Instance, useCrew } from './crew.ts'

const startupNodes = await sharedCluster()
const cluster = { startupNodes }
const traffic = trafficOf(startupNodes)
const nodes = startupNodes.map((node) => new Redis(node))
afterAll(async () => {
  for (const node of nodes) node.disconnect()
  await traffic[Symbol.asyncDispose]()
})
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster }))
const CACHE = { leaseTtl: 60_000, commandTimeout: 10_000 }

async function stored(instances: readonly Instance[], keys: string[]): Promise<unknown[]> {
  const all = await Promise.all(instances.map(({ process }) => process.call('getMany', keys)))
  for (const values of all) expect(values).toEqual(all[0])
  return all[0] as unknown[]
}

/** Keys of the namespace on each node; a replica has its master's, some time later. */
async function keysOf({ namespace }: Instance): Promise<string[][]> {
  return Promise.all(nodes.map((node) => node.keys(`${namespace}:*`)))
}

test('an invalidation by tag reaches the entries in all slots, and no others', async () => {
  const instances = await crew.open({ cluster, cache: CACHE })
  const [a, b, c, d] = instances
  const keys = await traffic.keysOnEach('tagged', 40)
  const others = await traffic.keysOnEach('other', 5)
  expect(new Set(keys.map(slotOf)).size).toBe(120)
  await a.process.call('askEach', keys, { value: 'old' }, ['t', 'u'])
  await b.process.call('askEach', others, { value: 'kept' }, ['u'])
  await Promise.all([a.saw('publish', { count: 120 }), b.saw('publish', { count: 15 })])
  expect(await stored(instances, keys)).toEqual(keys.map(() => 'old'))

  await d.process.call('invalidateTags', 't')
  expect(await stored(instances, keys)).toEqual(keys.map(() => undefined))
  expect(await stored(instances, others)).toEqual(others.map(() => 'kept'))
  for (const other of [a, b, c]) await other.saw('invalidate')
  expect(await c.process.call('askEach', keys, { value: 'new' }, ['t'])).toEqual(keys.map(() => 'new'))
})

test('what is known of a tag is in the slot of the tag, whatever the slots of its keys', async () => {
  const [a] = await crew.open({ cluster, cache: CACHE, size: 1 })
  const [tag] = (await traffic.keyOnEach('slot')) as [string]
  const keys = await traffic.keysOnEach('listed', 2)
  await a.process.call('askEach', keys, {}, [tag])
  await a.saw('publish', { count: 6 })
  const index = `${a.namespace}:tag:{${tag}}:entries`
  expect(slotOf(index)).toBe(slotOf(tag))
  const found = (await keysOf(a)).map((names) => names.includes(index))
  const [holder] = nodes.filter((_, i) => found[i])
  expect((await holder?.call('ZRANGE', index, 0, -1)) as string[]).toEqual(expect.arrayContaining(keys))

  await a.process.call('invalidateTags', tag)
  expect(await holder?.exists(index)).toBe(0)
  const state = `${a.namespace}:tag:{${tag}}:state`
  expect(slotOf(state)).toBe(slotOf(tag))
  expect(await holder?.call('HKEYS', state)).toEqual(['epoch'])
})

test('a value whose tag is known only at its end is not stored when that tag was invalidated meanwhile', async () => {
  const instances = await crew.open({ cluster, cache: CACHE })
  const [a, b, c] = instances
  for (const [i, key] of (await traffic.keyOnEach('late')).entries()) {
    const led = a.ask(key, 5, { held: true, value: 'old' }, { lateTags: ['late'] })
    await a.saw('load', { key })
    const followed = b.ask(key, 5, { value: 'new' }, { lateTags: ['late'] })
    await b.saw('follow', { key })
    await c.process.call('invalidateTags', 'late')
    await a.saw('invalidate', { count: i + 1 })
    await a.finish(key)
    // They asked before; who waited elsewhere is told to claim again.
    expect((await led).values).toEqual(['old'])
    expect((await followed).values).toEqual(['new'])
    await b.saw('publish', { key })
    expect(await a.trace(key)).toEqual(['miss', 'lead', 'load', 'loaded', 'release invalidated'])
    expect(await b.trace(key)).toEqual(['miss', 'follow', 'followed again', 'lead', 'load', 'loaded', 'publish'])
    expect(await stored(instances, [key])).toEqual(['new'])
  }
})

test('a tagged value that is set takes the flights of its key in any slot, and its tag removes it', async () => {
  const instances = await crew.open({ cluster, cache: CACHE })
  const [a, b, c, d] = instances
  const keys = await traffic.keyOnEach('set')
  for (const key of keys) {
    const led = a.ask(key, 5, { held: true, value: 'computed' })
    await a.saw('load', { key })
    const followed = b.ask(key, 5, { value: 'computed' })
    await b.saw('follow', { key })
    expect(await c.process.call('set', key, 'set', 60_000, ['s1', 's2'])).toBe(true)
    expect((await followed).values).toEqual(['set'])
    await a.finish(key)
    expect((await led).values).toEqual(['computed'])
    await a.saw('fenced', { key })
  }
  expect(await stored(instances, keys)).toEqual(keys.map(() => 'set'))
  await d.process.call('invalidateTags', 's2')
  expect(await stored(instances, keys)).toEqual(keys.map(() => undefined))
})

test('keys and tags may have braces, be empty, or of any letters', async () => {
  const instances = await crew.open({ cluster, cache: CACHE })
  const [a, b, c] = instances
  const odd = ['', '{}', '}', '{', '}{', '{}{a}', 'a{b}c', '{a}', '%', '%7B', 'ключ', '😀{é}', 'with space', '*?[x]']
  for (const { values } of await Promise.all(
    odd.map((key) => a.ask(key, 2, { value: `of ${key}` }, { tags: [key] })),
  )) {
    expect(values).toHaveLength(1)
  }
  await a.saw('publish', { count: odd.length })
  expect(await stored(instances, odd)).toEqual(odd.map((key) => `of ${key}`))
  for (const [i, tag] of odd.entries()) {
    await (i % 2 === 0 ? b : c).process.call('invalidateTags', tag)
    expect(await stored(instances, odd)).toEqual(odd.map((key, j) => (j <= i ? undefined : `of ${key}`)))
  }
  for (const key of odd) expect(await b.process.call('set', key, 'again', 60_000, odd)).toBe(true)
  await c.process.call('invalidate', ...odd)
  expect(await stored(instances, odd)).toEqual(odd.map(() => undefined))
})

test('clear removes what is on all masters, and fences those who compute', async () => {
  const instances = await crew.open({ cluster, cache: CACHE })
  const [a, b] = instances
  const keys = await traffic.keysOnEach('cleared', 30)
  const flights = await traffic.keyOnEach('flight')
  await a.process.call('askEach', keys, { value: 'old' }, ['t'])
  await a.saw('publish', { count: keys.length })
  const led = flights.map((key) => a.ask(key, 1, { held: true, value: 'old' }))
  for (const key of flights) await a.saw('load', { key })

  await b.process.call('clear')
  expect(await stored(instances, keys)).toEqual(keys.map(() => undefined))
  await a.saw('clear')
  for (const key of flights) await a.finish(key)
  for (const { values } of await Promise.all(led)) expect(values).toEqual(['old'])
  for (const key of flights) await a.saw('fenced', { key })
  expect(await stored(instances, flights)).toEqual(flights.map(() => undefined))
  // Nothing is left but what keeps old flights out.
  const left = () => keysOf(a).then((found) => [...new Set(found.flat())].sort())
  await expect.poll(left).toEqual([`${a.namespace}:clock`, `${a.namespace}:tag:{t}:state`])
})
