import { afterAll, expect, test } from 'vitest'
import { startProxy } from '../redis/proxy.ts'
import { startRedis } from '../redis/server.ts'
import { connectionsOf, useCrew, within } from './crew.ts'

// A server of its own, since its connections are looked through; and one of them goes silent.
const server = await startRedis()
const proxy = await startProxy(server.url)
afterAll(async () => {
  await proxy.close()
  await server[Symbol.asyncDispose]()
})
const crew = useCrew(2)
const client = server.client()

test('an inbox that dies in silence is found out: who waits has the value long before the lease ends', async () => {
  const [a, b] = await crew.open({ url: proxy.url, cache: { leaseTtl: 60_000 } })
  const led = a.ask('k', 5, { held: true })
  await a.saw('load')
  const followed = b.ask('k', 5)
  await b.saw('follow')
  const before = (await connectionsOf(client, b)).inbox
  proxy.silence(before?.address as string)
  await a.finish('k')
  expect((await led).values).toEqual(['A 1'])
  const { values } = await within(15_000, followed, 'an answer, with a lease of a minute')
  expect(values).toEqual(['A 1'])
  await b.saw('inbox', { count: 3 })
  expect((await b.events('inbox')).map(({ confirmed }) => confirmed)).toEqual([true, false, true])
  expect(await b.trace('k')).toEqual(['miss', 'follow'])
  expect((await connectionsOf(client, b)).inbox?.id).not.toBe(before?.id)
  expect(await a.events('inbox')).toHaveLength(1)

  const again = a.ask('again', 5, { held: true })
  await a.saw('load', { key: 'again' })
  const following = b.ask('again', 5)
  await b.saw('follow', { key: 'again' })
  await a.finish('again')
  for (const asked of await Promise.all([again, following])) expect(asked.values).toEqual(['A 1'])
  expect(await b.trace('again')).toEqual(['miss', 'follow', 'followed value'])
})
