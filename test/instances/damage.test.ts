import { Redis } from 'ioredis'
import { afterAll, expect, inject, test } from 'vitest'
import { type Instance, useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')
const raw = new Redis(url)
afterAll(() => raw.disconnect())

const CACHE = { leaseTtl: 60_000, commandTimeout: 10_000 }

/** All ask at once; one run. */
async function expectOneRun(instances: readonly Instance[], key: string): Promise<string> {
  const asked = await Promise.all(instances.map((instance) => instance.ask(key, 50)))
  expect(asked.flatMap(({ errors }) => errors)).toEqual([])
  const values = new Set(asked.flatMap((answer) => answer.values))
  expect(values.size).toBe(1)
  const runs = await Promise.all(instances.map(async ({ process }) => (await process.call('runs', key)).count))
  expect(runs.toSorted()).toEqual([0, 0, 0, 1])
  return [...values][0] as string
}

/** Each runs its own, once at a time. */
async function expectOneRunEach(instances: readonly Instance[], key: string): Promise<void> {
  const asked = await Promise.all(instances.map((instance) => instance.ask(key, 50)))
  for (const [i, { values, errors }] of asked.entries()) {
    const { name, process } = instances[i] as Instance
    expect({ values, errors }).toEqual({ values: [`${name} 1`], errors: [] })
    expect(await process.call('runs', key)).toEqual({ count: 1, most: 1 })
  }
}

/** Bytes as `cache.set` stores them, to damage. */
async function stored(instance: Instance, key: string): Promise<Buffer> {
  await instance.process.call('set', key, { price: 42 })
  return (await raw.getBuffer(`${instance.namespace}:{${key}}`)) as Buffer
}

test.each<[string, (entry: Buffer) => Buffer | string]>([
  ['a foreign text', () => 'hello from another program'],
  ['a short foreign text', () => 'x'],
  ['no bytes at all', () => ''],
  ['an entry cut off in its header', (entry) => entry.subarray(0, 30)],
  ['an entry cut off in its payload', (entry) => entry.subarray(0, entry.length - 3)],
  ['only the mark of an entry', (entry) => entry.subarray(0, 20)],
  ['an entry of an unknown codec', (entry) => Buffer.from(entry.toString('latin1').replace('json', 'yaml'), 'latin1')],
  ['an entry of a later format', (entry) => Buffer.concat([Buffer.from('atc9'), entry.subarray(4)])],
  ['an entry with lengths beyond its end', (entry) => Buffer.from(entry).fill(0xff, 20, 21)],
])('%s is a miss and an event; one run replaces it', async (_, damage) => {
  const instances = await crew.open({ url, cache: CACHE })
  const [a] = instances
  const entry = `${a.namespace}:{k}`
  await raw.set(entry, damage(await stored(a, 'k')))
  const value = await expectOneRun(instances, 'k')
  const found = await Promise.all(instances.map((instance) => instance.events('foreign')))
  expect(found.flat().length).toBeGreaterThan(0)
  expect(found.flat()[0]).toMatchObject({ key: 'k', reason: expect.any(String) })
  const leader = instances.find(({ name }) => value === `${name} 1`)
  await leader?.saw('publish')
  for (const { process } of instances) expect(await process.call('get', 'k')).toBe(value)
})

test.each<[string, (key: string) => Promise<unknown>]>([
  ['a list', (key) => raw.rpush(key, 'mine')],
  ['a hash', (key) => raw.hset(key, 'leader', 'mine')],
])('%s in the place of an entry is left alone: every process runs its own loader once', async (_, place) => {
  const instances = await crew.open({ url, cache: CACHE })
  const [a] = instances
  const entry = `${a.namespace}:{k}`
  await place(entry)
  const before = await raw.dumpBuffer(entry)
  await expectOneRunEach(instances, 'k')
  for (const instance of instances) {
    expect(await instance.trace('k')).toEqual(['storeFault read WRONG_TYPE', 'alone store', 'load', 'loaded'])
    // The server answers: that is no reason to leave it alone.
    expect((await instance.process.call('stats')).breaker).toBe('closed')
  }
  expect(await a.process.call('get', 'k')).toBeUndefined()
  await expect(a.process.call('set', 'k', 'mine now')).rejects.toThrow('not confirmed')
  await a.process.call('invalidate', 'k')
  expect(await raw.dumpBuffer(entry)).toEqual(before)
  await raw.del(entry)
  await expectOneRun(instances, 'other')
})

test('a flight key of another type is left alone: every process runs its own loader once', async () => {
  const instances = await crew.open({ url, cache: CACHE })
  const [a] = instances
  const flight = `${a.namespace}:{k}:flight`
  await raw.set(flight, 'mine')
  await expectOneRunEach(instances, 'k')
  for (const instance of instances) {
    const trace = ['miss', 'storeFault claim WRONG_TYPE', 'alone store', 'load', 'loaded']
    expect(await instance.trace('k')).toEqual(trace)
  }
  await a.process.call('invalidate', 'k')
  expect(await raw.get(flight)).toBe('mine')
  await raw.del(flight)
})

test('a flight without a leader, and one without an end, stop nobody for longer than a lease', async () => {
  const instances = await crew.open({ url, cache: { ...CACHE, leaseTtl: 500 } })
  const [a] = instances
  await raw.hset(`${a.namespace}:{headless}:flight`, 'w:nobody', '')
  await expectOneRun(instances, 'headless')
  await raw.hset(`${a.namespace}:{endless}:flight`, 'leader', 'nobodys-token-00')
  await expectOneRun(instances, 'endless')
  const takeovers = await Promise.all(instances.map((instance) => instance.events('takeover')))
  expect(takeovers.flat()).toMatchObject([{ key: 'endless', from: 'nobodys-token-00' }])
})

test('garbage on the channels is an event, and the messages behind it arrive', async () => {
  const [a, b] = await crew.open({ url, cache: CACHE })
  const led = a.ask('k', 1, { held: true })
  const { token } = await a.saw('lead')
  const followed = b.ask('k')
  await b.saw('follow')
  const [field] = (await raw.hkeys(`${b.namespace}:{k}:flight`)).filter((name) => name.startsWith('w:'))
  const inbox = `${b.namespace}:inbox:${field?.slice(2)}`
  const garbage = ['', 'V', 'Vshort', `V${token}`, `V${token}999:k`, `X${token}1:k`]
  for (const message of garbage) await raw.publish(inbox, message)
  for (const message of ['', '{', '[]', '{"from":1,"ids":[]}', '{"from":"x","ids":[1]}', 'null']) {
    await raw.publish(`${b.namespace}:bus`, message)
  }
  await b.saw('storeFault', { count: 12 })
  // Of somebody else's flight, though well-formed.
  await raw.publish(inbox, `A${'x'.repeat(16)}1:k`)
  expect((await b.trace('k')).at(-1)).toBe('follow')
  await a.finish('k')
  for (const { values } of await Promise.all([led, followed])) expect(values).toEqual(['A 1'])
  expect(await b.trace('k')).toEqual(['miss', 'follow', 'followed value'])
})

test.each([
  ['value', 'V', 'not an entry'],
  ['error', 'E', 'not an error'],
])(
  'a message that names the flight and brings a damaged %s makes its follower claim again',
  async (_, letter, body) => {
    const [a, b] = await crew.open({ url, cache: CACHE })
    const led = a.ask('k', 1, { held: true })
    const { token } = await a.saw('lead')
    const followed = b.ask('k')
    await b.saw('follow')
    const [field] = (await raw.hkeys(`${b.namespace}:{k}:flight`)).filter((name) => name.startsWith('w:'))
    await raw.publish(`${b.namespace}:inbox:${field?.slice(2)}`, `${letter}${token}1:k${body}`)
    await b.saw('followed')
    await a.finish('k')
    for (const { values, errors } of await Promise.all([led, followed])) {
      expect({ values, errors }).toEqual({ values: ['A 1'], errors: [] })
    }
    expect((await b.process.call('runs', 'k')).count).toBe(0)
  },
)
