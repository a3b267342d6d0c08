import { entryTags } from './entry.ts'
import { freeze } from './freeze.ts'
import { ageOf, freshFor, freshnessOf, lifeOf } from './freshness.ts'
import type { Instance } from './instance.ts'
import { decode, type FoundValue, freshIn, type Look } from './lookup.ts'

/** An entry as `cache.entry` shows it. */
export interface CacheEntry<V = unknown> {
  readonly value: V
  /** ms that it is fresh for yet; negative where it is stale, since when; `Infinity` for one without an end. */
  readonly ttl: number
  /** ms since it was published, by the store's clock. */
  readonly age: number
  readonly tags: readonly string[]
}

/** What a look found, if it is a fresh value. */
export function hitOf(instance: Instance, id: string, look: Look): FoundValue | undefined {
  const { events } = instance
  if (look.found === 'fault') return undefined
  const found = freshIn(look)
  if (found === undefined) events.count('miss', id)
  else events.count(look.tier === 'memory' ? 'memoryHit' : 'hit', id)
  return found
}

/** The values that are stored and fresh, in order: of memory, and of the store in one round trip. */
export async function readMany(instance: Instance, ids: readonly string[]): Promise<unknown[]> {
  const { breaker, session, settings, tier } = instance
  const held = new Map(ids.map((id) => [id, tier.get(id)]))
  const missing = [...held].flatMap(([id, found]) => (found === undefined ? id : []))
  if (missing.length === 0) return ids.map((id) => told(id))
  const coming = missing.map((id) => tier.expect(id))
  const read = new Map<string, FoundValue | undefined>()

  function told(id: string): unknown {
    const memory = held.get(id)
    const found = memory ?? read.get(id)
    if (found === undefined) instance.events.count('miss', id)
    else instance.events.count(memory !== undefined ? 'memoryHit' : 'hit', id)
    return found?.value
  }

  try {
    const all = await breaker.run({ op: 'read', timeout: settings.commandTimeout }, () => session.readMany(missing))
    await Promise.all(
      missing.map(async (id, i) => {
        const bytes = all[i]
        const found = bytes === undefined ? undefined : await decode(instance, id, bytes)
        if (found?.type !== 'value') return
        coming[i]?.keep(found)
        const use = freshnessOf(found.entry, session.now)
        if (use === 'fresh' || use === 'early') read.set(id, { ...found, value: freeze(found.value) })
      }),
    )
    return ids.map(told)
  } catch {
    // The breaker told why; of what was to be read nobody knows whether it is there.
    return ids.map((id) => (held.get(id) === undefined ? undefined : told(id)))
  } finally {
    for (const one of coming) one.end()
  }
}

export function entryOf<V>({ session }: Instance, { value, entry }: FoundValue): CacheEntry<V> {
  const now = session.now()
  const left = freshFor(entry, now)
  // What has no stale windows is fresh for as long as it is there.
  const ttl = lifeOf(entry) === entry.ttl ? Math.max(0, left) : left
  return { value: value as V, ttl, age: ageOf(entry.createdAt, now), tags: entryTags(entry) }
}
