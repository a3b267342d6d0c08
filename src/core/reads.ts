import { type Entry, entryTags } from './entry.ts'
import { freeze } from './freeze.ts'
import type { Instance } from './instance.ts'
import { decode, type Found, type Look } from './lookup.ts'

/** An entry as `cache.entry` shows it. */
export interface CacheEntry<V = unknown> {
  readonly value: V
  /** ms that it is fresh for yet; `Infinity` for one without an end. */
  readonly ttl: number
  /** ms since it was published, by the store's clock. */
  readonly age: number
  readonly tags: readonly string[]
}

/** What a look found, if it is a value. */
export function hitOf(instance: Instance, id: string, { found }: Look): (Found & { type: 'value' }) | undefined {
  if (found === 'fault') return undefined
  instance.events.emit({ type: found.type === 'value' ? 'hit' : 'miss', key: id })
  return found.type === 'value' ? found : undefined
}

/** The values that are stored, in order. */
export async function readMany(instance: Instance, ids: readonly string[]): Promise<unknown[]> {
  if (instance.closed || ids.length === 0) return ids.map(() => undefined)
  const { breaker, session, settings } = instance
  try {
    const all = await breaker.run({ op: 'read', timeout: settings.commandTimeout }, () => session.readMany(ids))
    return await Promise.all(
      ids.map(async (id, i) => {
        const bytes = all[i]
        const found = bytes === undefined ? undefined : await decode(instance, id, bytes)
        instance.events.emit({ type: found?.type === 'value' ? 'hit' : 'miss', key: id })
        return found?.type === 'value' ? freeze(found.value) : undefined
      }),
    )
  } catch {
    return ids.map(() => undefined) // the breaker told why
  }
}

export function entryOf<V>(
  instance: Instance,
  found: { readonly value: unknown; readonly entry: Entry },
): CacheEntry<V> {
  const { createdAt, ttl } = found.entry
  // Clocks of two servers may differ by a little: nothing is younger than now.
  const age = Math.max(0, instance.session.now() - createdAt)
  return { value: found.value as V, ttl: Math.max(0, ttl - age), age, tags: entryTags(found.entry) }
}
