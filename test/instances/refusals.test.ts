import { afterAll, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { type Instance, useCrew } from './crew.ts'

const crew = useCrew(4)
const CACHE = { leaseTtl: 60_000, commandTimeout: 10_000 }
const full = await startRedis({ config: ['maxmemory-policy noeviction'] })
const replica = await startRedis()
afterAll(() => Promise.all([full[Symbol.asyncDispose](), replica[Symbol.asyncDispose]()]))

/** The server is as full as can be; or there is room again. */
async function fill(server: RedisServer, is: boolean): Promise<void> {
  await server.client().config('SET', 'maxmemory', is ? '1' : '0')
}

/** `A` leads, all others wait for it, then it ends. */
async function computeTogether(instances: readonly Instance[], key: string): Promise<void> {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask(key, 20, { held: true })
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, 20))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  await a.finish(key)
  for (const { values, errors } of await Promise.all([led, ...following])) {
    expect({ values, errors }).toEqual({ values: ['A 1'], errors: [] })
  }
}

test('where memory is full claims work, the value is shared with all who wait, and nothing is stored', async () => {
  const instances = await crew.open({ url: full.url, cache: CACHE })
  const [a, b, ...others] = instances
  await a.process.call('set', 'before', 'stored')
  await fill(full, true)
  await computeTogether(instances, 'k')
  await a.saw('share')
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'loaded', 'share OOM', 'storeFault end REFUSED'])
  for (const follower of [b, ...others]) {
    expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed value'])
  }
  expect(await b.process.call('get', 'k')).toBeUndefined()

  // Reads go on; writes reject; an invalidation needs no memory; the server that says no is no reason to leave it alone.
  expect(await b.process.call('get', 'before')).toBe('stored')
  await expect(b.process.call('set', 'k', 'more')).rejects.toThrow('set was not confirmed by the store (k): OOM')
  await b.process.call('invalidate', 'before')
  expect(await a.process.call('get', 'before')).toBeUndefined()
  expect((await a.process.call('stats')).breaker).toBe('closed')

  // The flight is over: the next to ask leads at once.
  expect((await b.ask('k')).values).toEqual(['B 1'])
  await fill(full, false)
  await computeTogether(instances, 'after')
  await a.saw('publish', { key: 'after' })
  expect(await b.process.call('get', 'after')).toBe('A 1')
})

test('a server that becomes read-only in the middle of a flight: reads go on, loaders run, nobody waits for ever', async () => {
  const instances = await crew.open({ url: replica.url, cache: CACHE })
  const [a, ...followers] = instances
  await a.process.call('set', 'before', 'stored')
  const led = a.ask('k', 20, { held: true }, { leaseTtl: 1000 })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 20))
  await Promise.all(followers.map((follower) => follower.saw('follow')))

  // Of a server that is not there: it keeps what it has.
  const client = replica.client()
  await client.replicaof('127.0.0.1', 1)
  await a.finish('k')
  expect(await led).toMatchObject({ values: ['A 1'], errors: [] })
  for (const [i, { values, errors }] of (await Promise.all(following)).entries()) {
    expect({ values, errors }).toEqual({ values: [`${followers[i]?.name} 1`], errors: [] })
  }
  for (const instance of instances) {
    expect((await instance.ask('before', 20)).values).toEqual(['stored'])
    expect((await instance.ask('new', 20)).values).toEqual([`${instance.name} 1`])
    expect(await instance.trace('new')).toEqual(['miss', 'storeFault claim REFUSED', 'alone store', 'load', 'loaded'])
    await expect(instance.process.call('invalidate', 'before')).rejects.toThrow('not confirmed')
    expect((await instance.process.call('stats')).breaker).toBe('closed')
  }

  await client.replicaof('NO', 'ONE')
  await a.process.call('invalidate', 'before')
  for (const { process } of instances) expect(await process.call('get', 'before')).toBeUndefined()
  await computeTogether(instances, 'after')
})
