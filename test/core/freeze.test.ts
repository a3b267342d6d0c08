import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

/** The mode is read once, where the module is loaded. */
async function loadIn(mode: string) {
  vi.stubEnv('NODE_ENV', mode)
  vi.resetModules()
  return import('../../src/index.ts')
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.resetModules()
})

describe('in development', () => {
  let atomcache: typeof import('../../src/index.ts')
  beforeEach(async () => {
    atomcache = await loadIn('development')
  })

  it('what callers share is frozen, deeply, whoever computed it', async () => {
    await using cache = atomcache.createCache({ ttl: 1000 })
    const value = { list: [{ name: 'Ada' }], map: new Map([['a', 1]]) }
    const computed = await cache.getOrSet('key', () => value)
    expect(computed).toBe(value)
    expect(() => computed.list.push({ name: 'Bob' })).toThrow(TypeError)
    expect(() => {
      ;(computed.list[0] as { name: string }).name = 'Bob'
    }).toThrow(TypeError)
    // Only plain data: a Map could not be frozen anyway.
    computed.map.set('b', 2)

    await cache.set('other', { list: [1] })
    for (const stored of [
      await cache.get<{ list: number[] }>('other'),
      await cache.getOrSet('other', () => ({ list: [] as number[] })),
      (await cache.entry<{ list: number[] }>('other'))?.value,
      (await cache.getMany<{ list: number[] }>(['other']))[0],
    ]) {
      expect(Object.isFrozen(stored)).toBe(true)
      expect(() => stored?.list.push(2)).toThrow(TypeError)
    }
  })

  it('what another instance computed is frozen', async () => {
    const store = atomcache.memoryStore()
    await using a = atomcache.createCache({ store, ttl: 1000 })
    await using b = atomcache.createCache({ store, ttl: 1000 })
    let finish!: (value: object) => void
    const led = a.getOrSet('key', () => new Promise<object>((resolve) => (finish = resolve)))
    await vi.waitFor(() => expect(finish).toBeDefined())
    const followed = b.getOrSet('key', () => ({ own: true }))
    await new Promise((resolve) => b.on('follow', resolve))
    finish({ a: { b: 1 } })
    for (const value of await Promise.all([led, followed])) expect(Object.isFrozen(value)).toBe(true)
  })

  it('what is given to set, and what circles, is not its business', async () => {
    await using cache = atomcache.createCache({ ttl: 1000 })
    const given = { list: [1] }
    await cache.set('key', given)
    given.list.push(2)
    const circle: { self?: object } = {}
    circle.self = circle
    expect(Object.isFrozen(await cache.getOrSet('circle', () => circle))).toBe(true)
  })
})

describe.each(['production', 'test', ''])("in mode '%s'", (mode) => {
  it('nothing is frozen', async () => {
    const { createCache } = await loadIn(mode)
    await using cache = createCache({ ttl: 1000 })
    const value = await cache.getOrSet('key', () => ({ list: [1] }))
    value.list.push(2)
    await cache.set('other', { list: [1] })
    expect(Object.isFrozen(await cache.get('other'))).toBe(false)
  })
})
