import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createCache, memoryStore } from '../../src/index.ts'
import { createOrigin } from './origin.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('no timers are left behind a hit, a miss, a follower and a join', async () => {
  const store = memoryStore()
  const [a, b] = [createCache({ store, ttl: 1000 }), createCache({ store, ttl: 1000 })]
  const origin = createOrigin()
  const calls = [a, a, b, b].map((cache) => cache.getOrSet('key', origin.load))
  ;(await origin.started()).finish('value')
  await Promise.all(calls)
  await a.getOrSet('key', origin.load)
  await b.invalidate({ keys: ['key'] })
  await turn()
  expect(vi.getTimerCount()).toBe(0)
  expect(origin.runs).toHaveLength(1)
})

it('no timers are left behind an error, a caller that left, and one past its limit', async () => {
  const cache = createCache({ ttl: 1000 })
  const origin = createOrigin()
  const failed = expect(cache.getOrSet('failed', origin.load)).rejects.toThrow('no')
  ;(await origin.started()).fail(new Error('no'))
  await failed
  const leaving = new AbortController()
  const left = expect(cache.getOrSet('left', origin.load, { signal: leaving.signal })).rejects.toBe('gone')
  const run = await origin.started(2)
  const late = cache.getOrSet('left', origin.load, { waitTimeout: 100, onWaitTimeout: 'throw' })
  const limited = expect(late).rejects.toThrow('waited 100 ms')
  await turn()
  await vi.advanceTimersByTimeAsync(100)
  await limited
  leaving.abort('gone')
  await left
  await turn()
  expect(run.signal.aborted).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

it('no timers are left behind close, in the middle of leading and following', async () => {
  const store = memoryStore()
  const [a, b] = [createCache({ store, ttl: 1000 }), createCache({ store, ttl: 1000 })]
  const origin = createOrigin()
  const calls = [a, b].map((cache) => cache.getOrSet('key', origin.load))
  await origin.started()
  await turn()
  expect(vi.getTimerCount()).toBeGreaterThan(0)
  await Promise.all([a.close(), b.close()])
  for (const run of [await origin.started(1), await origin.started(2)]) run.finish('value')
  expect(await Promise.all(calls)).toEqual(['value', 'value'])
  await turn()
  expect(vi.getTimerCount()).toBe(0)
})

it('a lease is renewed at a third of it, and no longer than maxFlightTime', async () => {
  const cache = createCache({ ttl: 1000, leaseTtl: 300, maxFlightTime: 900 })
  const other = createCache({ ttl: 1000, leaseTtl: 300 })
  const overdue = vi.fn()
  cache.on('overdue', overdue)
  const origin = createOrigin()
  void cache.getOrSet('key', origin.load)
  const run = await origin.started()
  await vi.advanceTimersByTimeAsync(890)
  expect(overdue).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(20)
  expect(overdue).toHaveBeenCalledTimes(1)
  // New callers do not wait for a flight that is as good as lost.
  const next = cache.getOrSet('key', origin.load)
  await vi.advanceTimersByTimeAsync(400)
  ;(await origin.started(2)).finish('new')
  expect(await next).toBe('new')
  run.finish('old')
  await turn()
  expect(await cache.get('key')).toBe('new')
  await Promise.all([cache.close(), other.close()])
})

it('exactly one follower takes over a lease that is not renewed, within a margin of its end', async () => {
  const store = memoryStore()
  const [dead, a, b] = [1, 2, 3].map(() => createCache({ store, ttl: 1000, leaseTtl: 300 }))
  // Whoever claims by hand through the store's own session is nobody's instance: it never renews.
  const session = store.open({ namespace: 'atomcache', instanceId: 'dead', commandTimeout: 250, tell() {} })
  await session.claim('key', { token: 'deadbeefdeadbeef', seen: 'none', lease: 300 })
  const takeovers = vi.fn()
  for (const cache of [a, b]) cache?.on('takeover', takeovers)
  const origin = createOrigin()
  const calls = [a, b].map((cache) => cache?.getOrSet('key', origin.load))
  await turn()
  await vi.advanceTimersByTimeAsync(299)
  expect(origin.runs).toHaveLength(0)
  await vi.advanceTimersByTimeAsync(12)
  ;(await origin.started()).finish('value')
  expect(await Promise.all(calls)).toEqual(['value', 'value'])
  expect(origin.runs).toHaveLength(1)
  expect(takeovers).toHaveBeenCalledTimes(1)
  expect(takeovers.mock.calls[0]?.[0]).toMatchObject({ key: 'key', from: 'deadbeefdeadbeef' })
  await Promise.all([dead, a, b].map((cache) => cache?.close()))
})

/** One turn of the event loop: what needs no timer has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
