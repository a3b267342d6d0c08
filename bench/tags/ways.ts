/** How the entries of a tag are removed: the least that can be done, ours, and by packages that know of tags. */
import { setTimeout as delay } from 'node:timers/promises'
import { createRedisCache } from '@envelop/response-cache-redis'
import { createCache as createDedupe } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { Redis as Redis5 } from 'ioredis'
import type { Redis } from 'ioredis6'
import { built } from '../built.ts'

const { createCache } = await built<typeof import('../../src/index.ts')>('index')
const { redisStore } = await built<typeof import('../../src/stores/redis/index.ts')>('redis')

export interface Way {
  readonly name: string
  /** So many entries, all with one tag. */
  fill(count: number): Promise<void>
  remove(): Promise<void>
  /** How many can be had, of `SEEN` of so many. */
  left(count: number): Promise<number>
  close(): Promise<void>
}

export const OURS = 'atomcache'
const TTL = 3_600_000
/** ms; what is invalidated here takes longer than a request should. */
const PATIENCE = 10_000
/** So many are looked for. */
export const SEEN = 10
/** So many are set at once. */
const PART = 2000

/** All that are compared; by the first the others are divided. */
export interface Ways extends AsyncDisposable {
  readonly all: readonly [Way, ...Way[]]
}

export async function openWays(redis: Redis, url: string): Promise<Ways> {
  const all = [byHand(redis), await ours(url), responseCache(url), asyncCacheDedupe(url), bentocache(url)] as const
  return {
    all,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((way) => way.close()))
    },
  }
}

const entryOf = (id: number) => ({ id, text: 'x'.repeat(100) })

/** The keys are in a set, and are unlinked by the thousand; nothing is safe from a race. */
function byHand(redis: Redis): Way {
  const keyOf = (id: number) => `hand:${id}`
  return {
    name: 'SSCAN and UNLINK by hand',
    async fill(count) {
      await inParts(count, async (ids) => {
        await redis.mset(ids.flatMap((id) => [keyOf(id), JSON.stringify(entryOf(id))]))
        await redis.sadd('hand-tag', ...ids.map(keyOf))
      })
    },
    async remove() {
      let cursor = '0'
      do {
        const [next, keys] = await redis.sscan('hand-tag', cursor, 'COUNT', 1000)
        if (keys.length > 0) await redis.unlink(...keys)
        cursor = next
      } while (cursor !== '0')
      await redis.unlink('hand-tag')
    },
    left: (count) => found(count, (id) => redis.get(keyOf(id))),
    close: async () => undefined,
  }
}

async function ours(url: string): Promise<Way> {
  const cache = createCache({ store: redisStore(url), ttl: TTL, commandTimeout: PATIENCE })
  await cache.ready()
  const keyOf = (id: number) => `key:${id}`
  return {
    name: OURS,
    fill: (count) =>
      inParts(count, async (ids) => {
        await cache.setMany(
          ids.map((id) => [keyOf(id), entryOf(id)] as const),
          { tags: ['all'] },
        )
      }),
    remove: () => cache.invalidate({ tags: ['all'] }),
    left: (count) => found(count, (id) => cache.get(keyOf(id))),
    close: () => cache.close(),
  }
}

/** Entities are its tags. One of a type and an id: for all of a type it asks for `KEYS` too. */
function responseCache(url: string): Way {
  const redis = new Redis5(url)
  const cache = createRedisCache({ redis })
  const entity = { typename: 'Tag', id: 'all' }
  const keyOf = (id: number) => `response:${id}`
  return {
    name: '@envelop/response-cache-redis',
    fill: (count) =>
      inParts(count, (ids) => each(ids, (id) => cache.set(keyOf(id), { data: entryOf(id) }, [entity], TTL))),
    remove: async () => cache.invalidate([entity]),
    left: (count) => found(count, (id) => cache.get(keyOf(id))),
    close: async () => redis.disconnect(),
  }
}

/** References are its tags. */
function asyncCacheDedupe(url: string): Way {
  const client = new Redis5(url)
  const cache = createDedupe({
    ttl: TTL / 1000,
    storage: { type: 'redis', options: { client, invalidation: { referencesTTL: TTL / 1000 } } },
  }).define('answer', { references: () => ['all'] }, async (id: number) => entryOf(id))
  return {
    name: 'async-cache-dedupe',
    fill: (count) => inParts(count, (ids) => each(ids, (id) => cache.answer(id))),
    remove: () => cache.invalidate('answer', ['all']),
    left: (count) => found(count, (id) => client.get(`answer~${id}`)),
    close: async () => client.disconnect(),
  }
}

/** Notes when the tag was invalidated; a read asks for that too. Entries stay where they are. */
function bentocache(url: string): Way {
  const remote = redisDriver({ connection: new Redis5(url) })
  const cache = new BentoCache({ default: 'store', ttl: TTL, stores: { store: bentostore().useL2Layer(remote) } })
  const keyOf = (id: number) => `bento:${id}`
  return {
    name: 'bentocache',
    async fill(count) {
      await delay(1) // what is set in the ms of an invalidation is taken for older
      await inParts(count, (ids) => each(ids, (id) => cache.set({ key: keyOf(id), value: entryOf(id), tags: ['all'] })))
    },
    async remove() {
      await cache.deleteByTag({ tags: ['all'] })
    },
    left: (count) => found(count, (id) => cache.get({ key: keyOf(id) })),
    close: () => cache.disconnectAll(),
  }
}

async function inParts(count: number, fill: (ids: readonly number[]) => Promise<void>): Promise<void> {
  for (let start = 0; start < count; start += PART) {
    await fill(Array.from({ length: Math.min(PART, count - start) }, (_, i) => start + i))
  }
}

async function each(ids: readonly number[], set: (id: number) => unknown): Promise<void> {
  await Promise.all(ids.map(set))
}

async function found(count: number, get: (id: number) => unknown): Promise<number> {
  const all = await Promise.all(Array.from({ length: SEEN }, (_, i) => get(Math.floor((i * count) / SEEN))))
  return all.filter((one) => one !== undefined && one !== null).length
}
