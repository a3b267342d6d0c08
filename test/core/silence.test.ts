import { expect, it } from 'vitest'
import { type CacheOptions, StoreError } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { type GatedStep, gatedStore } from './gates.ts'

const MANY = Array.from({ length: 350 }, (_, i) => `name ${i}`)

onEveryStore((service) => {
  /** How often the step had been asked for when each of its faults was told. */
  async function faultsOf(step: GatedStep, options: Partial<CacheOptions> = {}) {
    const gates = gatedStore(service.store)
    const { cache } = await service.open({ store: gates, ...options })
    const asked: number[] = []
    cache.on('storeFault', () => asked.push(gates.count(step)))
    return { gates, cache, asked }
  }

  it('many keys are removed in parts; after one that was not answered all that are left at once', async () => {
    const { gates, cache, asked } = await faultsOf('remove', { commandTimeout: 50 })
    gates.silent = true
    await expect(cache.invalidate({ keys: MANY })).rejects.toMatchObject({ keys: { length: 350 } })
    expect(asked.slice(0, 2)).toEqual([1, 4])
  })

  it('so are many tags', async () => {
    const { gates, cache, asked } = await faultsOf('mark')
    gates.fails(new StoreError('UNREACHABLE', 'nobody there'), 'mark')
    await expect(cache.invalidate({ tags: MANY })).rejects.toMatchObject({ tags: { length: 350 } })
    expect([asked[99], asked[100]]).toEqual([100, 350])
  })

  it('so are many writes', async () => {
    const { gates, cache, asked } = await faultsOf('set')
    gates.fails(new StoreError('TIMEOUT', 'no reply'), 'set')
    await expect(cache.setMany(MANY.map((name) => [name, 1]))).rejects.toMatchObject({ keys: { length: 350 } })
    expect([asked[99], asked[100]]).toEqual([100, 350])
  })

  it('what the store refuses is no silence: the others keep their pace', async () => {
    const { gates, cache, asked } = await faultsOf('set')
    gates.fails(new StoreError('REFUSED', 'no right'), 'set')
    await expect(cache.setMany(MANY.map((name) => [name, 1]))).rejects.toMatchObject({ keys: { length: 350 } })
    expect([asked[99], asked[100]]).toEqual([100, 200])
  })
})
