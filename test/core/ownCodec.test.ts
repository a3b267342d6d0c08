import { expect, it } from 'vitest'
import type { Codec } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'

/** Text, reversed, so that it is no built-in codec's. */
const reversed: Codec = {
  id: 'reversed-1',
  encode: (value) => Buffer.from([...JSON.stringify(value)].reverse().join('')),
  decode: (bytes) => JSON.parse([...Buffer.from(bytes).toString()].reverse().join('')),
}

const slow: Codec = {
  id: 'slow.1',
  encode: async (value) => {
    await new Promise((resolve) => setImmediate(resolve))
    return reversed.encode(value)
  },
  decode: async (bytes) => {
    await new Promise((resolve) => setImmediate(resolve))
    return reversed.decode(bytes)
  },
}

onEveryStore((service) => {
  it.for([reversed, slow])('a codec of the cache writes and reads: %o', async (codec) => {
    const [a, b] = [await service.open({ codec }), await service.open({ codec })]
    expect(await a.cache.getOrSet('key', () => ({ a: 1 }))).toEqual({ a: 1 })
    await a.trace.saw('publish')
    expect(await b.cache.get('key')).toEqual({ a: 1 })
    expect(await b.cache.getMany(['key', 'none'])).toEqual([{ a: 1 }, undefined])
    await b.cache.set('key', [2])
    expect(await a.cache.getOrSet('key', () => [3])).toEqual([2])
  })

  it('a codec may give any Uint8Array, also a part of a larger buffer', async () => {
    const codec: Codec = {
      id: 'part',
      encode: (value) => new Uint8Array(Buffer.from(`--${String(value)}--`)).subarray(2, -2),
      decode: (bytes) => Buffer.from(bytes).toString(),
    }
    const { cache, trace } = await service.open({ codec })
    await cache.getOrSet('key', () => 'täxt')
    await trace.saw('publish')
    expect(await cache.get('key')).toBe('täxt')
  })

  it('a codec of one call is known to its instance from then on', async () => {
    const [a, b] = [await service.open(), await service.open()]
    await a.cache.set('key', 'value', { codec: reversed })
    expect(await a.cache.get('key')).toBe('value')
    expect(await b.cache.getOrSet('key', () => 'computed', { codec: reversed })).toBe('value')
  })

  it('an entry of a codec that is not known here is a miss, told, and computed anew', async () => {
    const [a, b] = [await service.open({ codec: reversed }), await service.open()]
    await a.cache.set('key', 'old')
    b.trace.clear()
    expect(await b.cache.getOrSet('key', () => 'new')).toBe('new')
    await b.trace.saw('publish')
    expect(b.trace.types.filter((type) => type !== 'invalidate')).toEqual(['foreign', 'miss', 'lead', 'publish'])
    expect(b.trace.of('foreign')[0]).toEqual({ type: 'foreign', key: 'key', reason: "no codec 'reversed-1' here" })
    expect(await b.cache.get('key')).toBe('new')
  })

  it.for<[string, Codec]>([
    ['at once', { ...reversed, decode: fails }],
    ['later', { ...slow, decode: async () => fails() }],
  ])('a codec that can not read %s is a miss, told, and computed anew', async ([, codec]) => {
    const { cache, trace } = await service.open({ codec })
    await cache.set('key', 'old')
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    expect(trace.of('foreign')[0]?.reason).toBe(`the codec '${codec.id}' can't read it: it failed`)
    await trace.saw('publish')
  })

  it.for<[string, Codec]>([
    ['at once', { ...reversed, encode: fails }],
    ['later', { ...slow, encode: async () => fails() }],
  ])('a codec that can not write %s costs the storing, not the answer', async ([, codec]) => {
    const { cache, trace } = await service.open({ codec })
    expect(await cache.getOrSet(['thing', 1], () => 'value')).toBe('value')
    expect(await trace.saw('uncacheable')).toEqual({
      type: 'uncacheable',
      key: '["thing",1]',
      shape: '["thing",number]',
      reason: `the codec '${codec.id}' can't write it: it failed`,
      path: '',
    })
    expect(await cache.has(['thing', 1])).toBe(false)
    await expect(cache.set('key', 1)).rejects.toThrow('it failed')
  })

  it("a codec of one's own may keep what the built-in ones refuse", async () => {
    class User {
      readonly name: string
      constructor(name: string) {
        this.name = name
      }
    }
    const codec: Codec = {
      id: 'user',
      encode: (user) => Buffer.from((user as User).name),
      decode: (bytes) => new User(Buffer.from(bytes).toString()),
    }
    const [a, b] = [await service.open({ codec }), await service.open({ codec })]
    await a.cache.getOrSet('key', () => new User('Ada'))
    await a.trace.saw('publish')
    expect(await b.cache.get('key')).toEqual(new User('Ada'))
  })
})

function fails(): never {
  throw new Error('it failed')
}
