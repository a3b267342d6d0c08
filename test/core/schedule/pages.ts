import type { Page, Session } from '../../../src/index.ts'

/** Listings in several pages, between which anything may happen; the memory store gives all at once. */
export interface Pages {
  members(session: Session, tag: string, at: string | undefined): Promise<Page>
  list(session: Session, at: string | undefined): ReturnType<Session['list']>
}

export const whole: Pages = {
  members: (session, tag, at) => session.members(tag, at),
  list: (session, at) => session.list(at),
}

/**
 * One page for each key. A namespace in two: ids with entries, then the others, which have a flight; that is how an id
 * escapes a scan, where entries and flights are keys of their own.
 */
export function pagesOf(keys: readonly string[]): Pages {
  return {
    async members(session, tag, at = '0') {
      const { ids } = await session.members(tag)
      const next = Number(at) + 1
      const page = ids.filter((id) => id === keys[Number(at)])
      return { ids: page, ...(next < keys.length ? { next: String(next) } : {}) }
    },
    async list(session, at) {
      const { ids, tags } = await session.list()
      const stored = await session.readMany(ids)
      const having = (entry: boolean) => ids.filter((_, i) => (stored[i] !== undefined) === entry)
      return at === undefined ? { ids: having(true), tags: [], next: 'flights' } : { ids: having(false), tags }
    },
  }
}
