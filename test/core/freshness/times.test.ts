import { describe, expect, it, vi } from 'vitest'
import { onEveryStore } from '../everyStore.ts'

onEveryStore((service) => {
  it('jitter ends entries earlier, each by another part of the ttl', async () => {
    const { cache } = await service.open({ jitter: 0.5 })
    const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`)
    await cache.setMany(
      keys.map((key) => [key, key] as const),
      { ttl: 60_000 },
    )
    await Promise.all(keys.map((key) => cache.getOrSet(`led:${key}`, () => key)))
    for (const prefix of ['', 'led:']) {
      const entries = await Promise.all(keys.map((key) => vi.waitFor(async () => lifeOf(prefix + key))))
      for (const life of entries) {
        expect(life).toBeLessThanOrEqual(60_001)
        expect(life).toBeGreaterThan(29_900)
      }
      // Fifty times by chance within a tenth of the range: once in 10^48.
      expect(Math.max(...entries) - Math.min(...entries)).toBeGreaterThan(3000)
    }

    async function lifeOf(key: string): Promise<number> {
      const { ttl, age } = (await cache.entry(key)) as { ttl: number; age: number }
      return ttl + age
    }
  })

  describe('negativeTtl', () => {
    it('is of null and undefined, which have no stale windows', async () => {
      const { cache, trace } = await service.open({ negativeTtl: 20_000, staleWhileRevalidate: 60_000 })
      for (const [i, value] of [null, undefined, 0, '', false].entries()) await cache.getOrSet(`key:${i}`, () => value)
      await trace.saw('publish', 5)
      const ttls = await Promise.all([0, 1, 2, 3, 4].map(async (i) => (await cache.entry(`key:${i}`))?.ttl ?? 0))
      expect(ttls.map((ttl) => Math.round(ttl / 10_000))).toEqual([2, 2, 6, 6, 6])
    })

    it('is of what isNegative says, also with set', async () => {
      const { cache, trace } = await service.open({ negativeTtl: 20_000 })
      const options = { isNegative: (list: number[]) => list.length === 0 }
      await cache.getOrSet('led', (): number[] => [], options)
      await trace.saw('publish')
      await cache.set('set', [], options)
      await cache.set('full', [1], options)
      const ttls = await Promise.all(['led', 'set', 'full'].map(async (key) => (await cache.entry(key))?.ttl ?? 0))
      expect(ttls.map((ttl) => Math.round(ttl / 10_000))).toEqual([2, 2, 6])
    })

    it('of 0 is shared, not stored', async () => {
      const { cache, trace } = await service.open({ negativeTtl: 0 })
      expect(await cache.getOrSet('key', () => null)).toBeNull()
      await trace.saw('share')
      expect(await cache.has('key')).toBe(false)
    })

    it('where isNegative fails nothing is stored, and that is told', async () => {
      const { cache, trace } = await service.open({ negativeTtl: 0 })
      const isNegative = () => {
        throw new Error('broken')
      }
      expect(await cache.getOrSet('key', () => 'value', { isNegative })).toBe('value')
      expect(trace.of('policyError')[0]).toMatchObject({ key: 'key', option: 'isNegative' })
      expect(await cache.has('key')).toBe(false)
    })
  })

  it('a value whose loader took long is refreshed early, behind the answer, by one instance', async () => {
    const options = { earlyRefresh: { beta: 1000 } }
    const [a, b] = [await service.open(options), await service.open(options)]
    const slow = async (value: string) => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      return value
    }
    expect(await a.cache.getOrSet('key', () => slow('old'))).toBe('old')
    await a.trace.saw('publish')
    // -100 ms × 1,000 × ln(random) is beyond the minute that it has with a chance of more than a half.
    await vi.waitFor(async () => {
      expect(await b.cache.getOrSet('key', () => slow('new'))).toBe('old')
      expect(b.trace.of('refresh')).toHaveLength(1)
    })
    expect(await a.cache.getOrSet('key', () => slow('never'))).toBe('old')
    await b.trace.saw('publish')
    expect(await a.cache.get('key')).toBe('new')
    expect(b.trace.types.filter((type) => type === 'stale' || type === 'miss')).toEqual([])
  })
})
