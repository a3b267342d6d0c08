import { Redis } from 'ioredis'
import { afterAll, expect, inject, test } from 'vitest'
import { testNamespace } from '../redis/namespace.ts'
import { type Instance, useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')
const client = new Redis(url)
afterAll(() => client.disconnect())

/** No lease ends, and no budget is too small for a busy machine. */
const LONG = { leaseTtl: 60_000, commandTimeout: 10_000 }
/** ms. */
const MINUTE = 60_000

/** Of the tag `t`. */
const indexOf = ({ namespace }: Instance) => `${namespace}:tag:{t}:entries`

/** What each of them reads. */
async function readable(instances: readonly Instance[], key: string): Promise<unknown[]> {
  return [...new Set(await Promise.all(instances.map(({ process }) => process.call('get', key))))]
}

test('B invalidates a tag while A computes a value that turns out to have it', async () => {
  const instances = await crew.open({ url, cache: LONG })
  const [a, b, c, d] = instances
  const led = a.ask('k', 5, { held: true, value: 'old' }, { lateTags: ['t'] })
  await a.saw('load')
  const followed = c.ask('k', 5, { held: true, value: 'new' }, { lateTags: ['t'] })
  await c.saw('follow')
  await b.process.call('invalidateTags', 't')
  await Promise.all([a, c, d].map((instance) => instance.saw('invalidate')))
  // Nobody knows yet that it has the tag: who asks now, anywhere, waits for the same flight.
  const late = [a, b, d].map((instance) => instance.ask('k', 5, { held: true, value: 'new' }, { lateTags: ['t'] }))
  await Promise.all([a, b, d].map((instance) => instance.saw('follow')))

  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  expect(await readable(instances, 'k')).toEqual([undefined])
  const others = [a, b, c, d]
  const next = await Promise.race(
    others.map(async (instance) => {
      await instance.saw('load', { count: instance === a ? 2 : 1 })
      return instance
    }),
  )
  await next.finish('k')
  for (const { values } of await Promise.all([followed, ...late])) expect(values).toEqual(['new'])
  await next.saw('publish')
  expect(await readable(instances, 'k')).toEqual(['new'])
  const runs = await Promise.all(others.map(async ({ process }) => (await process.call('runs', 'k')).count))
  expect(runs.reduce((sum, count) => sum + count, 0)).toBe(2)
  expect((await a.events('release')).map(({ reason }) => reason)).toEqual(['invalidated'])
  expect((await c.trace('k')).slice(0, 3)).toEqual(['miss', 'follow', 'followed again'])
})

for (const when of ['before it has listed its id', 'between that and its end']) {
  test(`A stands still ${when}, B invalidates the tag, A goes on: nothing old is stored`, async () => {
    const instances = await crew.open({ url, cache: LONG, gated: true })
    const [a, b, c, d] = instances
    const listed = when !== 'before it has listed its id'
    await a.process.call('hold', listed ? 'end' : 'index')
    const led = a.ask('k', 5, { value: 'old' }, { lateTags: ['t'] })
    await a.saw('held')
    a.process.pause()
    expect(await client.zrange(indexOf(a), '0', '-1')).toEqual(listed ? ['k'] : [])
    const followed = c.ask('k', 5, { value: 'new' }, { lateTags: ['t'] })
    await c.saw('follow')
    await b.process.call('invalidateTags', 't')
    // Once its id is listed its flight is found, and who waits need not wait for it to wake.
    if (listed) expect((await followed).values).toEqual(['new'])
    a.process.resume()
    await a.process.call('letGo')
    expect((await led).values).toEqual(['old'])
    await a.saw(listed ? 'fenced' : 'release')
    expect((await followed).values).toEqual(['new'])
    await c.saw('publish')
    expect(await readable([a, b, c, d], 'k')).toEqual(['new'])
    expect(await a.events('publish')).toEqual([])
  })
}

test('A stands still beyond its lease, another takes over, the tag is invalidated: A can publish nothing', async () => {
  const instances = await crew.open({ url, cache: LONG })
  const [a, b, c] = instances
  const led = a.ask('k', 5, { held: true, value: 'old' }, { lateTags: ['t'], leaseTtl: 300 })
  await a.saw('load')
  const followed = b.ask('k', 5, { value: 'between' }, { lateTags: ['t'] })
  await b.saw('follow')
  a.process.pause()
  expect((await followed).values).toEqual(['between'])
  await b.saw('publish')
  await c.process.call('invalidateTags', 't')
  expect(await readable([b, c], 'k')).toEqual([undefined])
  expect((await c.ask('k', 5, { value: 'new' }, { lateTags: ['t'] })).values).toEqual(['new'])
  await c.saw('publish')
  a.process.resume()
  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  await a.saw('fenced')
  expect(await readable(instances, 'k')).toEqual(['new'])
})

for (const step of ['members', 'remove', 'sweep'] as const) {
  test(`B is killed in the middle of a large tag (${step}): the next call, of another, finds all that is left`, async () => {
    const instances = await crew.open({ url, cache: LONG, gated: true })
    const [a, b, c, d] = instances
    const keys = Array.from({ length: 3000 }, (_, i) => `k${i}`)
    expect(new Set(await a.process.call('setMany', keys, ['t', 'u']))).toEqual(new Set([true]))
    const left = async ({ process }: Instance) =>
      (await process.call('getMany', keys)).filter((value) => value !== undefined).length
    expect(await left(c)).toBe(3000)

    // The first pages are through by then.
    await b.process.call('hold', step, step === 'sweep' ? 1 : 3)
    const invalidated = b.process.call('invalidateTags', 't')
    invalidated.catch(() => undefined)
    await b.saw('held')
    await b.kill()
    await expect(invalidated).rejects.toThrow('SIGKILL')
    const stale = await left(c)
    if (step === 'sweep') expect(stale).toBe(0)
    else expect([stale > 0, stale < 3000]).toEqual([true, true])
    expect(await client.zcard(indexOf(a))).toBe(3000)

    await c.process.call('invalidateTags', 't')
    for (const instance of [a, c, d]) expect(await left(instance)).toBe(0)
    expect(await client.exists(indexOf(a))).toBe(0)
    // What is computed now stays.
    expect((await d.ask('k0', 1, {}, { tags: ['t'] })).values).toEqual(['D 1'])
    await d.saw('publish')
    expect(await readable([a, c, d], 'k0')).toEqual(['D 1'])
  })
}

test('two processes invalidate one large tag at once, while a third stores more of it', async () => {
  const [a, b, c] = await crew.open({ url, cache: LONG, size: 3 })
  const keys = Array.from({ length: 1500 }, (_, i) => `k${i}`)
  await a.process.call('setMany', keys, ['t'])
  const more = Array.from({ length: 300 }, (_, i) => `more${i}`)
  const [, , stored] = await Promise.all([
    b.process.call('invalidateTags', 't'),
    c.process.call('invalidateTags', 't'),
    a.process.call('setMany', more, ['t']),
  ])
  expect(await a.process.call('getMany', keys)).toEqual(keys.map(() => undefined))
  // What was stored meanwhile may be there or not; what is there can be found, what lost is not.
  const found = await b.process.call('getMany', more)
  for (const [i, value] of found.entries()) if (!stored[i]) expect(value).toBeUndefined()
  await c.process.call('invalidateTags', 't')
  expect(await b.process.call('getMany', more)).toEqual(more.map(() => undefined))
  expect(await client.exists(indexOf(a))).toBe(0)
})

test('4 processes that write, invalidate by tag and by key, and ask, get no answer older than their own write', async () => {
  const instances = await crew.open({ url, cache: LONG })
  const origin = `${testNamespace('origin')}:version`
  const keys = ['k0', 'k1', 'k2']
  const stale = await Promise.all(
    instances.map(({ process }) => process.call('churnTags', url, origin, keys, ['t', 'u'], 60)),
  )
  expect(stale).toEqual([0, 0, 0, 0])
  // After the last invalidation everything readable is of the last version.
  const [a] = instances
  await a.process.call('invalidateTags', 't')
  expect(await a.process.call('churnTags', url, origin, keys, ['u'], 1)).toBe(0)
  for (const { process } of instances) {
    for (const value of await process.call('getMany', keys)) expect([undefined, 4 * 60 + 1]).toContain(value)
  }
  const totals = await Promise.all(instances.map(({ process }) => process.call('stats')))
  // Otherwise it was no race.
  expect(totals.reduce((sum, { events }) => sum + events.follow, 0)).toBeGreaterThan(60)
})

test('an index does not grow: of ids whose time is over some go with each that comes', async () => {
  const [a, b] = await crew.open({ url, cache: LONG, size: 2 })
  const index = indexOf(a)
  // Entries of long ago: nobody knows them any more.
  const over = Array.from({ length: 500 }, (_, i) => [Date.now() - 1, `over${i}`] as const)
  await a.process.call('set', 'alive', 'value', MINUTE, ['t'])
  await client.zadd(index, ...over.flat())
  let size = await client.zcard(index)
  expect(size).toBe(501)
  for (let i = 0; i < 30; i++) {
    await b.process.call('set', `new${i}`, i, MINUTE, ['t'])
    const now = await client.zcard(index)
    // As many go as fit one call, and one comes.
    expect(now).toBe(Math.max(size - 20 + 1, i + 2))
    size = now
  }
  expect(size).toBe(31)
  // What lives was left in it.
  expect(await client.zscore(index, 'alive')).not.toBeNull()
  await b.process.call('invalidateTags', 't')
  expect(await readable([a, b], 'alive')).toEqual([undefined])
  expect(await readable([a, b], 'new29')).toEqual([undefined])
  expect(await client.exists(index)).toBe(0)
})

test('an index outlives its longest member, and shorter ones do not shorten it', async () => {
  // Of a write: four command budgets, where the cache's own lease is no longer.
  const lease = 4 * LONG.commandTimeout
  const [a] = await crew.open({ url, cache: { ...LONG, leaseTtl: 5000 }, size: 1 })
  const index = indexOf(a)
  /** ttl, the lease, a minute; and what the machine took since. */
  const expectLife = async (ttl: number) => {
    const left = await client.pttl(index)
    expect(left).toBeLessThanOrEqual(ttl + lease + MINUTE)
    expect(left).toBeGreaterThan(ttl + lease + MINUTE - 10_000)
  }
  await a.process.call('set', 'short', 1, 1000, ['t'])
  await expectLife(1000)
  await a.process.call('set', 'long', 1, 10 * MINUTE, ['t'])
  await expectLife(10 * MINUTE)
  await a.process.call('set', 'short', 2, 1000, ['t'])
  await expectLife(10 * MINUTE)
  // An id stays for as long as what may be stored under it.
  await a.process.call('set', 'long', 2, 1000, ['t'])
  const score = Number(await client.zscore(index, 'long'))
  expect(score).toBeGreaterThan(Date.now() + 10 * MINUTE)
  await a.process.call('set', 'ever', 1, Number.POSITIVE_INFINITY, ['t'])
  expect(await client.pttl(index)).toBe(-1)
  await a.process.call('set', 'long', 3, 10 * MINUTE, ['t'])
  expect(await client.pttl(index)).toBe(-1)
  expect(await client.zscore(index, 'ever')).toBe('inf')
  expect(await client.pttl(`${a.namespace}:{ever}`)).toBe(-1)
  await a.process.call('invalidateTags', 't')
  expect(await client.exists(index, `${a.namespace}:{ever}`, `${a.namespace}:{long}`)).toBe(0)
})

test('a clock of another type: what has tags is not stored, all else is as ever, and that is told', async () => {
  const [a, b] = await crew.open({ url, cache: LONG, size: 2 })
  await client.rpush(`${a.namespace}:clock`, 'foreign')
  const led = a.ask('k', 5, { held: true }, { tags: ['t'] })
  await a.saw('load')
  const followed = b.ask('k', 5, {}, { tags: ['t'] })
  await b.saw('follow')
  await a.finish('k')
  expect([(await led).values, (await followed).values]).toEqual([['A 1'], ['B 1']])
  await a.saw('share')
  expect(await readable([a, b], 'k')).toEqual([undefined])
  const faults = (await a.events('storeFault')).map(({ error }) => (error as { message?: string }).message)
  expect(faults).toContain(`${a.namespace}:clock is not a clock: values with tags are not stored`)
  await expect(a.process.call('set', 'k', 1, MINUTE, ['t'])).rejects.toThrow('not confirmed')
  await expect(a.process.call('invalidateTags', 't')).rejects.toThrow('not confirmed')
  expect((await a.ask('untagged')).values).toEqual(['A 1'])
  await a.saw('publish', { key: 'untagged' })
  expect(await readable([a, b], 'untagged')).toEqual(['A 1'])
  await client.del(`${a.namespace}:clock`)
  await a.process.call('invalidateTags', 't')
  expect((await b.ask('k', 1, {}, { tags: ['t'] })).values).toEqual(['B 2'])
  await b.saw('publish')
})
