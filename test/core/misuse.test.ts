import { afterEach, describe, expect, it } from 'vitest'
import { type Cache, type Codec, createCache, memoryStore } from '../../src/index.ts'

const open: Cache[] = []
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())))

function cacheWith(options: object = {}): Cache {
  const cache = createCache({ namespace: 'misuse', ttl: 1000, ...options })
  open.push(cache)
  return cache
}

/** What users of JavaScript can do, and types would not let pass. */
const untyped = (value: unknown) => value as never

describe('misuse teaches:', () => {
  it('a codec that encodes to text', async () => {
    const codec = { id: 'text', encode: JSON.stringify, decode: JSON.parse } as unknown as Codec
    const cache = cacheWith({ codec })
    const reasons: string[] = []
    cache.on('uncacheable', ({ reason }) => reasons.push(reason))
    expect(await cache.getOrSet('key', () => 1)).toBe(1)
    expect(reasons).toEqual([expect.stringContaining("the codec 'text' must encode to a Uint8Array, got string")])
    await expect(cache.set('key', 1)).rejects.toThrow("the codec 'text' must encode to a Uint8Array, got string")
  })

  it('a codec without an id', () => {
    expect(() => cacheWith({ codec: { encode() {}, decode() {} } })).toThrow('codec must be { id, encode, decode }')
  })

  it.each([false, null, 5])('breaker: %s', (breaker) => {
    expect(() => cacheWith({ breaker })).toThrow('breaker must be { failures, retryAfter }')
  })

  it('a store that is none', () => {
    expect(() => cacheWith({ store: 'redis://localhost' })).toThrow('store must be a Store, as memoryStore() and')
  })

  it('misspelt options of the memory store', () => {
    expect(() => memoryStore(untyped({ max: 1 }))).toThrow(
      'memoryStore has no option "max"; it has maxEntries, maxBytes',
    )
  })

  it('an event that there is not, and no listener', () => {
    expect(() => cacheWith().on(untyped('hits'), () => {})).toThrow("there is no event 'hits'; there are '*', hit")
    expect(() => cacheWith().on('hit', untyped(undefined))).toThrow('on takes an event and a function')
  })

  it('one key for many', async () => {
    await expect(cacheWith().getMany(untyped('key'))).rejects.toThrow('getMany takes an array of keys')
    await expect(cacheWith().setMany(untyped({ a: 1 }))).rejects.toThrow('setMany takes [key, value] pairs')
  })

  it('wrap without a ttl, when it is wrapped', () => {
    const cache = cacheWith({ ttl: undefined })
    expect(() => cache.wrap(() => 1, { key: () => 'key' })).toThrow('wrap needs a ttl')
    expect(() => cache.wrap(() => 1, { key: () => 'key', ttl: -1 })).toThrow('ttl must be greater than 0')
  })
})

it('an argument that a call leaves out is not taken for the context', async () => {
  const greet = cacheWith().wrap(
    untyped((name: string, greeting = 'hello') => `${greeting} ${name}`),
    {
      key: untyped((name: string, greeting?: string) => [name, greeting]),
    },
  ) as unknown as (name: string, greeting?: string) => Promise<string>
  expect(await greet('ann')).toBe('hello ann')
  expect(await greet('ann', 'bye')).toBe('bye ann')
})
