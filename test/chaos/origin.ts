import { Redis } from 'ioredis'

/** The system of record, in a Redis of its own that nothing befalls: a version per item, counted up by writers. */
export interface Origin {
  /** The versions of the items, all of one instant. */
  read(items: readonly string[]): Promise<Record<string, number>>
  /** Counts them up; the new versions. */
  bump(items: readonly string[]): Promise<Record<string, number>>
  close(): void
}

export function openOrigin(url: string): Origin {
  const client = new Redis(url)

  function versionsOf(items: readonly string[], versions: readonly unknown[]): Record<string, number> {
    return Object.fromEntries(items.map((item, i) => [item, Number(versions[i] ?? 0)]))
  }

  return {
    async read(items) {
      return versionsOf(items, items.length === 0 ? [] : await client.mget([...items]))
    },
    async bump(items) {
      if (items.length === 0) return {}
      const counting = client.multi()
      for (const item of items) counting.incr(item)
      const replies = (await counting.exec()) ?? []
      return versionsOf(
        items,
        replies.map(([, version]) => version),
      )
    },
    close: () => client.disconnect(),
  }
}
