import { expect, inject, test } from 'vitest'
import { type Instance, useCrew } from './crew.ts'
import type { ErrorSpec } from './worker.ts'

const crew = useCrew(4)
const url = inject('redisUrl')

/** `A` leads and all others wait for it; then its loader throws, as theirs would. */
async function failTogether(instances: readonly Instance[], throws: ErrorSpec) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask('k', 5, { held: true, throws })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 5, { throws }))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  await a.finish('k')
  return { a, followers, own: await led, told: await Promise.all(following) }
}

test('followers of a loader that throws get a LoaderError that says the same', async () => {
  const instances = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const error = { name: 'StockError', message: 'sold out', code: 'E_STOCK', extensions: { sku: '42', left: [0, 1] } }
  const { a, followers, own, told } = await failTogether(instances, error)

  expect(own).toMatchObject({ values: [], errors: [{ ...error, shared: false, hasStack: true }] })
  for (const { values, errors } of told) {
    expect(values).toEqual([])
    expect(errors).toEqual([{ ...error, shared: true, hasStack: false }])
  }
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'failed', 'loaderError shared'])
  for (const follower of followers) expect(await follower.trace('k')).toEqual(['miss', 'follow', 'followed error'])

  // Nothing of it is kept: the next to ask runs the loader.
  const [b] = followers
  expect((await b?.ask('k'))?.values).toEqual(['B 1'])
})

test.each([
  ['401 in its message', { message: 'the origin said 401' }],
  ['UNAUTHENTICATED in its extensions', { message: 'who?', extensions: { code: 'UNAUTHENTICATED' } }],
  ['FORBIDDEN as its code', { message: 'no', code: 'FORBIDDEN' }],
])('an error with %s is not shared: every instance runs its own loader once', async (_, error) => {
  const instances = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const { a, followers, own, told } = await failTogether(instances, error)

  for (const { values, errors } of [own, ...told]) {
    expect(values).toEqual([])
    expect(errors).toMatchObject([{ ...error, shared: false, hasStack: true }])
  }
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'failed', 'loaderError'])
  for (const follower of followers) {
    const trace = ['miss', 'follow', 'followed alone', 'alone unshareable', 'load', 'failed', 'loaderError']
    expect(await follower.trace('k')).toEqual(trace)
  }
})

test('an abort is never shared: one of those who wait leads next', async () => {
  const instances = await crew.open({ url, cache: { leaseTtl: 60_000 } })
  const [a, ...followers] = instances
  const led = a.ask('k', 1, { held: true, throws: { name: 'AbortError', message: 'the origin hung up' } })
  await a.saw('load')
  const following = followers.map((follower) => follower.ask('k', 5))
  await Promise.all(followers.map((follower) => follower.saw('follow')))
  await a.finish('k')

  expect((await led).errors).toMatchObject([{ name: 'AbortError', shared: false }])
  const answers = await Promise.all(following)
  expect(new Set(answers.flatMap(({ values }) => values)).size).toBe(1)
  expect(answers.flatMap(({ errors }) => errors)).toEqual([])
  expect(await a.trace('k')).toEqual(['miss', 'lead', 'load', 'failed', 'loaderError', 'release aborted'])
  const runs = await Promise.all(followers.map(({ process }) => process.call('runs', 'k')))
  expect(runs.map(({ count }) => count).sort()).toEqual([0, 0, 1])
  // At once, and not when the lease of a minute is over.
  for (const follower of followers) {
    expect((await follower.trace('k')).slice(0, 3)).toEqual(['miss', 'follow', 'followed again'])
  }
})

test('an error that JSON can not carry is not shared: every instance runs its own loader once', async () => {
  const instances = await crew.open({ url, cache: { leaseTtl: 60_000 }, size: 2 })
  const error = { message: 'odd', extensions: { price: 1n } }
  const { own, told } = await failTogether(instances, error)
  for (const { errors } of [own, ...told]) expect(errors).toMatchObject([{ ...error, shared: false }])
  expect(await instances[1].process.call('runs', 'k')).toEqual({ count: 1, most: 1 })
})
