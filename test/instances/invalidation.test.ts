import { expect, inject, test } from 'vitest'
import { testNamespace } from '../redis/namespace.ts'
import { useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')
const LONG = { leaseTtl: 60_000 }

test('a value whose computation an invalidation overtook is never given to a later caller, nor stored', async () => {
  const [a, b, c, d] = await crew.open({ url, cache: LONG })
  const led = a.ask('k', 5, { held: true, value: 'old' })
  const { token } = await a.saw('lead')
  const followed = d.ask('k', 5, { held: true, value: 'new' })
  await d.saw('follow')

  await b.process.call('invalidate', 'k')
  // Who waited was told, and leads the next flight.
  await d.saw('load')
  const callers = [b.ask('k', 5, { value: 'wrong' }), c.ask('k', 5, { value: 'wrong' })]
  await a.saw('invalidate')
  callers.push(a.ask('k', 5, { value: 'wrong' }))
  await Promise.all([a, b, c].map((instance) => instance.saw('follow')))

  // The old loader ends first: only those who asked before get its value.
  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  await a.saw('fenced')
  // Each of these is a miss, too.
  for (const { process } of [a, b, c, d]) expect(await process.call('get', 'k')).toBeUndefined()

  await d.finish('k')
  for (const { values } of await Promise.all([followed, ...callers])) expect(values).toEqual(['new'])
  await d.saw('publish')
  for (const { process } of [a, b, c, d]) expect(await process.call('get', 'k')).toBe('new')

  expect(await b.trace('k')).toEqual(['invalidate', 'miss', 'follow', 'miss', 'followed value', 'hit'])
  const before = ['miss', 'follow', 'followed again', 'lead', 'load']
  expect((await d.trace('k')).filter((line) => line !== 'invalidate remote').slice(0, 5)).toEqual(before)
  expect((await a.events('fenced')).map((event) => event.token)).toEqual([token])
})

test('the new value may be published first: the old one does not replace it', async () => {
  const [a, b, c, d] = await crew.open({ url, cache: LONG })
  const led = a.ask('k', 1, { held: true, value: 'old' })
  await a.saw('load')
  await b.process.call('invalidate', 'k')
  expect((await c.ask('k', 5, { value: 'new' })).values).toEqual(['new'])
  await c.saw('publish')
  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  await a.saw('fenced')
  for (const { process } of [a, b, c, d]) expect(await process.call('get', 'k')).toBe('new')
})

test('the process that invalidates while it leads does not hand its old value to later callers', async () => {
  const [a, b] = await crew.open({ url, cache: LONG, size: 2 })
  const led = a.ask('k', 5, { held: true, value: 'old' })
  await a.saw('load')
  await a.process.call('invalidate', 'k')
  const later = a.ask('k', 5, { held: true, value: 'new' })
  await a.saw('load', { count: 2 })
  const elsewhere = b.ask('k', 5)
  await b.saw('follow')
  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  expect((await later).values).toEqual(['new'])
  expect((await elsewhere).values).toEqual(['new'])
  await a.saw('fenced')
  expect(await b.process.call('get', 'k')).toBe('new')
})

test('set in one process answers those who wait in all others, and fences the leader', async () => {
  const [a, b, c, d] = await crew.open({ url, cache: LONG })
  const led = a.ask('k', 1, { held: true, value: 'computed' })
  await a.saw('load')
  const following = [b, c].map((follower) => follower.ask('k', 5))
  await Promise.all([b, c].map((follower) => follower.saw('follow')))
  expect(await d.process.call('set', 'k', 'set')).toBe(true)
  for (const { values } of await Promise.all(following)) expect(values).toEqual(['set'])
  for (const follower of [b, c]) {
    const trace = (await follower.trace('k')).filter((line) => line !== 'invalidate remote')
    expect(trace).toEqual(['miss', 'follow', 'followed value'])
  }
  await a.finish('k')
  expect((await led).values).toEqual(['computed'])
  await a.saw('fenced')
  for (const { process } of [a, b, c, d]) expect(await process.call('get', 'k')).toBe('set')
})

test('4 processes that write, invalidate and ask at once never get an answer older than their own write', async () => {
  const instances = await crew.open({ url, cache: { ...LONG, commandTimeout: 10_000 } })
  const origin = `${testNamespace('origin')}:version`
  const rounds = 150
  const stale = await Promise.all(instances.map(({ process }) => process.call('churn', url, origin, 'k', rounds)))
  expect(stale).toEqual([0, 0, 0, 0])
  // After the last invalidation everything readable is of the last version.
  const [a] = instances
  await a.process.call('invalidate', 'k')
  const newest = await a.process.call('churn', url, origin, 'k', 1)
  expect(newest).toBe(0)
  for (const { process } of instances) expect([undefined, 4 * rounds + 1]).toContain(await process.call('get', 'k'))
  const totals = await Promise.all(instances.map(({ process }) => process.call('stats')))
  // Otherwise it was no race.
  expect(totals.reduce((sum, { events }) => sum + events.follow, 0)).toBeGreaterThan(rounds)
})
