import { expect, it } from 'vitest'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

/** ms: far longer than any test takes; whoever would wait for it fails by the time limit of the test. */
const LONG = 60_000
const patient = { leaseTtl: LONG, maxFlightTime: 2 * LONG, waitTimeout: 4 * LONG, commandTimeout: 10_000 }

onEveryStore((service) => {
  it('a claim that the store grants while its cache closes is given back, not led', async () => {
    const store = gatedStore(service.store)
    const [a, b] = [await service.open({ ...patient, store }), await service.open(patient)]
    const reply = store.after('claim')
    const value = a.cache.getOrSet('key', () => 'of a')
    await reply.reached
    const closed = a.cache.close()
    reply.open()
    await closed
    expect(await value).toBe('of a')
    expect(a.trace.types).not.toContain('lead')
    // Within no lease: nobody holds the key any more.
    expect(await b.cache.getOrSet('key', () => 'of b')).toBe('of b')
  })

  it('a leader tells its end also while its breaker is open', async () => {
    const store = gatedStore(service.store)
    const breaker = { failures: 1, retryAfter: LONG }
    const a = await service.open({ ...patient, store, breaker, commandTimeout: 100 })
    const b = await service.open(patient)
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    await a.trace.saw('lead')
    const followed = b.cache.getOrSet('key', () => 'of b')
    await b.trace.saw('follow')
    // One read that is not answered opens the breaker; then the store is there again, and is not asked for long.
    store.after('read')
    await a.cache.get('other')
    expect(a.cache.stats().breaker).toBe('open')
    origin.runs[0]?.finish('of a')
    expect(await Promise.all([led, followed])).toEqual(['of a', 'of a'])
  })

  it('an error that has no text ends the flight like any other', async () => {
    const [a, b] = [await service.open(patient), await service.open(patient)]
    const odd = Object.assign(Object.create(null), { code: 7 })
    const thrower = new Proxy(new Error('x'), {
      get() {
        throw new Error('not even this')
      },
    })
    for (const error of [odd, thrower]) {
      const failing = a.cache.getOrSet('key', () => Promise.reject(error))
      expect(await failing.then(undefined, (thrown) => thrown === error)).toBe(true)
      expect(await b.cache.getOrSet('key', () => 'of b')).toBe('of b')
      await b.cache.delete('key')
    }
  })

  it.each(['the cache is closed', 'the key is invalidated'])(
    'a loader that nobody waits for stops when %s',
    async (how) => {
      const a = await service.open({ ...patient, leaseTtl: 300 })
      const b = await service.open(patient)
      const stopped = new Promise((resolve) => {
        const controller = new AbortController()
        const left = a.cache.getOrSet(
          'key',
          ({ signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                resolve('stopped')
                reject(signal.reason)
              })
            }),
          { signal: controller.signal },
        )
        left.catch(() => undefined)
        void (async () => {
          await a.trace.saw('lead')
          const waiting = b.cache.getOrSet('key', () => 'of b')
          await b.trace.saw('follow')
          controller.abort()
          if (how === 'the cache is closed') await a.cache.close()
          else await b.cache.delete('key')
          expect(await waiting).toBe('of b')
        })()
      })
      expect(await stopped).toBe('stopped')
    },
  )
})
