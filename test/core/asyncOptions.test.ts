import { afterEach, describe, expect, it } from 'vitest'
import { type Cache, createCache } from '../../src/index.ts'
import { traceOf } from './trace.ts'

const open: Cache[] = []
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())))

function cacheWith(options: object) {
  const cache = createCache({ namespace: 'async', ttl: 1000, ...options })
  open.push(cache)
  return { cache, trace: traceOf(cache) }
}

describe('an option that answers later', () => {
  it.each([
    ['shouldCache', async () => false],
    ['shouldCache', () => Promise.reject(new Error('later'))],
    ['ttl', async () => 1000],
    ['ttl', () => Promise.reject(new Error('later'))],
  ])('is refused: %s', async (option, answer) => {
    const { cache, trace } = cacheWith({ [option]: answer })
    expect(await cache.getOrSet('key', () => 'value')).toBe('value')
    expect(trace.of('policyError')).toMatchObject([{ option, error: { message: expect.stringContaining('promise') } }])
    expect(await cache.has('key')).toBe(false)
  })

  it('shareError shares nothing then', async () => {
    const { cache, trace } = cacheWith({ shareError: async () => true })
    await expect(cache.getOrSet('key', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(trace.of('policyError')).toMatchObject([{ option: 'shareError' }])
    expect(trace.of('loaderError')).toMatchObject([{ shared: false }])
  })
})

describe('a listener', () => {
  it('that fails later breaks nothing', async () => {
    const { cache } = cacheWith({})
    cache.on('miss', async () => {
      throw new Error('later')
    })
    expect(await cache.getOrSet('key', () => 1)).toBe(1)
  })

  it('that takes itself off and on again hears each event once', async () => {
    const { cache } = cacheWith({})
    let heard = 0
    const listen = (): (() => void) =>
      cache.on('miss', () => {
        heard++
        off()
        off = listen()
      })
    let off = listen()
    cache.on('miss', () => undefined)
    await cache.getOrSet('key', () => 1)
    expect(heard).toBe(1)
  })
})

it('loaders that all abort themselves do not run one after the other', async () => {
  const { cache } = cacheWith({})
  let runs = 0
  const load = async () => {
    runs++
    await new Promise((resolve) => setImmediate(resolve))
    throw new DOMException('aborted itself', 'AbortError')
  }
  const settled = await Promise.allSettled(Array.from({ length: 40 }, () => cache.getOrSet('key', load)))
  expect(settled.every(({ status }) => status === 'rejected')).toBe(true)
  expect(runs).toBe(3)
})

it('a timeout of the loader is the answer of all who wait for it', async () => {
  const { cache } = cacheWith({})
  let runs = 0
  const load = async () => {
    runs++
    await new Promise((resolve) => setImmediate(resolve))
    throw new DOMException('took too long', 'TimeoutError')
  }
  const settled = await Promise.allSettled(Array.from({ length: 40 }, () => cache.getOrSet('key', load)))
  expect(settled.every(({ status }) => status === 'rejected')).toBe(true)
  expect(runs).toBe(1)
})
