import { expect, test } from 'vitest'
import { entryOf, LONG, newToken, openPeers, type StoreSource } from './peers.ts'

/** `remove` of many ids at once; of one it is in `writing.ts`. */
export function removing(source: StoreSource): void {
  test('none is no error', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.set('x', Buffer.from('x'), LONG)
    await session.remove([])
    expect(await session.read('x')).toBeDefined()
  })

  test.each([49, 50, 51, 1000])('of %d at once none is left, and the others stay', async (count) => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    const ids = Array.from({ length: count }, (_, i) => `x:${i}`)
    const others = Array.from({ length: 100 }, (_, i) => `y:${i}`)
    await Promise.all([...ids, ...others].map((id) => session.set(id, entryOf(newToken()), LONG)))
    await other.session.remove(ids)
    expect((await session.readMany(ids)).filter((entry) => entry !== undefined)).toEqual([])
    expect((await session.readMany(others)).filter((entry) => entry === undefined)).toEqual([])
  })

  test('each flight ends: its leader is fenced, its waiters are told under the token of theirs', async () => {
    await using peers = await openPeers(source)
    const [leader, one, two, remover] = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    const ids = Array.from({ length: 120 }, (_, i) => `x:${i}`)
    const tokens = await Promise.all(ids.map((id) => leader.lead(id)))
    await Promise.all(ids.filter((_, i) => i % 3 !== 0).map((id) => one.wait(id)))
    await Promise.all(ids.filter((_, i) => i % 2 !== 0).map((id) => two.wait(id)))
    // Entries, nothing at all, and the same twice, among them.
    await leader.session.set('entry', entryOf(newToken()), LONG)
    await remover.session.remove(['entry', 'nothing', ...ids, ids[1] as string, 'nothing'])
    for (const [i, id] of ids.entries()) {
      const token = tokens[i] as string
      const again = { id, token, outcome: { type: 'again' } }
      if (i % 3 !== 0) expect(await one.message(token)).toEqual(again)
      if (i % 2 !== 0) expect(await two.message(token)).toEqual(again)
    }
    const ended = await Promise.all(
      ids.map((id, i) => leader.session.end(id, tokens[i] as string, { type: 'alone' }).then(({ type }) => type)),
    )
    expect(new Set(ended)).toEqual(new Set(['fenced']))
    expect(await leader.session.read('entry')).toBeUndefined()
    await peers.settle()
    const told = (peer: typeof one) => peer.messages.filter(({ id }) => id.startsWith('x:')).length
    expect([told(one), told(two), told(leader), told(remover)]).toEqual([80, 60, 0, 0])
  })
}
