import { afterAll, describe, expect, test, vi } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { batched } from '../../../src/stores/redis/batch.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { watchCommands } from '../../redis/monitor.ts'
import { startRedis } from '../../redis/server.ts'

const server = await startRedis()
afterAll(() => server[Symbol.asyncDispose]())

describe('reads of one moment', () => {
  test('are one command, whatever each finds; one alone is a GET', async () => {
    await using cache = createCache({ store: redisStore(server.url), namespace: 'batch', ttl: 60_000 })
    await cache.setMany([
      ['a', 1],
      ['b', 2],
    ])
    await using watch = await watchCommands(server.url)
    const after = Promise.resolve().then(() => cache.get('b')) // in the same moment, and later
    expect(await Promise.all([cache.get('a'), cache.get('none'), cache.get('a'), after])).toEqual([1, undefined, 1, 2])
    expect(await cache.get('a')).toBe(1)
    const sent = (await watch.stop()).filter(({ args }) => args.some((arg) => String(arg).includes('batch')))
    expect(sent.map(({ args }) => [String(args[0]).toLowerCase(), args.length - 1])).toEqual([
      ['mget', 3],
      ['get', 1],
    ])
  })

  test('fail together, and each is answered', async () => {
    await using own = await startRedis()
    await using cache = createCache({ store: redisStore(own.url), namespace: 'batch', ttl: 60_000 })
    await cache.set('a', 1)
    await own.kill()
    const load = (value: number) => cache.getOrSet(`key ${value}`, () => value)
    expect(await Promise.all([cache.get('a'), load(2), load(3)])).toEqual([undefined, 2, 3])
  })

  test('are of at most 1,000 keys a command', async () => {
    const one = vi.fn(async (key: string) => key)
    const many = vi.fn(async (keys: readonly string[]) => keys)
    const read = batched(one, many)
    const keys = Array.from({ length: 2500 }, (_, i) => `key ${i}`)
    expect(await Promise.all(keys.map(read))).toEqual(keys)
    expect(many.mock.calls.map(([some]) => some.length)).toEqual([1000, 1000, 500])
    expect(one).not.toHaveBeenCalled()
  })
})
