import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster } from '../redis/cluster.ts'
import { slotOf } from '../redis/slots.ts'
import { type Instance, useCrew } from './crew.ts'

// One of its own: roles and slots are moved.
const cluster = await startCluster({ nodeTimeout: 5000 })
const { startupNodes } = cluster
const client = cluster.client()
afterAll(() => cluster[Symbol.asyncDispose]())
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))
/** ms: an election that is lost is not held again for 20 s. */
const ELECTED = { timeout: 60_000 }
const CACHE = { leaseTtl: 30_000, commandTimeout: 5000, breaker: { failures: 1000 } }

const entryOf = ({ namespace }: Instance, key: string) => `${namespace}:{${key}}`

async function leadAndFollow(instances: readonly Instance[], key: string) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask(key, 5, { held: true, value: 'old' })
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, 5, { value: 'new' }))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  return { a, followers, led, following }
}

async function expectRuns(instances: readonly Instance[], key: string, most: number): Promise<void> {
  const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
  expect(runs.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(most)
}

async function otherMaster(key: string) {
  const owner = await cluster.ownerOf(key)
  const to = (await cluster.masters()).find((node) => node !== owner)
  if (to === undefined) throw new Error('There is one master only.')
  return { owner, to }
}

test('a flight whose slot is moved with it goes on: nobody loads twice', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const key = 'moved-flight'
  const { a, led, following } = await leadAndFollow(instances, key)
  const { to } = await otherMaster(key)
  await cluster.moveSlot(slotOf(key), to)
  await a.finish(key)
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['old'])
  await a.saw('publish', { key })
  await expectRuns(instances, key, 1)
  for (const { process } of instances) expect(await process.call('get', key)).toBe('old')
})

test('an entry whose slot is moved is read, invalidated and computed anew where it is now', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const [a, b, c] = instances
  const key = 'moved-entry'
  await a.ask(key, 1, { value: 'old' }, { tags: ['t'] })
  await a.saw('publish', { key })
  const { to } = await otherMaster(key)
  await cluster.moveSlot(slotOf(key), to)
  for (const { process } of instances) expect(await process.call('get', key)).toBe('old')
  await b.process.call('invalidateTags', 't')
  for (const instance of instances) expect((await instance.ask(key, 5, { value: 'new' })).values).toEqual(['new'])
  await c.process.call('invalidate', key)
  expect(await client.exists(entryOf(a, key))).toBe(0)
})

test('in the middle of a migration requests are answered, and an invalidation that was confirmed holds', async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const [a, b, c] = instances
  const keys = ['entry', 'flight', 'split', 'gone'].map((word) => `{migrating}${word}`)
  // Braces in a key are part of it: each is in a slot of its own.
  for (const [i, key] of keys.entries()) {
    const name = entryOf(a, key.replaceAll('{', '%7B').replaceAll('}', '%7D'))
    const slot = slotOf(name)
    const owner = await cluster.ownerOf(slot)
    const to = (await cluster.masters()).find((node) => node !== owner) as typeof owner
    await a.process.call('set', key, 'old', 60_000, ['m'])
    const led = a.ask(key, 5, { held: true, value: 'old' }, { forceRefresh: true, tags: ['m'] })
    await a.saw('load', { key })

    const move = await cluster.beginMove(slot, to)
    // Nothing is moved yet; the entry only (TRYAGAIN); the flight only (TRYAGAIN); both (ASK).
    const carried = [[], [name], [`${name}:flight`], [name, `${name}:flight`]][i] as string[]
    if (carried.length > 0) await move.carry(carried)
    const asked = await Promise.all(instances.map((instance) => instance.ask(key, 5, { value: 'other' })))
    for (const { errors, values } of asked) expect([errors, values.length]).toEqual([[], 1])

    const unconfirmed = await b.process.call('unconfirmed', { keys: [key] })
    // Half here and half there no script can have both keys: who is told so repeats it.
    if (unconfirmed !== undefined) expect([1, 2]).toContain(i)
    await move.finish()
    if (unconfirmed !== undefined) await c.process.call('invalidate', key)
    await a.finish(key)
    expect((await led).errors).toEqual([])
    await a.saw('fenced', { key })
    // Nothing of before is stored.
    for (const { process } of instances) expect(['other', undefined]).toContain(await process.call('get', key))
    await c.process.call('invalidate', key)
    for (const instance of instances) expect((await instance.ask(key, 5, { value: 'new' })).values).toEqual(['new'])
  }
})

test(
  'a master hands over in the middle of a flight: nobody’s call fails, and the loader runs twice at most',
  ELECTED,
  async () => {
    const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
    const key = 'handed-over'
    const { a, followers, led, following } = await leadAndFollow(instances, key)
    await cluster.handover(await cluster.ownerOf(key))
    const during = await Promise.all(followers.map((instance) => instance.ask('meanwhile', 5, { value: 'any' })))
    for (const { values, errors } of during) expect({ values, errors }).toEqual({ values: ['any'], errors: [] })
    await a.finish(key)
    for (const { errors, values } of await Promise.all([led, ...following]))
      expect([errors, values.length]).toEqual([[], 1])
    await expectRuns(instances, key, 2)
    await Promise.all(instances.map((instance) => instance.recovered()))
    for (const { process } of instances) {
      await process.call('invalidate', key)
      for (const instance of instances) expect(await instance.process.call('get', key)).toBeUndefined()
    }
  },
)

test('clear reaches masters that this client has not noticed', ELECTED, async () => {
  const instances = await crew.open({ cluster: { startupNodes }, cache: CACHE })
  const [a, b, c, d] = instances
  const keys = Array.from({ length: 60 }, (_, i) => `clear-${i}`)
  await a.process.call('askEach', keys, { value: 'old' }, ['t'])
  await a.saw('publish', { count: 60 })
  for (const [i, { process }] of [b, c].entries()) {
    const master = await cluster.ownerOf(keys[i] as string)
    await cluster.replicated()
    await cluster.handover(master)
    await process.call('clear')
    const left = await Promise.all(keys.map((key) => client.exists(entryOf(a, key))))
    expect(left.filter((found) => found === 1)).toEqual([])
    await d.process.call('askEach', keys, { value: 'old' }, ['t'])
    await d.saw('publish', { count: 60 * (i + 1) })
  }
  // A slot that has moved without anybody being told.
  const key = keys[7] as string
  await cluster.moveSlot(slotOf(key), (await otherMaster(key)).to)
  await b.process.call('clear')
  const left = await Promise.all(keys.map((one) => client.exists(entryOf(a, one))))
  expect(left.filter((found) => found === 1)).toEqual([])
})
