import { expect, test } from 'vitest'
import { IDS } from './ids.ts'
import { openPeers, type StoreSource } from './peers.ts'
import { invalidate, listOf, membersOf, store } from './tagged.ts'

/** `mark`, `members` and `sweep`: what an invalidation by tag is made of, and what keeps an index from being lost. */
export function sweeping(source: StoreSource): void {
  test('after a mark the index is as it was, and after its ids are removed and it is swept there is none', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    await store(session, 'x', ['a', 'b'])
    await store(session, 'y', ['a'])
    const clock = await other.session.step()
    await other.session.mark('a', clock)
    expect(await membersOf(other.session, 'a')).toEqual(['x', 'y'])
    await other.session.remove(['x', 'y'])
    await other.session.sweep('a', clock)
    for (const { session: reader } of [{ session }, other]) expect(await membersOf(reader, 'a')).toEqual([])
    expect((await listOf(session)).tags).not.toContain('a')
  })

  test('a sweep leaves all other tags alone', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await Promise.all(IDS.map((tag, i) => store(session, `x:${i}`, [tag])))
    const left = new Map(IDS.map((tag, i) => [tag, `x:${i}`]))
    for (const [i, tag] of IDS.entries()) {
      await invalidate(session, tag)
      left.delete(tag)
      if (i % 16 !== 0) continue
      for (const each of IDS) expect(await membersOf(session, each)).toEqual(left.has(each) ? [left.get(each)] : [])
      expect((await listOf(session)).tags).toEqual([...left.keys()].sort())
    }
  })

  test('an id that was added since the mark keeps the index, whole', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    await store(session, 'x', ['a'])
    const clock = await session.step()
    await session.mark('a', clock)
    await store(other.session, 'y', ['a'])
    await session.sweep('a', clock)
    expect(await membersOf(session, 'a')).toEqual(['x', 'y'])
  })

  test('an id that was in it and is added again since the mark keeps the index', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    await store(session, 'x', ['a'])
    const clock = await session.step()
    await session.mark('a', clock)
    const found = await membersOf(session, 'a')
    await session.remove(found)
    // B claimed after the mark, and is not refused by it: only by its id can the next invalidation find it.
    await other.lead('x')
    await other.session.index('x', ['a'], 60_000)
    await session.sweep('a', clock)
    expect(await membersOf(session, 'a')).toEqual(['x'])
  })

  test('an id added before the mark does not keep it', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const clock = await session.step()
    await store(session, 'x', ['a'])
    await session.mark('a', clock)
    await session.remove(['x'])
    await session.sweep('a', clock)
    expect(await membersOf(session, 'a')).toEqual([])
  })

  test.each(['the lower first', 'the greater first'])(
    'of two invalidations the one that marked last sweeps, the other one never: %s',
    async (order) => {
      await using peers = await openPeers(source)
      const [one, two] = [await peers.join(), await peers.join()]
      await store(one.session, 'x', ['a'])
      await store(one.session, 'y', ['a'])
      const clocks = [await one.session.step(), await two.session.step()] as const
      const [first, last] = order === 'the lower first' ? clocks : ([clocks[1], clocks[0]] as const)
      await one.session.mark('a', first)
      await two.session.mark('a', last)
      // The first has done with all; the last has removed nothing yet, or dies, and is called again.
      await one.session.remove(['x'])
      await one.session.sweep('a', first)
      expect(await membersOf(two.session, 'a')).toContain('y')
      await two.session.remove(['x', 'y'])
      await two.session.sweep('a', last)
      expect(await membersOf(two.session, 'a')).toEqual([])
      expect(await store(one.session, 'z', ['a'])).toBe(clocks[1])
    },
  )

  test('a sweep without a mark, of another clock, or before the mark, deletes nothing', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await store(session, 'x', ['a'])
    const [early, clock, late] = [await session.step(), await session.step(), await session.step()]
    await session.sweep('a', early)
    await session.mark('a', clock)
    for (const other of [early, late, 0]) await session.sweep('a', other)
    expect(await membersOf(session, 'a')).toEqual(['x'])
  })

  test('a sweep that is said again does not touch what was added in between', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await store(session, 'x', ['a'])
    const clock = await invalidate(session, 'a')
    await session.sweep('a', clock)
    await store(session, 'y', ['a'])
    await session.sweep('a', clock)
    expect(await membersOf(session, 'a')).toEqual(['y'])
  })

  test('an invalidation that broke off is found whole by the next one', async () => {
    await using peers = await openPeers(source)
    const [dead, next] = [await peers.join(), await peers.join()]
    const ids = Array.from({ length: 50 }, (_, i) => `x:${String(i).padStart(2, '0')}`)
    await Promise.all(ids.map((id) => store(dead.session, id, ['a'])))
    await dead.session.mark('a', await dead.session.step())
    await dead.session.remove(ids.slice(0, 20))
    await dead.session.close()
    expect(await membersOf(next.session, 'a')).toEqual(expect.arrayContaining(ids.slice(20)))
    await invalidate(next.session, 'a')
    expect(await next.session.readMany(ids)).toEqual(ids.map(() => undefined))
    expect(await membersOf(next.session, 'a')).toEqual([])
  })

  test('tags of which nothing is known are marked, listed and swept like any other', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const clock = await session.step()
    expect(await session.members('a')).toEqual({ ids: [] })
    await session.mark('a', clock)
    await session.sweep('a', clock)
    expect(await session.members('a')).toEqual({ ids: [] })
    expect(await listOf(session)).toEqual({ ids: [], tags: [] })
    expect(await store(session, 'x', ['a'])).toBe(clock)
  })
}
