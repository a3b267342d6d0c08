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
  /** How many of so many are there yet, as another client sees it where they are to be removed. */
  left(count: number): Promise<number>
  close(): Promise<void>
}

export const OURS = 'atomcache'
const TTL = 3_600_000
/** ms; what is invalidated here takes longer than a request should. */
const PATIENCE = 10_000
/** So many are looked for where entries stay. */
const SEEN = 10
/** So many are set at once. */
const PART = 2000

/** All that are compared; by the first the others are divided. */
export interface Ways extends AsyncDisposable {
  readonly all: readonly [Way, ...Way[]]
}

export async function openWays(redis: Redis, url: string): Promise<Ways> {
  const all = [
    byHand(redis),
    await ours(redis, url),
    responseCache(redis, url),
    asyncCacheDedupe(redis, url),
    bentocache(url),
  ] as const
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
    left: () => countOf(redis, 'hand*'),
    close: async () => undefined,
  }
}

async function ours(redis: Redis, url: string): Promise<Way> {
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
    left: () => countOf(redis, '*{key:*'),
    close: () => cache.close(),
  }
}

/** Entities are its tags. One of a type and an id: for all of a type it asks for `KEYS` too. */
function responseCache(redis: Redis, url: string): Way {
  const client = new Redis5(url)
  const cache = createRedisCache({ redis: client })
  const entity = { typename: 'Tag', id: 'all' }
  const keyOf = (id: number) => `response:${id}`
  return {
    name: '@envelop/response-cache-redis',
    fill: (count) =>
      inParts(count, (ids) => each(ids, (id) => cache.set(keyOf(id), { data: entryOf(id) }, [entity], TTL))),
    remove: async () => cache.invalidate([entity]),
    left: () => countOf(redis, 'response:*'),
    close: async () => client.disconnect(),
  }
}

/** References are its tags. */
function asyncCacheDedupe(redis: Redis, url: string): Way {
  const client = new Redis5(url)
  const cache = createDedupe({
    ttl: TTL / 1000,
    storage: { type: 'redis', options: { client, invalidation: { referencesTTL: TTL / 1000 } } },
  }).define('answer', { references: () => ['all'] }, async (id: number) => entryOf(id))
  return {
    name: 'async-cache-dedupe',
    fill: (count) => inParts(count, (ids) => each(ids, (id) => cache.answer(id))),
    remove: () => cache.invalidate('answer', ['all']),
    left: () => countOf(redis, 'answer~*'),
    close: async () => client.disconnect(),
  }
}

/** Notes when the tag was invalidated; a read asks for that too. Entries stay where they are. */
function bentocache(url: string): Way {
  const remote = redisDriver({ connection: new Redis5(url) })
  const cache = new BentoCache({ default: 'store', ttl: TTL, stores: { store: bentostore().useL2Layer(remote) } })
  const keyOf = (id: number) => `bento:${id}`
  return {
    name: 'bentocache, which only notes the time',
    async fill(count) {
      await delay(1) // what is set in the ms of an invalidation is taken for older
      await inParts(count, (ids) => each(ids, (id) => cache.set({ key: keyOf(id), value: entryOf(id), tags: ['all'] })))
    },
    async remove() {
      await cache.deleteByTag({ tags: ['all'] })
    },
    async left(count) {
      const ids = Array.from({ length: SEEN }, (_, i) => Math.floor((i * count) / SEEN))
      const found = await Promise.all(ids.map((id) => cache.get({ key: keyOf(id) })))
      return (found.filter((one) => one !== undefined).length / SEEN) * count
    },
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

async function countOf(redis: Redis, pattern: string): Promise<number> {
  return (await redis.keys(pattern)).length
}
