import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { countBySource, inScript, watchCommands } from './monitor.ts'
import { testNamespace } from './namespace.ts'
import { startRedis } from './server.ts'

test('commands are told apart by client, and those inside scripts from those of clients', async () => {
  const namespace = testNamespace()
  const url = inject('redisUrl')
  const one = new Redis(url)
  const two = new Redis(url)
  await Promise.all([one.ping(), two.ping()])

  const watch = await watchCommands(url)
  await one.set(`${namespace}:a`, 'x', 'PX', 10_000)
  await two.get(`${namespace}:a`)
  await two.eval("return redis.call('GET', KEYS[1])", 1, `${namespace}:b`)
  const records = (await watch.stop()).filter(({ args }) => args.some((arg) => arg.startsWith(namespace)))
  one.disconnect()
  two.disconnect()

  expect(records.map(({ args }) => args[0]?.toLowerCase())).toEqual(['set', 'get', 'eval', 'get'])
  expect(records.map(inScript)).toEqual([false, false, false, true])
  expect([...countBySource(records)].map(([source, count]) => [source === 'lua', count])).toEqual([
    [false, 1],
    [false, 2],
    [true, 1],
  ])
  expect(records.map(({ time }) => time)).toEqual(records.map(({ time }) => time).sort((a, b) => a - b))
})

test('a watch sees nothing of itself, and every command sent before its end', async () => {
  await using server = await startRedis()
  const client = server.client()
  await client.ping()
  await using watch = await watchCommands(server.url)
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`key:${i}`, i)))
  const records = await watch.stop()
  expect(records).toHaveLength(500)
  expect(countBySource(records).size).toBe(1)
})

test('a watch that broke says so instead of returning less', async () => {
  await using server = await startRedis()
  await using watch = await watchCommands(server.url)
  await server.kill()
  await expect(watch.stop()).rejects.toThrow()
})
