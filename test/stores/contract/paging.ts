import { expect, test } from 'vitest'
import type { Session } from '../../../src/index.ts'
import { LONG, newToken, openPeers, type StoreSource } from './peers.ts'
import { type Random, randomFrom } from './random.ts'
import { listOf, membersOf, store } from './tagged.ts'

const STABLE = 3000
const CHANGING = 2000

/** `members` and `list` of what is large and changes from page to page. */
export function paging(source: StoreSource): void {
  test.each([1, 2])('every member that is there throughout is seen, whatever else changes, seed %d', async (seed) => {
    await using peers = await openPeers(source)
    const [reader, writer] = [await peers.join(), await peers.join()]
    const random = randomFrom(seed)
    const stable = names('stable', STABLE)
    const changing = names('changing', CHANGING)
    await fill(writer.session, stable)
    // Their life is over at once: each call drops some of them, and what stands behind them moves up.
    await Promise.all(names('dead', 1000).map((id) => writer.session.index(id, ['a'], 1)))
    await fill(writer.session, changing)

    const seen = new Set<string>()
    let pages = 0
    let at: string | undefined
    do {
      const { ids, next } = await reader.session.members('a', at)
      for (const id of ids) seen.add(id)
      at = next
      await change(writer.session, random, stable, changing)
    } while (at !== undefined && pages++ < 1000)
    expect(at).toBeUndefined()
    expect(stable.filter((id) => !seen.has(id))).toEqual([])
    expect([...seen].filter((id) => !/^(?:stable|changing|dead|new):/.test(id))).toEqual([])
  })

  test('a page is a part: thousands of members do not come in one answer from a server', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const ids = names('x', STABLE)
    await fill(session, ids)
    const first = await session.members('a')
    // A store in this process may give all: nobody else waits for it.
    if (first.next === undefined) expect(first.ids).toHaveLength(STABLE)
    else expect(first.ids.length).toBeLessThan(STABLE / 2)
    expect(await membersOf(session, 'a')).toEqual(ids)
    // A page can be asked for again.
    expect(new Set((await session.members('a')).ids)).toEqual(new Set(first.ids))
  })

  test('the whole list has every id and tag that is there throughout, while others come and go', async () => {
    await using peers = await openPeers(source)
    const [reader, writer] = [await peers.join(), await peers.join()]
    const ids = names('x', 2000)
    const tags = names('t', 200)
    await Promise.all(ids.map((id, i) => store(writer.session, id, [tags[i % tags.length] as string])))
    const leads = await Promise.all(names('flight', 100).map((id) => writer.lead(id).then(() => id)))
    const seen = { ids: new Set<string>(), tags: new Set<string>() }
    let at: string | undefined
    do {
      const page = await reader.session.list(at)
      for (const id of page.ids) seen.ids.add(id)
      for (const tag of page.tags) seen.tags.add(tag)
      at = page.next
      const passing = Array.from({ length: 20 }, newToken)
      await Promise.all(passing.map((id) => store(writer.session, `new:${id}`, [`new:${id}`])))
      await writer.session.remove(passing.slice(0, 10).map((id) => `new:${id}`))
    } while (at !== undefined)
    expect([...ids, ...leads].filter((id) => !seen.ids.has(id))).toEqual([])
    expect(tags.filter((tag) => !seen.tags.has(tag))).toEqual([])
    const strange = [...seen.ids, ...seen.tags].filter((name) => !/^(?:x|t|flight|new):/.test(name))
    expect(strange).toEqual([])
  })

  test('what is removed, id by id as it is listed, is all there was', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await fill(session, names('x', 1500))
    let at: string | undefined
    do {
      const page = await session.list(at)
      await session.remove(page.ids)
      at = page.next
    } while (at !== undefined)
    expect((await listOf(session)).ids).toEqual([])
  })
}

const names = (word: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${word}:${String(i).padStart(4, '0')}`)

async function fill(session: Session, ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += 500) {
    await Promise.all(ids.slice(start, start + 500).map((id, i) => store(session, id, ['a'], LONG + i)))
  }
}

/** Adds some, gives some a later time and the stable ones too, removes some; and with each call some dead ones go. */
async function change(
  session: Session,
  random: Random,
  stable: readonly string[],
  changing: readonly string[],
): Promise<void> {
  const some = (ids: readonly string[]) => Array.from({ length: 20 }, () => ids[random(ids.length)] as string)
  await Promise.all([
    ...Array.from({ length: 20 }, () => store(session, `new:${newToken()}`, ['a'], 1 + random(LONG))),
    ...some(changing).map((id) => session.index(id, ['a'], LONG * (1 + random(9)))),
    ...some(stable).map((id) => session.index(id, ['a'], random(2) === 0 ? LONG * 10 : Number.POSITIVE_INFINITY)),
    session.remove([...new Set(some(changing))]),
  ])
}
