import { describe, expect, it, vi } from 'vitest'
import { createCache, memoryStore, StoreError } from '../../../src/index.ts'
import { setStale } from '../freshness/staleness.ts'
import { gatedStore } from '../gates.ts'
import { createOrigin } from '../origin.ts'

const ONE = { limit: { group: 'database', leaders: 1 } }

describe('where the store does not answer', () => {
  it('each instance keeps to the limit by itself, in order', async () => {
    const gated = gatedStore(memoryStore())
    const cache = createCache({ store: gated, ttl: 60_000, ...ONE })
    gated.fails(new StoreError('UNREACHABLE', 'no connection'))
    const faults: string[] = []
    cache.on('storeFault', ({ op }) => faults.push(op))
    const origin = createOrigin()
    const asked = ['k0', 'k1', 'k2'].map((key) => cache.getOrSet(key, origin.load))
    for (const i of [0, 1, 2]) {
      const run = await origin.started(i + 1)
      await vi.waitUntil(() => faults.length >= 6)
      expect(origin.runs).toHaveLength(i + 1)
      run.finish(`value ${i}`)
    }
    expect(await Promise.all(asked)).toEqual(['value 0', 'value 1', 'value 2'])
    await cache.close()
  })

  it('a place of the store counts among those of the instance', async () => {
    const gated = gatedStore(memoryStore())
    const cache = createCache({ store: gated, ttl: 60_000, ...ONE })
    const origin = createOrigin()
    const first = cache.getOrSet('first', origin.load)
    await origin.started()
    gated.fails(new StoreError('UNREACHABLE', 'no connection'))
    const heard = new Promise((resolve) => cache.on('alone', resolve))
    const faulted = new Promise<void>((resolve) => cache.on('storeFault', ({ op }) => op === 'enter' && resolve()))
    const second = cache.getOrSet('second', origin.load)
    await faulted
    expect(origin.runs).toHaveLength(1)
    origin.runs[0]?.finish('one')
    ;(await origin.started(2)).finish('two')
    await heard
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
    await cache.close()
  })
})

describe('where the store does not answer for a while', () => {
  it('what is stale is answered, those who wait go back to its queue, and no place is forgotten', async () => {
    const gated = gatedStore(memoryStore())
    const window = { staleIfError: 60_000 }
    const breaker = { failures: 1, retryAfter: 50 }
    const options = { ttl: 60_000, ...ONE, ...window, breaker, namespace: 'while' }
    const [a, b] = [createCache({ store: gated, ...options }), createCache({ store: gated, ...options })]
    await setStale(a, 'key', 'old', window)
    const origin = createOrigin()
    const first = a.getOrSet('first', origin.load)
    await origin.started()
    const second = b.getOrSet('second', origin.load)
    await vi.waitUntil(() => b.stats().events.queue === 1)
    gated.fails(new StoreError('REFUSED', 'no right'), 'enter')
    expect(await a.getOrSet('key', origin.load)).toBe('old')
    expect(a.stats().places).toEqual({ database: { running: 1, waiting: 1 } })
    gated.heals()
    const before = gated.count('enter')
    // A's second ticket stands behind B's.
    await gated.asked('enter', before + 1)
    origin.runs[0]?.finish('one')
    expect((await origin.started(2)).key).toBe('second')
    origin.runs[1]?.finish('two')
    ;(await origin.started(3)).finish('new')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
    await vi.waitUntil(() => Object.keys(a.stats().places).length === 0)
    await Promise.all([a.close(), b.close()])
  })

  it('a place is left that a renewal was not answered for', async () => {
    const gated = gatedStore(memoryStore())
    const options = { ttl: 60_000, ...ONE, breaker: { failures: 1, retryAfter: 60_000 }, namespace: 'left' }
    const [a, b] = [createCache({ store: gated, ...options, leaseTtl: 900 }), createCache({ store: gated, ...options })]
    const origin = createOrigin()
    const first = a.getOrSet('first', origin.load)
    await origin.started()
    const other = b.getOrSet('other', origin.load)
    await vi.waitUntil(() => b.stats().events.queue === 1)
    gated.fails(new StoreError('UNREACHABLE', 'away'), 'read')
    await a.get('x')
    expect(a.stats().breaker).toBe('open')
    gated.heals()
    // Its renewal is not sent meanwhile.
    const openedAt = performance.now()
    await vi.waitUntil(() => performance.now() - openedAt > 500)
    origin.runs[0]?.finish('one')
    expect(await first).toBe('one')
    await gated.asked('leave', 1)
    ;(await origin.started(2)).finish('other')
    expect(await other).toBe('other')
    await Promise.all([a.close(), b.close()])
  })
})
