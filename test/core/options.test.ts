import { describe, expect, it } from 'vitest'
import { type CacheOptions, type CallOptions, createCache, type RequestOptions } from '../../src/index.ts'

type Wrong = readonly [options: object, error: ErrorConstructor, message: string]

const OF_CALLS: readonly Wrong[] = [
  [{ ttl: 0 }, RangeError, 'ttl must be greater than 0 (ms), Infinity, or a function of the value, got 0'],
  [{ ttl: -1 }, RangeError, 'ttl must be greater than 0 (ms), Infinity, or a function of the value, got -1'],
  [{ ttl: Number.NaN }, RangeError, 'ttl must be greater than 0 (ms), Infinity, or a function of the value, got NaN'],
  [{ ttl: '60' }, RangeError, 'ttl must be greater than 0 (ms), Infinity, or a function of the value, got "60"'],
  [{ ttl: null }, RangeError, 'ttl must be greater than 0 (ms), Infinity, or a function of the value, got null'],
  [{ shouldCache: 'yes' }, TypeError, 'shouldCache must be a boolean or a function of the value, got "yes"'],
  [{ leaseTtl: 99 }, RangeError, 'leaseTtl must be at least 100 (ms), got 99'],
  [{ leaseTtl: Number.POSITIVE_INFINITY }, RangeError, 'leaseTtl must be finite (ms), got Infinity'],
  [{ leaseTtl: '5s' }, RangeError, 'leaseTtl must be at least 100 (ms), got "5s"'],
  [
    { leaseTtl: 200, maxFlightTime: 199 },
    RangeError,
    'maxFlightTime must be at least leaseTtl (200 ms) and below one day (86400000 ms), got 199',
  ],
  [
    { maxFlightTime: 86_400_000 },
    RangeError,
    'maxFlightTime must be at least leaseTtl (5000 ms) and below one day (86400000 ms), got 86400000',
  ],
  [{ waitTimeout: 0 }, RangeError, 'waitTimeout must be greater than 0 (ms) or Infinity, got 0'],
  [{ waitTimeout: Number.NaN }, RangeError, 'waitTimeout must be greater than 0 (ms) or Infinity, got NaN'],
  [{ onWaitTimeout: 'wait' }, RangeError, "onWaitTimeout must be 'load', 'stale' or 'throw', got \"wait\""],
  [{ shareError: true }, TypeError, 'shareError must be a function of the error, got true'],
  [{ codec: {} }, TypeError, 'codec must be { id, encode, decode } with an id of 1 to 32 characters'],
  [{ codec: codec('Über') }, TypeError, "of a-z, 0-9, '.', '_' and '-', got an object"],
  [
    { codec: codec('x'.repeat(33)) },
    TypeError,
    'codec must be { id, encode, decode } with an id of 1 to 32 characters',
  ],
  [{ codec: codec('json') }, RangeError, "codec.id 'json' is taken by a built-in codec: choose another"],
  [{ codec: codec('rich') }, RangeError, "codec.id 'rich' is taken by a built-in codec: choose another"],
]

const OF_CACHES: readonly Wrong[] = [
  [{ namespace: '' }, RangeError, 'namespace must be 1 to 100 characters without braces and white space, got ""'],
  [{ namespace: 'a b' }, RangeError, 'namespace must be 1 to 100 characters without braces and white space, got "a b"'],
  [{ namespace: '{a}' }, RangeError, 'namespace must be 1 to 100 characters without braces and white space, got "{a}"'],
  [{ namespace: 'x'.repeat(101) }, RangeError, 'namespace must be 1 to 100 characters'],
  [{ namespace: '\ud800' }, RangeError, 'namespace must be 1 to 100 characters'],
  [{ namespace: 5 }, RangeError, 'namespace must be 1 to 100 characters without braces and white space, got 5'],
  [{ version: '' }, RangeError, 'version must be a string of 1 to 100 characters, got ""'],
  [{ version: 2 }, RangeError, 'version must be a string of 1 to 100 characters, got 2'],
  [{ enabled: 'yes' }, TypeError, 'enabled must be a boolean or a function that returns one, got "yes"'],
  [{ commandTimeout: 0 }, RangeError, 'commandTimeout must be at least 1 (ms), got 0'],
  [{ breaker: { failures: 0 } }, RangeError, 'breaker.failures must be an integer of at least 1, got 0'],
  [{ breaker: { failures: 1.5 } }, RangeError, 'breaker.failures must be an integer of at least 1, got 1.5'],
  [{ breaker: { retryAfter: 0 } }, RangeError, 'breaker.retryAfter must be at least 1 (ms), got 0'],
  [{ breaker: { after: 1 } }, TypeError, 'breaker has no option "after"; it has failures, retryAfter'],
  [{ maxEntryBytes: 0 }, RangeError, 'maxEntryBytes must be at least 1 (bytes), got 0'],
  [{ maxTags: 0 }, RangeError, 'maxTags must be an integer of at least 1, got 0'],
  [{ maxTags: 1.5 }, RangeError, 'maxTags must be an integer of at least 1, got 1.5'],
  [{ maxTags: Number.POSITIVE_INFINITY }, RangeError, 'maxTags must be an integer of at least 1, got Infinity'],
  [{ maxTags: '5' }, RangeError, 'maxTags must be an integer of at least 1, got "5"'],
  [{ maxTags: null }, RangeError, 'maxTags must be an integer of at least 1, got null'],
  [{ Ttl: 5 }, TypeError, 'createCache has no option "Ttl"; it has namespace, store,'],
  [{ forceRefresh: true }, TypeError, 'createCache has no option "forceRefresh"; it has namespace'],
]

const OF_REQUESTS: readonly Wrong[] = [
  [{ signal: {} }, TypeError, 'signal must be an AbortSignal, got an object'],
  [{ namespace: 'a' }, TypeError, 'a call has no option "namespace"; it has ttl, tags, shouldCache'],
  [{ tll: 5 }, TypeError, 'a call has no option "tll"; it has ttl'],
  [{ maxTags: 5 }, TypeError, 'a call has no option "maxTags"; it has ttl'],
  [{ tag: 'x' }, TypeError, 'a call has no option "tag"; it has ttl, tags'],
]

describe('createCache', () => {
  it.for([...OF_CALLS, ...OF_CACHES])('refuses %o', ([options, error, message]) => {
    expect(errorOf(() => createCache(options as CacheOptions))).toBeInstanceOf(error)
    expect(() => createCache(options as CacheOptions)).toThrow(message)
  })

  it('refuses what is no object of options', () => {
    expect(() => createCache(null as never)).toThrow('createCache takes an object of options')
    expect(() => createCache('redis://localhost' as never)).toThrow('createCache takes an object of options')
  })

  it.for<CacheOptions>([
    {},
    { ttl: Number.POSITIVE_INFINITY, waitTimeout: Number.POSITIVE_INFINITY },
    { leaseTtl: 100, maxFlightTime: 100 },
    { leaseTtl: 86_399_999 },
    { namespace: 'größe/ü:💡' },
    { ttl: undefined, store: undefined, breaker: undefined, codec: undefined },
    { breaker: { failures: undefined } },
    { maxTags: 1, tags: ['x', 'x'] },
    { maxTags: undefined, tags: undefined },
    { tags: () => [] },
  ])('takes %o', async (options) => {
    await using cache = createCache(options)
    expect(cache.stats().breaker).toBe('closed')
  })
})

describe('a call', () => {
  const cache = createCache({ ttl: 1000 })
  const methods: Readonly<Record<string, (options: never) => Promise<unknown>>> = {
    getOrSet: (options) => cache.getOrSet('key', () => 1, options),
    claim: (options) => cache.claim('key', options),
  }
  const writes: Readonly<Record<string, (options: never) => Promise<unknown>>> = {
    set: (options) => cache.set('key', 1, options),
    setMany: (options) => cache.setMany([['key', 1]], options),
  }
  const OF_WRITES = OF_CALLS.filter(([options]) => ['ttl', 'codec'].includes(Object.keys(options)[0] ?? ''))
  const OF_NO_WRITE = ['leaseTtl', 'shouldCache', 'signal', 'forceRefresh', 'tag'].map(
    (name): Wrong => [{ [name]: 5 }, TypeError, `set has no option "${name}"; it has ttl, tags, codec`],
  )

  describe.for([
    ...Object.entries(methods).map(([name, call]) => [name, call, [...OF_CALLS, ...OF_REQUESTS]] as const),
    ...Object.entries(writes).map(([name, call]) => [name, call, [...OF_WRITES, ...OF_NO_WRITE]] as const),
  ])('of %s', ([, call, wrong]) => {
    it.for(wrong)('refuses %o', async ([options, error, message]) => {
      const rejected = call(options as never)
      await expect(rejected).rejects.toThrow(message)
      await expect(rejected).rejects.toBeInstanceOf(error)
    })

    it('refuses what is no object', async () => {
      await expect(call(5000 as never)).rejects.toThrow('options must be an object, got 5000')
    })
  })

  it('refuses what is no key, whatever the method', async () => {
    for (const key of [undefined, null, 5, {}, new Date()]) {
      for (const call of [
        cache.getOrSet(key as never, () => 1),
        cache.get(key as never),
        cache.has(key as never),
        cache.entry(key as never),
        cache.getMany([key as never]),
        cache.set(key as never, 1),
        cache.delete(key as never),
        cache.claim(key as never),
      ]) {
        await expect(call).rejects.toThrow('a key is a string or an array of values')
      }
    }
    await expect(cache.get(['a', () => 1])).rejects.toThrow('key[1] is a function: put a name into the key')
  })

  it('a default that derives from another option follows it where a call says that one', async () => {
    await using other = createCache({ ttl: 1000, leaseTtl: 1000 })
    const options: CallOptions & RequestOptions = { leaseTtl: 20_000 }
    expect(await other.getOrSet('key', () => 'value', options)).toBe('value')
  })

  it('has the options of its cache where it says undefined', async () => {
    await using other = createCache({ ttl: 1000 })
    expect(await other.getOrSet('key', () => 1, { ttl: undefined, signal: undefined, codec: undefined })).toBe(1)
  })
})

function codec(id: string) {
  return { id, encode: () => new Uint8Array(), decode: () => undefined }
}

function errorOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}
