/** The same as getByHand, but what is asked for in one moment is one MGET: what a DataLoader does. */
import { Redis } from 'ioredis6'
import type { OpenCache } from './cache.ts'
import { onceAtATime } from './onceAtATime.ts'

export const open: OpenCache = async ({ redis: url, ttl }) => {
  const redis = new Redis(url)
  let asked: { readonly keys: string[]; readonly texts: Promise<(string | null)[]> } | undefined

  async function read(key: string): Promise<string | null> {
    if (asked === undefined) {
      const keys: string[] = []
      const flushed = new Promise<void>((resolve) => process.nextTick(resolve))
      const texts = flushed.then(() => {
        asked = undefined
        return redis.mget(keys)
      })
      asked = { keys, texts }
    }
    const { keys, texts } = asked
    const at = keys.push(key) - 1
    return (await texts)[at] ?? null
  }

  return {
    get: onceAtATime(async (key, load) => {
      const text = await read(key)
      if (text !== null) return JSON.parse(text)
      const value = await load()
      await redis.set(key, JSON.stringify(value), 'PX', ttl)
      return value
    }),
    close: async () => redis.disconnect(),
  }
}
