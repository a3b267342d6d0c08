import type { Session } from '../../../src/index.ts'
import { entryOf, LONG, newToken, until } from './peers.ts'

/** All that `members` gives, page by page, sorted and each once. */
export async function membersOf(session: Session, tag: string): Promise<string[]> {
  const found = new Set<string>()
  let at: string | undefined
  do {
    const { ids, next } = await session.members(tag, at)
    for (const id of ids) found.add(id)
    at = next
  } while (at !== undefined)
  return [...found].sort()
}

/** All that `list` gives, page by page, sorted and each once. */
export async function listOf(session: Session): Promise<{ ids: string[]; tags: string[] }> {
  const ids = new Set<string>()
  const tags = new Set<string>()
  let at: string | undefined
  do {
    const page = await session.list(at)
    for (const id of page.ids) ids.add(id)
    for (const tag of page.tags) tags.add(tag)
    at = page.next
  } while (at !== undefined)
  return { ids: [...ids].sort(), tags: [...tags].sort() }
}

/** Stores an entry and lists it under the tags: an id without one need not be in an index. The greatest epoch. */
export async function store(session: Session, id: string, tags: readonly string[], life = LONG): Promise<number> {
  await session.set(id, entryOf(newToken()), LONG)
  return session.index(id, tags, life)
}

/** Takes the tag's invalidation from its step to its sweep, as a cache does; the clock. */
export async function invalidate(session: Session, tag: string): Promise<number> {
  const clock = await session.step()
  await session.mark(tag, clock)
  await session.remove(await membersOf(session, tag))
  await session.sweep(tag, clock)
  return clock
}

/** Waits until so many ms are over by the clock of the store. */
export async function passed(session: Session, ms: number): Promise<void> {
  const id = `witness:${newToken()}`
  await session.set(id, Buffer.from('x'), ms)
  await until(
    () => session.read(id),
    (entry) => entry === undefined,
    `the end of ${ms} ms`,
  )
}
