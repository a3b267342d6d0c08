import { expect, it } from 'vitest'
import type { WarmProgress } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'

onEveryStore((service) => {
  it('instances that warm the same keys compute each once', async () => {
    const all = [await service.open(), await service.open(), await service.open()]
    const keys = Array.from({ length: 30 }, (_, i) => ['product', i] as const)
    const loaded: number[] = []
    const load = async ([, n]: readonly ['product', number]) => {
      loaded.push(n)
      await new Promise(setImmediate)
      return n
    }
    const warmed = await Promise.all(all.map(({ cache }) => cache.warm(keys, load)))
    expect(loaded.toSorted((a, b) => a - b)).toEqual(keys.map(([, n]) => n))
    expect(warmed.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(30)
    for (const { loaded, present, failed } of warmed) {
      expect(loaded + present).toBe(30)
      expect(failed).toEqual([])
    }
    expect(await all[0]?.cache.getMany(keys)).toEqual(keys.map(([, n]) => n))
  })

  it('so many at once, and tells how far it is', async () => {
    const { cache } = await service.open()
    let [running, most] = [0, 0]
    const progress: WarmProgress[] = []
    const error = new Error('no 3')
    const warmed = await cache.warm(
      ['0', '1', '2', '3', '4', '5', '5'],
      async (key) => {
        most = Math.max(most, ++running)
        await new Promise(setImmediate)
        running--
        if (key === '3') throw error
        return key
      },
      { concurrency: 2, onProgress: (now) => progress.push(now), ttl: 1000 },
    )
    expect(most).toBe(2)
    expect(warmed).toEqual({ loaded: 5, present: 0, failed: [{ key: '3', error }] })
    expect(progress.map(({ done }) => done)).toEqual([1, 2, 3, 4, 5, 6])
    expect(progress.at(-1)).toEqual({ done: 6, failed: 1, total: 6 })
  })

  it('ends with its signal', async () => {
    const { cache } = await service.open()
    const controller = new AbortController()
    const loaded: string[] = []
    const load = (key: string) => {
      loaded.push(key)
      if (key === 'b') controller.abort('enough')
      return key
    }
    const warming = cache.warm(['a', 'b', 'c', 'd'], load, { concurrency: 1, signal: controller.signal })
    await expect(warming).rejects.toBe('enough')
    expect(loaded).toEqual(['a', 'b'])
  })

  it('refuses what it can not do', async () => {
    const { cache } = await service.open({ ttl: undefined })
    const load = () => 'value'
    await expect(cache.warm('key' as never, load)).rejects.toThrow('warm takes a list of keys')
    await expect(cache.warm(['key'], 'load' as never)).rejects.toThrow('warm takes keys and a function')
    await expect(cache.warm(['key'], load)).rejects.toThrow('warm needs a ttl')
    await expect(cache.warm(['key'], load, { ttl: 1000, concurrency: 0 })).rejects.toThrow('concurrency must be')
    await expect(cache.warm(['key'], load, { ttl: 1000, onProgress: 1 as never })).rejects.toThrow('onProgress must be')
    await expect(cache.warm(['key'], load, { ttl: 1000, limits: 1 } as never)).rejects.toThrow('has no option "limits"')
    await expect(cache.warm([Symbol('a')] as never, load, { ttl: 1000 })).rejects.toThrow(TypeError)
  })
})
