import { expect, test } from 'vitest'
import { IDS } from './ids.ts'
import { LONG, newToken, openPeers, type StoreSource } from './peers.ts'
import { invalidate, listOf, membersOf, passed, store } from './tagged.ts'

/** `index` and the epochs that `mark` sets. */
export function indexing(source: StoreSource): void {
  test('an id is in the index of each of its tags, for all caches, and in no other', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    await store(session, 'x', ['a', 'b'])
    await store(other.session, 'y', ['b', 'c'])
    const expected = { a: ['x'], b: ['x', 'y'], c: ['y'], d: [] }
    for (const reader of [session, other.session]) {
      for (const [tag, ids] of Object.entries(expected)) expect(await membersOf(reader, tag)).toEqual(ids)
    }
  })

  test('an id is listed as soon as it has a flight, before there is an entry', async () => {
    await using peers = await openPeers(source)
    const { session, lead } = await peers.join()
    await lead('x')
    expect(await session.index('x', ['a'], LONG)).toBe(0)
    expect(await membersOf(session, 'a')).toEqual(['x'])
  })

  test('an id stays listed when its flight ends with an entry', async () => {
    await using peers = await openPeers(source)
    const { session, lead } = await peers.join()
    const token = await lead('x')
    await session.index('x', ['a'], LONG)
    await session.end('x', token, { type: 'value', entry: Buffer.from(`atc1${token}`), ttl: LONG })
    expect(await membersOf(session, 'a')).toEqual(['x'])
    await session.set('x', Buffer.from('y'), LONG)
    expect(await membersOf(session, 'a')).toEqual(['x'])
  })

  test('without tags, or with tags that were never invalidated, the epoch is 0', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.mark('other', await session.step())
    expect(await store(session, 'x', [])).toBe(0)
    expect(await store(session, 'x', ['a'])).toBe(0)
    expect(await listOf(session)).toEqual({ ids: ['x'], tags: ['a'] })
  })

  test('the epoch is the greatest of all tags, and of each the greatest that it was marked with', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    const [low, middle, high] = [await session.step(), await session.step(), await session.step()]
    await session.mark('a', middle)
    await other.session.mark('b', high)
    // Never lowered: whoever was computing when it was the greater one still is.
    await session.mark('b', low)
    for (const { session: reader } of [{ session }, other]) {
      expect(await store(reader, 'x', ['a'])).toBe(middle)
      expect(await store(reader, 'x', ['b'])).toBe(high)
      expect(await store(reader, 'x', ['a', 'b', 'c'])).toBe(high)
      expect(await store(reader, 'x', ['c', 'a'])).toBe(middle)
    }
  })

  test('an epoch stays when its index is swept, and when the id is removed', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await store(session, 'x', ['a'])
    const clock = await invalidate(session, 'a')
    expect(await store(session, 'x', ['a'])).toBe(clock)
    await session.remove(['x'])
    expect(await store(session, 'y', ['a'])).toBe(clock)
  })

  test.each([99, 100, 101, 1000])(
    'of %d tags at once each lists the id, and the greatest epoch counts',
    async (count) => {
      await using peers = await openPeers(source)
      const { session } = await peers.join()
      const tags = Array.from({ length: count }, (_, i) => `t:${i}`)
      let greatest = 0
      for (const at of [0, Math.floor(count / 2), count - 1]) {
        greatest = await session.step()
        await session.mark(tags[at] as string, greatest)
        expect(await store(session, 'x', tags)).toBe(greatest)
      }
      await session.mark(tags[1] as string, 1)
      expect(await store(session, 'x', tags)).toBe(greatest)
      const found = await Promise.all(tags.map((tag) => membersOf(session, tag)))
      expect(found.filter((ids) => ids.join() === 'x')).toHaveLength(count)
      expect((await listOf(session)).tags).toEqual([...tags].sort())
    },
  )

  test('every tag has an index and an epoch of its own, and every id its place in it', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    const idOf = (i: number) => IDS[(i + 1) % IDS.length] as string
    await Promise.all(IDS.map((tag, i) => store(session, idOf(i), [tag])))
    const clocks: number[] = []
    for (const tag of IDS) {
      clocks.push(await other.session.step())
      await other.session.mark(tag, clocks.at(-1) as number)
    }
    for (const [i, tag] of IDS.entries()) expect(await membersOf(other.session, tag), tag).toEqual([idOf(i)])
    const epochs = await Promise.all(IDS.map((tag, i) => session.index(idOf(i), [tag], LONG)))
    expect(epochs).toEqual(clocks)
  })

  test('tags of one name in two namespaces have nothing in common', async () => {
    await using peers = await openPeers(source)
    const here = await peers.join()
    for (const namespace of [`${peers.namespace}:tag`, `${peers.namespace}-2`, `${peers.namespace}*`]) {
      const there = await peers.join({ namespace })
      await store(here.session, 'x', ['a'])
      expect(await store(there.session, 'y', ['a'])).toBe(0)
      await invalidate(there.session, 'a')
      expect(await store(here.session, 'x', ['a'])).toBe(0)
      expect(await membersOf(here.session, 'a')).toEqual(['x'])
      expect(await membersOf(there.session, 'a')).toEqual([])
    }
  })

  test('many at once, by several caches, are all listed', async () => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join(), await peers.join()]
    const ids = Array.from({ length: 300 }, (_, i) => `x:${i}`).sort()
    const one = (i: number) => (all[i % 3] as (typeof all)[number]).session
    await Promise.all(ids.map((id, i) => store(one(i), id, ['a', `of ${i % 3}`])))
    expect(await membersOf(one(0), 'a')).toEqual(ids)
    expect(await membersOf(one(0), 'of 1')).toEqual(ids.filter((_, i) => i % 3 === 1))
  })

  test.each([Number.POSITIVE_INFINITY, LONG])(
    'an id that is to stay for %d ms is not to stay for less later',
    async (life) => {
      await using peers = await openPeers(source)
      const { session } = await peers.join()
      await store(session, 'x', ['a'], life)
      await store(session, 'x', ['a'], 20)
      await passed(session, 60)
      // What is over its life would be dropped now.
      for (let i = 0; i < 3; i++) await store(session, `y:${i}`, ['a'])
      expect(await membersOf(session, 'a')).toContain('x')
    },
  )

  test('an id stays for as long as the longest, whatever comes before it', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await store(session, 'short', ['a'], 20)
    await store(session, 'x', ['a'], 20)
    await store(session, 'x', ['a'], LONG)
    await store(session, 'for ever', ['a'], Number.POSITIVE_INFINITY)
    await passed(session, 60)
    for (let i = 0; i < 3; i++) await store(session, 'y', ['a'], 30)
    const members = await membersOf(session, 'a')
    expect(members).toEqual(expect.arrayContaining(['for ever', 'x', 'y']))
  })

  test.each([0.25, 1.5, 2 ** 40, 2 ** 53, Number.MAX_VALUE])('a life of %d ms is no error', async (life) => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    expect(await store(session, 'x', ['a'], life)).toBe(0)
    await store(session, 'y', ['a'])
    expect(await membersOf(session, 'a')).toContain('y')
  })

  test('an index does not keep for ever what is over its life', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const dead = Array.from({ length: 90 }, () => newToken())
    await store(session, 'x', ['a'])
    // No entry and no flight: nothing of these could be published any more.
    await Promise.all(dead.map((id) => session.index(id, ['a'], 20)))
    await passed(session, 60)
    for (let calls = 0; calls < 10; calls++) await store(session, 'x', ['a'])
    expect(await membersOf(session, 'a')).toEqual(['x'])
  })
}
