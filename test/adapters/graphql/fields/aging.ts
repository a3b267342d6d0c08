import { expect } from 'vitest'
import type { SetOptions } from '../../../../src/index.ts'
import type { FieldSite, FieldTown } from './fieldTown.ts'

/** How long a value is of use after its end; in ms. */
export type Windows = Pick<SetOptions<unknown>, 'staleWhileRevalidate' | 'staleIfError'>

export const REVALIDATED: Windows = { staleWhileRevalidate: 600_000 }
export const IF_ERROR: Windows = { staleIfError: 600_000 }

/** The key of the value that was stored last. */
export function lastKey({ trace }: FieldTown): readonly unknown[] {
  return JSON.parse(trace.of('publish').at(-1)?.key ?? '[]')
}

/** ms that what two caches know of the store's clock may differ. */
const CLOCKS = 10

/** Resolves when the value that was stored last is not fresh any more, for either site. */
export async function untilStale(town: FieldTown, key = lastKey(town)): Promise<void> {
  const leftAt = async ({ cache }: FieldSite) => (await cache.entry(key))?.ttl ?? 0
  const left = async () => Math.max(...(await Promise.all(town.sites.map(leftAt))))
  await expect.poll(left).toBeLessThan(-CLOCKS)
}

/** What was stored last is as it was, and has been fresh. */
export async function aged(town: FieldTown, windows: Windows, key = lastKey(town)): Promise<void> {
  const { cache } = town.sites[0]
  const { value, tags } = (await cache.entry(key)) ?? {}
  await cache.set(key, value, { ttl: 1, tags, ...windows })
  await untilStale(town, key)
}
