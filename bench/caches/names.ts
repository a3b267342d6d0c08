import type { OpenCache } from './cache.ts'

/** What is done by hand, of which some nobody can do better, in so far as it does it: the limits. */
const LIMITS = ['byHand', 'readFirstByHand', 'getByHand', 'mgetByHand', 'rawGet', 'lruCache'] as const

/** Other packages. */
export const PEERS = [
  'asyncCacheDedupe',
  'bentocache',
  'cacheable',
  'cacheManager',
  'cachified',
  'redlock',
  'redisSemaphore',
] as const

/** All that is compared, by the names of their files here. */
export type CacheName = (typeof LIMITS)[number] | 'atomcache' | (typeof PEERS)[number]

/** As they are called in tables: peers by the names of their packages. */
const TITLES: Readonly<Partial<Record<CacheName, string>>> = {
  byHand: 'by hand, Lua and pub/sub',
  readFirstByHand: 'by hand, GET, then Lua and pub/sub',
  getByHand: 'by hand, GET and JSON.parse',
  mgetByHand: 'by hand, MGET and JSON.parse',
  rawGet: 'GET alone',
  lruCache: 'lru-cache alone',
  asyncCacheDedupe: 'async-cache-dedupe',
  cacheManager: 'cache-manager',
  redisSemaphore: 'redis-semaphore',
}

/** Have values in Redis, and a run for each process at most. */
export const SHARED: readonly CacheName[] = ['byHand', 'readFirstByHand', 'getByHand', 'atomcache', ...PEERS]

/** Take a client of `ioredis`, which may send the commands of a moment together. */
export const ON_IOREDIS: readonly CacheName[] = ['asyncCacheDedupe', 'bentocache', 'redlock', 'redisSemaphore']

/** Let one process load for all of them, for as long as a lock. */
export const LOCKING: readonly CacheName[] = ['byHand', 'readFirstByHand', 'atomcache', 'redlock', 'redisSemaphore']

/** Have values in the process. */
export const IN_MEMORY: readonly CacheName[] = [
  'lruCache',
  'atomcache',
  'asyncCacheDedupe',
  'bentocache',
  'cacheable',
  'cacheManager',
  'cachified',
]

export function titleOf(name: CacheName): string {
  return TITLES[name] ?? name
}

/** Loads that one alone: a process has only what it uses. */
export async function openerOf(name: CacheName): Promise<OpenCache> {
  const { open }: { open: OpenCache } = await import(new URL(`./${name}.ts`, import.meta.url).href)
  return open
}
