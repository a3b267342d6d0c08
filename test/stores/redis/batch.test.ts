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
})

describe('calls of one moment', () => {
  const sizesOf = (many: ReturnType<typeof vi.fn>) => many.mock.calls.map(([calls]) => calls.length)

  test('are made by as many commands as their weight needs', async () => {
    const many = vi.fn(async (calls: readonly number[]) => calls)
    const call = batched<number, number>({ most: 10, weigh: (weight) => weight, defer: queueMicrotask }, many)
    const weights = [4, 4, 4, 100, 1, 9, 1]
    expect(await Promise.all(weights.map(call))).toEqual(weights)
    expect(sizesOf(many)).toEqual([2, 1, 1, 2, 1]) // what is too heavy alone goes alone
  })

  test('fail each by itself, where the command has an error in the place of one', async () => {
    const many = async (calls: readonly number[]) => calls.map((n) => (n === 2 ? new Error('two') : n))
    const call = batched<number, number>({ most: 10, defer: queueMicrotask }, many)
    const results = await Promise.allSettled([1, 2, 3].map(call))
    expect(results).toMatchObject([{ value: 1 }, { reason: { message: 'two' } }, { value: 3 }])
  })

  test('of the next moment are of another command', async () => {
    const many = vi.fn(async (calls: readonly number[]) => calls)
    const call = batched<number, number>({ most: 10, defer: process.nextTick }, many)
    await Promise.all([call(1), Promise.resolve().then(() => call(2))])
    await call(3)
    expect(sizesOf(many)).toEqual([2, 1])
  })
})
