import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CacheEventType, type ChannelMessage, createCache, type TraceMessage } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'

const uncached = () => () => 'a function'

describe('listeners', () => {
  it('of a type get that type, of * get all, until they unsubscribe', async () => {
    await using cache = createCache({ ttl: 1000 })
    const [hits, all] = [vi.fn(), vi.fn()]
    const stop = [cache.on('hit', hits), cache.on('*', all)]
    await cache.set('key', 1)
    await cache.get('key')
    expect(hits.mock.calls).toEqual([[{ type: 'hit', key: 'key' }]])
    expect(all.mock.calls.map(([event]) => event.type)).toEqual(['inbox', 'set', 'hit'])
    for (const end of stop) end()
    await cache.get('key')
    expect(hits).toHaveBeenCalledTimes(1)
    expect(all).toHaveBeenCalledTimes(3)
  })

  it('a function that listens twice hears twice, and each unsubscriber ends one', async () => {
    await using cache = createCache({ ttl: 1000 })
    const listener = vi.fn()
    const first = cache.on('miss', listener)
    const second = cache.on('miss', listener)
    await cache.get('key')
    expect(listener).toHaveBeenCalledTimes(2)
    first()
    first()
    await cache.get('key')
    expect(listener).toHaveBeenCalledTimes(3)
    second()
    await cache.get('key')
    expect(listener).toHaveBeenCalledTimes(3)
  })
})

describe('process warnings', () => {
  const warnings: (Error & { code?: string })[] = []
  const collect = (warning: Error) => void warnings.push(warning)

  beforeEach(() => {
    warnings.length = 0
    vi.useFakeTimers({ toFake: ['performance'] })
    process.on('warning', collect)
  })
  afterEach(() => {
    process.off('warning', collect)
    vi.useRealTimers()
  })

  it('tell of faults where nobody listens, once a minute for each kind', async () => {
    await using cache = createCache({ namespace: 'shop', ttl: 1000, shouldCache: () => JSON.parse('no') })
    await cache.getOrSet('a', () => 1)
    await cache.getOrSet('b', () => 1)
    await cache.getOrSet('c:1', uncached, { shouldCache: true })
    await turn()
    expect(warnings.map(({ name, code, message }) => ({ name, code, message }))).toEqual([
      {
        name: 'AtomcacheWarning',
        code: 'ATOMCACHE_POLICY_ERROR',
        message: expect.stringMatching(/^shop: the option shouldCache failed for a: /),
      },
      {
        name: 'AtomcacheWarning',
        code: 'ATOMCACHE_UNCACHEABLE',
        message: "shop: values of c:* can't be cached: a function",
      },
    ])
    vi.advanceTimersByTime(59_999)
    await cache.getOrSet('d', () => 1)
    await turn()
    expect(warnings).toHaveLength(2)
    vi.advanceTimersByTime(1)
    await cache.getOrSet('e', () => 1)
    await turn()
    expect(warnings).toHaveLength(3)
  })

  it('are silent about what is heard, and about what is no fault', async () => {
    await using cache = createCache({ ttl: 1000 })
    await cache.getOrSet('key', () => 1)
    await cache.get('key')
    await cache.get('none')
    const stop = cache.on('uncacheable', () => undefined)
    await cache.getOrSet('a:1', uncached)
    stop()
    cache.on('*', () => undefined)
    await cache.getOrSet('b:1', uncached)
    await turn()
    expect(warnings).toEqual([])
  })

  it('tell of a listener that throws, which breaks neither the call nor the other listeners', async () => {
    await using cache = createCache({ namespace: 'shop', ttl: 1000 })
    const after = vi.fn()
    cache.on('miss', () => {
      throw new Error('a bug in a listener')
    })
    cache.on('miss', after)
    cache.on('*', after)
    expect(await cache.getOrSet('key', () => 'value')).toBe('value')
    await turn()
    expect(after.mock.calls.filter(([event]) => event.type === 'miss')).toHaveLength(2)
    expect(warnings).toMatchObject([
      { code: 'ATOMCACHE_LISTENER', message: 'shop: a listener of miss threw: a bug in a listener' },
    ])
  })
})

onEveryStore((service) => {
  it('stats count each event, also those that nobody heard', async () => {
    const { cache, trace } = await service.open()
    await cache.getOrSet('key', () => 'value')
    await trace.saw('publish')
    await Promise.all([cache.get('key'), cache.getOrSet('key', () => 'unused')])
    const { events, ...now } = cache.stats()
    expect(now).toEqual({
      flights: 0,
      unconfirmed: 0,
      breaker: 'closed',
      inbox: true,
      memory: { entries: 0, bytes: 0 },
      places: {},
    })
    expect(events).toMatchObject({ miss: 1, lead: 1, publish: 1, hit: 2, join: 0, storeFault: 0, inbox: 1 })
    const type: CacheEventType = 'takeover'
    expect(events[type]).toBe(0)
    ;(events as Record<string, number>).hit = 100
    expect(cache.stats().events.hit).toBe(2)
  })

  it('stats tell how many flights are under way', async () => {
    const gates = gatedStore(service.store)
    const { cache, trace } = await service.open({ store: gates })
    const hold = gates.after('claim')
    const call = cache.getOrSet('key', () => 'value')
    await hold.reached
    expect(cache.stats().flights).toBe(1)
    hold.open()
    await call
    expect(cache.stats().flights).toBe(0)
    await trace.saw('publish')
  })

  it('the channel atomcache:event tells of all caches', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const messages: ChannelMessage[] = []
    const listen = (message: unknown) => {
      const { namespace } = message as ChannelMessage
      if (namespace === service.namespace) messages.push(message as ChannelMessage)
    }
    subscribe('atomcache:event', listen)
    try {
      await a.cache.get('key')
      await b.cache.get('key')
    } finally {
      unsubscribe('atomcache:event', listen)
    }
    await a.cache.get('key')
    expect(messages.map(({ event }) => event)).toEqual(Array(2).fill({ type: 'miss', key: 'key' }))
    expect(new Set(messages.map(({ instanceId }) => instanceId)).size).toBe(2)
  })

  it('the tracing channels tell of each call and of each run of a loader', async () => {
    const { cache } = await service.open()
    const error = new Error('no')
    const seen: string[] = []
    const listen = (name: string) => {
      const tell = (what: string) => (message: unknown) => {
        const { namespace, key, ...rest } = message as TraceMessage & { result?: unknown; error?: unknown }
        if (namespace !== service.namespace) return
        const came = 'error' in rest ? ` ${String(rest.error)}` : 'result' in rest ? ` ${String(rest.result)}` : ''
        seen.push(`${name} ${what} ${key}${came}`)
      }
      const handlers = {
        start: tell('start'),
        end() {},
        asyncStart() {},
        asyncEnd: tell('asyncEnd'),
        error: tell('error'),
      }
      tracingChannel(`atomcache:${name}`).subscribe(handlers)
      return () => tracingChannel(`atomcache:${name}`).unsubscribe(handlers)
    }
    const stop = [listen('getOrSet'), listen('load')]
    try {
      await cache.getOrSet('a', () => 'value')
      await cache.getOrSet('b', async () => Promise.reject(error)).catch(() => undefined)
      await cache.set('c', 'stored')
      await cache.getOrSet('c', () => 'unused')
    } finally {
      for (const end of stop) end()
    }
    expect(seen).toEqual([
      'getOrSet start a',
      'load start a',
      'load asyncEnd a value',
      'getOrSet asyncEnd a value',
      'getOrSet start b',
      'load start b',
      'load error b Error: no',
      'load asyncEnd b Error: no',
      'getOrSet error b Error: no',
      'getOrSet asyncEnd b Error: no',
      'getOrSet start c',
      'getOrSet asyncEnd c stored',
    ])
  })
})

/** Process warnings come in the next turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
