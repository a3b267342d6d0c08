import { afterEach, beforeEach, describe, inject } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore, type Store } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type Trace, traceOf } from './trace.ts'

export interface Instance {
  readonly cache: Cache
  /** From after it was ready. */
  readonly trace: Trace
}

/** The instances of one service: they share one store and one namespace, which no other test has. */
export interface Service {
  /** A new instance, connected and with a confirmed inbox. Entries live a minute unless it says otherwise. */
  open(options?: Partial<CacheOptions>): Promise<Instance>
  readonly namespace: string
  /** The store that all of them open. */
  readonly store: Store
}

const STORES: readonly (readonly [name: string, make: () => Store])[] = [
  ['the memory store', () => memoryStore()],
  ['Redis', () => redisStore(inject('redisUrl'))],
]

/** Defines the tests once per store; each test has a service of its own, whose instances are closed after it. */
export function onEveryStore(define: (service: Service) => void): void {
  describe.each(STORES)('on %s', (_name, make) => {
    const caches: Cache[] = []
    let namespace = ''
    let store: Store

    beforeEach(() => {
      namespace = testNamespace()
      store = make()
    })

    afterEach(async () => {
      await Promise.all(caches.splice(0).map((cache) => cache.close()))
    })

    define({
      async open(options = {}) {
        const cache = createCache({ namespace, store, ttl: 60_000, ...options })
        caches.push(cache)
        await cache.ready()
        // The memory store confirms the inbox in the next turn.
        while (!cache.stats().inbox) await new Promise((resolve) => cache.on('inbox', resolve))
        return { cache, trace: traceOf(cache) }
      },
      get namespace() {
        return namespace
      },
      get store() {
        return store
      },
    })
  })
}
