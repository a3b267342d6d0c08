import { expect, inject, test } from 'vitest'
import { useCrew } from './crew.ts'

const crew = useCrew(2)
const url = inject('redisUrl')

test('callers past their wait limit share one run of their own, and its value', async () => {
  const [a, b] = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const led = a.ask('k', 1, { held: true })
  await a.saw('load')
  const waited = b.ask('k', 5, { held: true }, { waitTimeout: 300 })
  await b.saw('load')
  await b.saw('waitTimeout', { count: 5 })
  // What they left is over by now, and they wait for their own loader.
  await b.process.call('stats')
  await b.finish('k')
  expect(await waited).toMatchObject({ values: ['B 1'], errors: [] })
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
  await a.saw('publish')
  expect((await b.trace('k')).filter((line) => line !== 'waitTimeout')).toEqual([
    'miss',
    'follow',
    'alone waitTimeout',
    'load',
    'loaded',
  ])
  // The leader's value is the one that is stored.
  expect(await b.process.call('get', 'k')).toBe('A 1')
})

test('a single caller past its wait limit gets what its own loader gives', async () => {
  const [a, b] = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const led = a.ask('k', 1, { held: true })
  await a.saw('load')
  const waited = b.ask('k', 1, { held: true }, { waitTimeout: 300 })
  await b.saw('load')
  await b.process.call('stats')
  await b.finish('k')
  expect(await waited).toMatchObject({ values: ['B 1'], errors: [] })
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
})
