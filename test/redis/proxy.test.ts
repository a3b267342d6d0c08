import { once } from 'node:events'
import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { startProxy, type TcpProxy } from './proxy.ts'

test('a proxy passes commands and replies on', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  const big = 'x'.repeat(1_000_000)
  expect(await client.redis.echo(big)).toBe(big)
  expect(proxy.connections).toBe(1)
})

test('cut breaks the connections there are, and lets new ones in', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  await client.redis.ping()
  const ended = endOf(client.redis)
  proxy.cut()
  await ended
  using next = connectTo(proxy)
  expect(await next.redis.ping()).toBe('PONG')
  expect(proxy.connections).toBe(1)
})

test('a black hole swallows commands on open connections, and cuts those when it ends', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy, { commandTimeout: 100 })
  await client.redis.ping()
  proxy.blackhole(true)
  await expect(client.redis.ping()).rejects.toThrow('timed out')
  expect(proxy.connections).toBe(1)

  const ended = endOf(client.redis)
  proxy.blackhole(false)
  await ended
  using next = connectTo(proxy)
  expect(await next.redis.ping()).toBe('PONG')
})

test('a connection that lost nothing in the black hole goes on after it', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  await client.redis.ping()
  proxy.blackhole(true)
  proxy.blackhole(false)
  expect(await client.redis.ping()).toBe('PONG')
})

test('one connection can be silenced while another goes on', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using silent = connectTo(proxy, { commandTimeout: 100 })
  using other = connectTo(proxy)
  const info = String(await silent.redis.client('INFO'))
  proxy.silence(/ addr=(\S+)/.exec(info)?.[1] as string)
  await expect(silent.redis.ping()).rejects.toThrow('timed out')
  expect(await other.redis.ping()).toBe('PONG')
  expect(proxy.connections).toBe(2)
  expect(() => proxy.silence('127.0.0.1:1')).toThrow('No connection')
})

test('a proxy that refuses cuts the connections there are and lets none in until it ends', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  await client.redis.ping()
  const ended = endOf(client.redis)
  proxy.refuse(true)
  await ended
  using refused = connectTo(proxy)
  await endOf(refused.redis)
  proxy.refuse(false)
  using next = connectTo(proxy)
  expect(await next.redis.ping()).toBe('PONG')
})

test('a delay holds commands and replies back and keeps their order', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  await client.redis.ping()
  proxy.delay(50)
  const start = performance.now()
  const slow = Promise.all(['1', '2', '3'].map((word) => client.redis.echo(word)))
  proxy.delay(0)
  const fast = client.redis.echo('4')
  expect(await Promise.all([slow, fast])).toEqual([['1', '2', '3'], '4'])
  proxy.delay(50)
  await client.redis.ping()
  // Timers may fire up to a millisecond early.
  expect(performance.now() - start).toBeGreaterThan(98)
})

test('a delay of replies holds back what the server says', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  await client.redis.ping()
  proxy.delayReplies(100)
  const start = performance.now()
  await client.redis.ping()
  // Timers may fire up to a millisecond early.
  expect(performance.now() - start).toBeGreaterThan(98)
})

test('what is lost comes later, and what is behind it not before', async () => {
  await using proxy = await startProxy(inject('redisUrl'))
  using client = connectTo(proxy)
  await client.redis.ping()
  const chances = [0.09, 0.05, 0.1] // the first chunk is lost twice, and none after it
  proxy.lose(0.1, () => chances.shift() ?? 1)
  const start = performance.now()
  const first = client.redis.echo('1')
  await expect.poll(() => chances).toEqual([])
  const order: string[] = []
  await Promise.all([first, client.redis.echo('2')].map(async (word) => order.push(await word)))
  expect(order).toEqual(['1', '2'])
  expect(performance.now() - start).toBeGreaterThan(598)
})

test('a closed proxy refuses connections', async () => {
  const proxy = await startProxy(inject('redisUrl'))
  await proxy.close()
  using client = connectTo(proxy)
  const [error] = await once(client.redis, 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
})

function connectTo(proxy: TcpProxy, options: { commandTimeout?: number } = {}): Disposable & { redis: Redis } {
  const redis = new Redis(proxy.url, { retryStrategy: null, ...options })
  redis.on('error', () => {})
  return { redis, [Symbol.dispose]: () => redis.disconnect() }
}

/** Unlike `once` of node:events this does not reject on the `error` that comes before. */
function endOf(redis: Redis): Promise<void> {
  return new Promise((resolve) => redis.once('end', resolve))
}
