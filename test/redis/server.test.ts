import { once } from 'node:events'
import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { testNamespace } from './namespace.ts'
import { isRunning } from './reaper.ts'
import { startRedis } from './server.ts'

test('the shared Redis answers', async () => {
  const client = new Redis(inject('redisUrl'))
  const key = `${testNamespace()}:key`
  await client.set(key, 'value', 'PX', 10_000)
  expect(await client.get(key)).toBe('value')
  client.disconnect()
})

test('a restarted server is another process on the same port, and empty', async () => {
  await using server = await startRedis()
  const before = { port: server.port, pid: server.pid }
  await server.client().set('key', 'value')
  await server.restart()
  expect(await server.client().dbsize()).toBe(0)
  expect(server.port).toBe(before.port)
  expect(server.pid).not.toBe(before.pid)
})

test('a killed server breaks its connections and is gone', async () => {
  await using server = await startRedis()
  const client = new Redis(server.url, { retryStrategy: null })
  await client.ping()
  const ended = once(client, 'end')
  await server.kill()
  await ended
  expect(isRunning(server.pid)).toBe(false)
})

test('a stopped server is gone, even if it was paused', async () => {
  await using server = await startRedis()
  server.pause()
  await server.stop()
  expect(isRunning(server.pid)).toBe(false)
})

test('a paused server answers only when it is resumed', async () => {
  await using server = await startRedis()
  const client = server.client()
  await client.ping()
  server.pause()
  const impatient = new Redis(server.url, { commandTimeout: 100, retryStrategy: null })
  impatient.on('error', () => {})
  await expect(impatient.ping()).rejects.toThrow('timed out')
  impatient.disconnect()
  const answer = client.ping()
  server.resume()
  expect(await answer).toBe('PONG')
})

test('memory limit, password and ACL hold for the tested client and not for the inspecting one', async () => {
  await using server = await startRedis({
    maxmemory: '4mb',
    config: ['maxmemory-policy noeviction'],
    requirepass: 'a "quoted" pass',
    acl: ['user reader on >secret ~* +@read'],
  })
  const client = new Redis(server.url)
  await expect(client.set('big', 'x'.repeat(4_000_000)).then(() => client.set('more', 'x'))).rejects.toThrow('OOM')
  client.disconnect()

  const reader = new Redis({ port: server.port, username: 'reader', password: 'secret', enableReadyCheck: false })
  await expect(reader.set('key', 'value')).rejects.toThrow('NOPERM')
  reader.disconnect()

  expect(await server.client().config('GET', 'maxmemory')).toEqual(['maxmemory', String(4 * 1024 * 1024)])
})

test('a mistake in the configuration is told, not waited for', async () => {
  await expect(startRedis({ config: ['no-such-directive yes'] })).rejects.toThrow('no-such-directive')
})
