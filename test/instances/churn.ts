import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Cache } from '../../src/index.ts'

export interface TagChurn {
  /** Of the server that has the origin's version. */
  readonly url: string
  readonly origin: string
  /** All have all tags. */
  readonly keys: readonly string[]
  readonly tags: readonly string[]
  readonly rounds: number
}

/** ms that a loader may take, after it has read the origin. */
const SLOWEST = 10

/**
 * Round for round: all keys are asked for, and while those answers are under way a new version is written to the origin;
 * then all keys are invalidated by one of their tags, or one key by itself, in turn; then those asked for. How many of
 * these later answers were older than the version written before.
 */
export async function churnTags(cache: Cache, { url, origin, keys, tags, rounds }: TagChurn): Promise<number> {
  const database = new Redis(url)
  const load = async () => {
    const version = Number(await database.get(origin))
    await delay(Math.random() * SLOWEST)
    return version
  }
  // Their tags are known only when the value is.
  const askFor = (some: readonly string[]) =>
    Promise.all(some.map((key) => cache.getOrSet(key, load, { tags: () => tags })))
  let stale = 0
  try {
    for (let round = 0; round < rounds; round++) {
      const early = askFor(keys)
      const version = await database.incr(origin)
      const some = round % 2 === 0 ? keys : [keys[round % keys.length] as string]
      const tag = tags[round % tags.length] as string
      await cache.invalidate(round % 2 === 0 ? { tags: [tag] } : { keys: some })
      stale += (await askFor([...some, ...some])).filter((answer) => answer < version).length
      await early
    }
  } finally {
    database.disconnect()
  }
  return stale
}
