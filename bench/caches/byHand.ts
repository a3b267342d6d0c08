/**
 * A limit: one run over all processes, in one command per process (or a read and one) and one end, for values alone. No invalidation, no renewal of
 * the lease, no stale values, one server, and a large value goes through Lua.
 */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis6'
import type { CacheUse, ComparedCache, OpenCache } from './cache.ts'
import { onceAtATime } from './onceAtATime.ts'

/**
 * What is there; or `1` for who comes first; or who comes later is noted and told what is left of the lease.
 * KEYS: value, flight (a list of inboxes, the leader's first). ARGV: own inbox, lease (ms).
 */
const CLAIM = `
local value = redis.call('GET', KEYS[1])
if value then return value end
if redis.call('RPUSH', KEYS[2], ARGV[1]) == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 1
end
return { redis.call('PTTL', KEYS[2]) }`

/**
 * Stores the value and sends it to who was noted, if the flight is still one's own; without a value they claim again.
 * KEYS: value, flight. ARGV: own inbox, value or '', ttl (ms).
 */
const END = `
local inboxes = redis.call('LRANGE', KEYS[2], 0, -1)
if inboxes[1] ~= ARGV[1] then return end
redis.call('DEL', KEYS[2])
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
for i = 2, #inboxes do redis.call('PUBLISH', inboxes[i], KEYS[1] .. '\\n' .. ARGV[2]) end`

interface Scripts {
  claim(value: string, flight: string, inbox: string, lease: number): Promise<string | 1 | [number]>
  end(value: string, flight: string, inbox: string, text: string, ttl: number): Promise<null>
}

export const open: OpenCache = (use) => openByHand(use, 'script')

/** @param first what asks for the value: the script, or a `GET` before it, with which a miss costs a round trip more, and a hit no script */
export async function openByHand(
  { redis: url, ttl, lease }: CacheUse,
  first: 'script' | 'GET',
): Promise<ComparedCache> {
  const redis = new Redis(url) as Redis & Scripts
  redis.defineCommand('claim', { numberOfKeys: 2, lua: CLAIM })
  redis.defineCommand('end', { numberOfKeys: 2, lua: END })
  const subscriber = new Redis(url)
  const inbox = `inbox:${randomUUID()}`
  const waiting = new Map<string, (text: string) => void>()
  subscriber.on('message', (_channel, message: string) => {
    const at = message.indexOf('\n')
    waiting.get(message.slice(0, at))?.(message.slice(at + 1))
  })
  await subscriber.subscribe(inbox)

  async function run(key: string, load: () => Promise<unknown>): Promise<unknown> {
    const stored = first === 'GET' ? await redis.get(key) : null
    if (stored !== null) return JSON.parse(stored)
    for (;;) {
      // It waits before it is noted: the message comes on another connection, and may overtake the reply.
      const told = new Promise<string>((resolve) => waiting.set(key, resolve))
      const claimed = await redis.claim(key, `${key}:flight`, inbox, lease)
      if (claimed === 1) {
        waiting.delete(key)
        return lead(key, load)
      }
      const text = Array.isArray(claimed) ? await within(claimed[0] + 1, told) : claimed
      waiting.delete(key)
      if (text !== '') return JSON.parse(text)
    }
  }

  async function lead(key: string, load: () => Promise<unknown>): Promise<unknown> {
    let text = ''
    try {
      const value = await load()
      text = JSON.stringify(value)
      return value
    } finally {
      // Who led is not kept waiting for the reply.
      redis.end(key, `${key}:flight`, inbox, text, ttl).catch(() => undefined)
    }
  }

  return {
    get: onceAtATime(run),
    async close() {
      redis.disconnect()
      subscriber.disconnect()
    },
  }
}

/** What is told in time, or `''`. */
function within(ms: number, told: Promise<string>): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, '')
    void told.then((text) => {
      clearTimeout(timer)
      resolve(text)
    })
  })
}
