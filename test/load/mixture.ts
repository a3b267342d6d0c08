/** All that can be asked of a cache, mixed by chance; what comes back is looked at. */
import { strict as assert } from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Cache,
  type CallOptions,
  type LoadContext,
  type LoaderError,
  type RequestOptions,
  UnconfirmedError,
  WaitTimeoutError,
} from '../../src/index.ts'

export interface Mixed {
  /** How many of each were done. */
  readonly done: Readonly<Record<string, number>>
  /** What was not as it must be. */
  readonly wrong: readonly string[]
}

interface Item {
  readonly key: string
}

type Operation = (cache: Cache) => Promise<unknown>

/** How many do something at once. */
const ASKERS = 20
/** So large a part of all is a hit of a popular key. */
const HITS = 0.5
/** All tags there are. */
export const TAGS = Array.from({ length: 20 }, (_, i) => `tag ${i}`)
/** Given with many calls, and never aborted: what listens to it for longer than a call is a leak. */
export const lasting = new AbortController().signal

/** Loaders and signals of calls that are not collected yet. */
export const uncollected = { count: 0 }
const collected = new FinalizationRegistry(() => uncollected.count--)

/** Does it for so many ms, with any of the caches each time. */
export async function mix(caches: readonly Cache[], ms: number): Promise<Mixed> {
  const until = performance.now() + ms
  const done: Record<string, number> = {}
  const wrong: string[] = []
  const names = Object.keys(OPERATIONS)
  const asker = async () => {
    while (performance.now() < until) {
      const name = Math.random() < HITS ? 'hit' : any(names)
      try {
        await OPERATIONS[name]?.(any(caches))
      } catch (error) {
        // While a connection is lost nobody confirms anything.
        if (!(error instanceof UnconfirmedError)) wrong.push(`${name}: ${String(error)}`)
      }
      done[name] = (done[name] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: ASKERS }, asker))
  return { done, wrong: wrong.slice(0, 5) }
}

/** Kept fresh for as long as a soak. */
export function keepSome(cache: Cache): Disposable {
  const kept = Array.from({ length: 5 }, (_, i) => cache.keepFresh(`kept ${i}`, () => origin(`kept ${i}`)))
  return {
    [Symbol.dispose]() {
      for (const one of kept) one.stop()
    },
  }
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  hit: (cache) => ask(cache, some('hit', 20)),
  miss: (cache) => ask(cache, another('miss')),
  tagged: (cache) => ask(cache, some('tagged', 100), { tags: [any(TAGS), any(TAGS)] }),
  'tagged late': (cache) => ask(cache, some('late', 20), { tags: () => [any(TAGS)] }),
  stale: (cache) =>
    ask(cache, some('stale', 20), { ttl: 50, staleWhileRevalidate: 500, staleIfError: 500, softTimeout: 5 }),
  early: (cache) => ask(cache, some('early', 5), { ttl: 200, earlyRefresh: true, jitter: 0.2 }),
  patient: (cache) => ask(cache, some('patient', 20), { ttl: 20, signal: lasting }),
  // What is made of other signals, or of a time, Node.js keeps for as long as it is listened to.
  composed: (cache) =>
    ask(cache, some('patient', 20), { ttl: 20, signal: watched(AbortSignal.any([new AbortController().signal])) }),
  timed: (cache) => ask(cache, some('patient', 20), { ttl: 20, signal: watched(AbortSignal.timeout(3_600_000)) }),
  limited: (cache) => ask(cache, some('limited', 50), { ttl: 20, limit: { group: 'some', leaders: 3 } }),
  forced: (cache) => ask(cache, some('hit', 20), { forceRefresh: true, signal: lasting }),
  unshared: (cache) => ask(cache, some('unshared', 5), { shouldCache: false }),
  rich: (cache) => cache.getOrSet(some('rich', 20), async () => new Map([[1, new Date(0)]])),
  large: async (cache) => {
    const text = await cache.getOrSet(some('large', 3), async () => 'x'.repeat(200_000), { ttl: 100 })
    assert.equal(text.length, 200_000)
  },

  async many(cache) {
    const keys = [some('many', 50), some('many again', 50), another('many')]
    const found = await cache.getOrSetMany(keys, async (missing) => missing.map((key) => ({ key })), {
      tags: [any(TAGS)],
    })
    for (const [i, item] of found.entries()) expectItem(keys[i] as string, item)
  },

  async warm(cache) {
    const { failed } = await cache.warm([some('warm', 50), some('warmer', 50)], origin, { signal: lasting })
    assert.deepEqual(failed, [])
  },

  async read(cache) {
    const key = some('tagged', 100)
    const [value, , entry, [again]] = await Promise.all([
      cache.get<Item>(key),
      cache.has(key),
      cache.entry<Item>(key),
      cache.getMany<Item>([key, another('none')]),
    ])
    for (const item of [value, entry?.value, again]) if (item !== undefined) expectItem(key, item)
  },

  async set(cache) {
    const key = some('tagged', 100)
    await cache.set(key, { key }, { tags: [any(TAGS)] })
    await cache.setMany([[key, { key }]])
  },

  delete: (cache) => cache.delete(some('hit', 20)),
  invalidate: (cache) => cache.invalidate({ keys: [some('stale', 20)], tags: [any(TAGS)] }),
  clear: async (cache) => void (Math.random() < 0.02 && (await cache.clear())),

  async failing(cache) {
    const key = some('failing', 20)
    const failed = cache.getOrSet(key, () => refuse(key), { errorTtl: Math.random() < 0.5 ? 0 : 50 })
    await expectFailure(failed, (error) => /refused/.test(String(error)))
  },

  async aborted(cache) {
    const controller = new AbortController()
    watched(controller.signal)
    const key = Math.random() < 0.5 ? some('aborted', 3) : another('aborted')
    const asked = cache.getOrSet(key, ({ signal }) => delay(100, { key }, { signal }), {
      signal: controller.signal,
      ttl: 20,
    })
    const end = setTimeout(() => controller.abort(), 20 * Math.random())
    await expectFailure(asked, (error) => controller.signal.aborted && error === controller.signal.reason)
    clearTimeout(end)
  },

  async impatient(cache) {
    const key = some('slow', 3)
    const options = { waitTimeout: 20, onWaitTimeout: any(['throw', 'load', 'stale'] as const), ttl: 20 }
    const asked = cache.getOrSet(key, () => delay(60, { key }), options)
    await expectFailure(asked, (error) => error instanceof WaitTimeoutError)
  },

  async kept(cache) {
    const key = some('kept', 10)
    const load = watched(() => origin(key))
    using _ = cache.keepFresh(key, load, { ttl: 50 })
    await delay(20 + 80 * Math.random())
  },

  async claimed(cache) {
    const key = some('claimed', 10)
    // Whoever waits gets the failure of whoever claimed it.
    await expectFailure(claim(cache, key), (error) => /refused/.test(String(error)))
  },

  async wrapped(cache) {
    const wrapped = cache.wrap(async (id: number) => ({ key: `wrapped ${id}` }), {
      key: (id) => ['wrapped', id],
      ttl: 50,
    })
    const id = Math.floor(20 * Math.random())
    expectItem(`wrapped ${id}`, await wrapped(id))
  },

  async heard(cache) {
    let heard = 0
    const off = cache.on('*', () => heard++)
    await ask(cache, another('heard'))
    off()
    assert.notEqual(heard, 0, 'nothing was told')
  },

  async unfit(cache) {
    assert.equal((await cache.getOrSet(another('unfit'), async () => ({ call: () => 1 }))).call(), 1)
  },
}

async function ask(cache: Cache, key: string, options: CallOptions<Item> & RequestOptions = {}) {
  const load = watched(({ signal }: LoadContext) => {
    watched(signal)
    return origin(key)
  })
  expectItem(key, await cache.getOrSet(key, load, options))
}

async function claim(cache: Cache, key: string): Promise<void> {
  const claimed = await cache.claim<Item>(key, { ttl: 50 })
  if (claimed.role !== 'leader') return
  const how = Math.random()
  if (how < 0.5) await claimed.publish({ key })
  else if (how < 0.8) await claimed.release()
  else await claimed.fail(new Error('refused'))
}

async function origin(key: string): Promise<Item> {
  await delay(5 * Math.random())
  return { key }
}

async function refuse(key: string): Promise<Item> {
  await origin(key)
  throw new Error('refused')
}

function expectItem(key: string, item: Item): void {
  assert.equal(item?.key, key, `asked for ${key}, got ${JSON.stringify(item)}`)
}

/** It may also succeed: by then it is stored, or was computed for another. */
async function expectFailure(asked: Promise<unknown>, isRight: (error: unknown) => boolean): Promise<void> {
  try {
    await asked
  } catch (error) {
    if (!isRight(error) && !isRight((error as LoaderError).cause)) throw error
  }
}

function any<T>(of: readonly T[]): T {
  return of[Math.floor(of.length * Math.random())] as T
}

/** One of so many. */
function some(what: string, of: number): string {
  return `${what} ${Math.floor(of * Math.random())}`
}

/** Of one call: nothing may keep it for longer. */
function watched<T extends object>(one: T): T {
  uncollected.count++
  collected.register(one, undefined)
  return one
}

let made = 0

/** One that nobody has asked for. */
function another(what: string): string {
  return `${what} of ${process.pid}, ${++made}`
}
