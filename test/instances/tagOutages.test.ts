import { afterAll, beforeEach, expect, test } from 'vitest'
import { startRedis } from '../redis/server.ts'
import { type Instance, useCrew } from './crew.ts'

const server = await startRedis({ config: ['maxmemory-policy noeviction'] })
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => server.restart())
const crew = useCrew(4)

/** No lease ends, and no budget is too small for a busy machine. */
const LONG = { leaseTtl: 60_000, commandTimeout: 10_000 }
/** Where commands are to fail, within a time that a test can wait. */
const SHORT = { leaseTtl: 60_000, commandTimeout: 1000, breaker: { failures: 3, retryAfter: 200 } }
const TAGGED = { lateTags: ['t'] }

async function readable(instances: readonly Instance[], key: string): Promise<unknown[]> {
  return [...new Set(await Promise.all(instances.map(({ process }) => process.call('get', key))))]
}

/** `A` leads and all others wait for it. */
async function leadAndFollow(instances: readonly Instance[], key: string) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask(key, 5, { held: true, value: 'old' }, TAGGED)
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, 5, { value: 'new' }, TAGGED))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  return { led, following }
}

for (const how of ['the data is lost', 'redis restarts empty'] as const) {
  test(`${how} during a tagged flight, and the tag is invalidated: nothing old is stored`, async () => {
    const instances = await crew.open({ url: server.url, cache: { ...LONG, breaker: { failures: 100 } } })
    const [a, b] = instances
    const { led, following } = await leadAndFollow(instances, 'k')
    if (how === 'the data is lost') {
      await server.client().flushall()
      // Nobody tells those who wait: as if they had lost their inbox, too.
      await server.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    } else {
      await server.restart()
    }
    await Promise.all(instances.map((instance) => instance.saw('inbox', { count: 3 })))
    await Promise.all(instances.map((instance) => instance.recovered()))
    await b.process.call('invalidateTags', 't')
    await a.finish('k')
    expect(await led).toMatchObject({ values: ['old'], errors: [] })
    await a.saw('fenced')
    for (const asked of await Promise.all(following)) expect(asked).toMatchObject({ values: ['new'], errors: [] })
    expect(await a.events('publish')).toEqual([])
    // Whoever led next did so before the invalidation or after it.
    for (const value of await readable(instances, 'k')) expect([undefined, 'new']).toContain(value)
    await b.process.call('invalidateTags', 't')
    expect(await readable(instances, 'k')).toEqual([undefined])
  })
}

test('the clock is lost between the claim and an invalidation: the invalidation is later all the same', async () => {
  const instances = await crew.open({ url: server.url, cache: LONG })
  const [a, b, ...others] = instances
  const led = a.ask('k', 5, { held: true, value: 'old' }, TAGGED)
  await a.saw('load')
  expect(await server.client().del(`${a.namespace}:clock`)).toBe(1)
  await b.process.call('invalidateTags', 't')
  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  await a.saw('release')
  expect(await readable([a, b, ...others], 'k')).toEqual([undefined])
})

test('where memory is full values with tags are shared with those who wait, not stored, and invalidated', async () => {
  const instances = await crew.open({ url: server.url, cache: LONG })
  const [a, b] = instances
  const client = server.client()
  await a.process.call('set', 'before', 'stored', 60_000, ['t'])
  await client.config('SET', 'maxmemory', '1')
  const { led, following } = await leadAndFollow(instances, 'k')
  await a.finish('k')
  for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['old'])
  await a.saw('share')
  expect((await a.trace('k')).filter((line) => !line.startsWith('invalidate'))).toEqual([
    'miss',
    'lead',
    'load',
    'loaded',
    'share OOM',
    'storeFault end REFUSED',
  ])
  expect(await readable(instances, 'k')).toEqual([undefined])

  // An invalidation needs no memory, and refuses the value of a flight that it overtook.
  const second = await leadAndFollow(instances, 'k2')
  await b.process.call('invalidateTags', 't')
  expect(await readable(instances, 'before')).toEqual([undefined])
  await a.finish('k2')
  expect((await second.led).values).toEqual(['old'])
  for (const { values } of await Promise.all(second.following)) expect(values).toEqual(['new'])
  await a.saw('release', { key: 'k2' })
  await expect(b.process.call('set', 'k', 1, 60_000, ['t'])).rejects.toThrow('OOM')
  // Nobody waits for the lease that the write had.
  expect((await a.ask('k', 1, { value: 'next' }, TAGGED)).values).toEqual(['next'])

  await client.config('SET', 'maxmemory', '0')
  expect(await b.process.call('set', 'after', 'stored', 60_000, ['t'])).toBe(true)
  await a.process.call('invalidateTags', 't')
  expect(await readable(instances, 'after')).toEqual([undefined])
})

for (const how of ['is a replica', 'has too few replicas'] as const) {
  test(`where the server ${how} invalidations and clear reject, reads go on; the same call succeeds after`, async () => {
    const instances = await crew.open({ url: server.url, cache: LONG })
    const [a, b] = instances
    const client = server.client()
    await a.process.call('set', 'k', 'stored', 60_000, ['t'])
    // Of a server that is not there: it keeps what it has.
    if (how === 'is a replica') await client.replicaof('127.0.0.1', 1)
    else await client.config('SET', 'min-replicas-to-write', '1')
    for (const { process } of instances) {
      expect(await process.call('unconfirmed', { tags: ['t', 'u'] })).toMatchObject({ keys: [], tags: ['t', 'u'] })
    }
    expect(await a.process.call('unconfirmed', { keys: ['k'], tags: ['t'] })).toMatchObject({
      keys: ['k'],
      tags: ['t'],
    })
    expect(await a.process.call('unconfirmed', {})).toMatchObject({ message: expect.stringContaining('clear was not') })
    expect(await a.process.call('unconfirmed', { set: ['k', ['t']] })).toMatchObject({ keys: ['k'] })
    expect(await readable(instances, 'k')).toEqual(['stored'])
    expect((await b.ask('new', 5, {}, TAGGED)).values).toEqual(['B 1'])
    expect((await a.process.call('stats')).breaker).toBe('closed')
    // The others are told all the same: they can only forget too much.
    expect((await a.events('invalidate')).filter(({ remote }) => !remote)).toEqual([])

    if (how === 'is a replica') await client.replicaof('NO', 'ONE')
    else await client.config('SET', 'min-replicas-to-write', '0')
    expect(await b.process.call('unconfirmed', { tags: ['t', 'u'] })).toBeUndefined()
    expect(await readable(instances, 'k')).toEqual([undefined])
    expect((await a.ask('k', 5, {}, TAGGED)).values).toEqual(['A 1'])
    await a.saw('publish')
  })
}

for (const how of ['stands still', 'is gone'] as const) {
  test(`where the server ${how} an invalidation rejects in its budget, and the same call succeeds after`, async () => {
    const instances = await crew.open({ url: server.url, cache: SHORT })
    const [a, b, c] = instances
    await a.process.call('set', 'k', 'stored', 60_000, ['t'])
    if (how === 'stands still') server.pause()
    else await server.kill()
    try {
      for (let i = 0; i < 2; i++) {
        const failed = await Promise.all(
          instances.map(({ process }) => process.call('unconfirmed', { keys: ['other'], tags: ['t'] })),
        )
        for (const error of failed) expect(error).toMatchObject({ keys: ['other'], tags: ['t'] })
      }
      expect(await b.process.call('unconfirmed', {})).toMatchObject({
        message: expect.stringContaining('clear was not'),
      })
      // The breaker is open, and requests are answered.
      expect((await c.ask('k', 5, { value: 'own' }, TAGGED)).errors).toEqual([])
    } finally {
      if (how === 'stands still') server.resume()
      else await server.restart()
    }
    await Promise.all(instances.map((instance) => instance.recovered()))
    expect(await b.process.call('unconfirmed', { keys: ['other'], tags: ['t'] })).toBeUndefined()
    expect(await readable(instances, 'k')).toEqual([undefined])
    expect((await a.ask('k', 5, { value: 'new' }, TAGGED)).values).toEqual(['new'])
    await a.saw('publish', { key: 'k' })
    expect(await readable(instances, 'k')).toEqual(['new'])
  })
}
