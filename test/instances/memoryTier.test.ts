import { afterAll, test as base, expect } from 'vitest'
import { watchCommands } from '../redis/monitor.ts'
import { startProxy, type TcpProxy } from '../redis/proxy.ts'
import { startRedis } from '../redis/server.ts'
import { commandsOf, connectionsOf, type Instance, useCrew } from './crew.ts'

const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())
const crew = useCrew(4)
const client = server.client()
const { url } = server

/** ms of a busy machine. */
const MARGIN = 1500

/** `B` reaches the server through the proxy, all others directly. */
const test = base.extend<{ proxy: TcpProxy }>({
  proxy: async ({ task: _ }, use) => {
    await using proxy = await startProxy(url)
    await use(proxy)
  },
})

/** Stores it, and lets all have it in memory. */
async function storeInAll(instances: readonly Instance[], key: string, tags: readonly string[] = []): Promise<void> {
  const [first] = instances as [Instance]
  await first.process.call('set', key, 'old', 60_000, tags)
  // Else the notice of the set would drop what was just read.
  for (const other of instances.slice(1)) await other.saw('invalidate', { key })
  for (const instance of instances) {
    expect((await instance.ask(key)).values).toEqual(['old'])
    expect((await instance.process.call('stats')).memory.entries).toBe(1)
  }
}

test('what a process has in memory costs it no command, for 1,000 callers as for one', async () => {
  const instances = await crew.open({ url, cache: { memory: {} } })
  await storeInAll(instances, 'k')
  await using watch = await watchCommands(url)
  for (const callers of [1, 1000]) {
    const asked = await Promise.all(instances.map((instance) => instance.ask('k', callers)))
    for (const { values } of asked) expect(values).toEqual(['old'])
  }
  expect(await commandsOf(await watch.stop(), client, instances)).toEqual({ A: [], B: [], C: [], D: [] })
  for (const { process } of instances) expect((await process.call('stats')).events.memoryHit).toBe(1001)
})

test.for(['keys', 'tags', 'set', 'clear'] as const)(
  'what another process invalidates by %s is dropped when that is told',
  async (how) => {
    const instances = await crew.open({ url, cache: { memory: { ttl: 60_000 } } })
    const [a, ...others] = instances
    await storeInAll(instances, 'k', ['t'])
    if (how === 'keys') await a.process.call('invalidate', 'k')
    else if (how === 'tags') await a.process.call('invalidateTags', 't')
    else if (how === 'set') await a.process.call('set', 'k', 'new')
    else await a.process.call('clear')
    const expected = how === 'set' ? 'new' : undefined
    expect(await a.process.call('get', 'k')).toBe(expected)
    const toldAt = performance.now()
    for (const other of others) {
      await expect.poll(() => other.process.call('get', 'k'), { interval: 5, timeout: 10_000 }).toBe(expected)
    }
    expect(performance.now() - toldAt).toBeLessThan(MARGIN)
  },
)

test('where the inbox has died in silence memory answers no longer than its ttl', async ({ proxy }) => {
  const ttl = 1000
  const instances = await crew.open({ url: [url, proxy.url, url, url], cache: { memory: { ttl } }, size: 2 })
  const [a, b] = instances
  await storeInAll([a, b], 'k')
  const { inbox } = await connectionsOf(client, b)
  proxy.silence(inbox?.address ?? '')
  await a.process.call('set', 'k', 'new')
  const setAt = performance.now()
  await expect.poll(() => b.process.call('get', 'k'), { interval: 5, timeout: 10_000 }).toBe('new')
  expect(performance.now() - setAt).toBeLessThan(ttl + MARGIN)
  // That of `old`.
  expect(await b.events('invalidate')).toHaveLength(1)
  // It is found out, and memory begins anew.
  await b.saw('inbox', { count: 2 })
  await b.recovered()
})

test('while no messages arrive a process has nothing in memory', async ({ proxy }) => {
  const [a, b] = await crew.open({
    url: [url, proxy.url, url, url],
    cache: { memory: { ttl: 60_000 }, commandTimeout: 300, breaker: { failures: 3, retryAfter: 200 } },
    size: 2,
  })
  await storeInAll([a, b], 'k')
  proxy.refuse(true)
  await b.saw('inbox', { count: 2 })
  await a.process.call('set', 'k', 'new')
  expect((await b.ask('k', 10, { value: 'computed' })).values).toEqual(['computed'])
  expect((await b.process.call('stats')).memory.entries).toBe(0)
  proxy.refuse(false)
  await b.recovered()
  expect((await b.ask('k')).values).toEqual(['new'])
  await using watch = await watchCommands(url)
  expect((await b.ask('k', 10)).values).toEqual(['new'])
  expect(await commandsOf(await watch.stop(), client, [b])).toEqual({ B: [] })
})
