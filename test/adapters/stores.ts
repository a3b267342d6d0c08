import { inject } from 'vitest'
import { memoryStore, type Store } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'

/** Where the caches of two servers can meet: each gives one store for a test. */
export const STORES: readonly { readonly name: string; make(): Store }[] = [
  { name: 'Redis', make: () => redisStore(inject('redisUrl')) },
  { name: 'one memory store', make: () => memoryStore() },
]
