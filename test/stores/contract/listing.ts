import { expect, test } from 'vitest'
import { IDS } from './ids.ts'
import { LONG, openPeers, type Peer, type StoreSource } from './peers.ts'
import { invalidate, listOf, store } from './tagged.ts'

/** `list`: all that is in a namespace, and nothing of any other. */
export function listing(source: StoreSource): void {
  test('an empty namespace is an empty list', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.step()
    await session.mark('a', 1)
    expect(await listOf(session)).toEqual({ ids: [], tags: [] })
  })

  test('ids with an entry, with a flight, or with both, are listed for all; tags if they have an index', async () => {
    await using peers = await openPeers(source)
    const [{ session, lead }, other] = [await peers.join(), await peers.join()]
    await session.set('entry', Buffer.from('not ours'), LONG)
    await session.set('for ever', Buffer.from('x'), Number.POSITIVE_INFINITY)
    await lead('flight')
    await session.set('both', Buffer.from('x'), LONG)
    await lead('both')
    await store(session, 'tagged', ['a', 'b'])
    await session.mark('marked', await session.step())
    const expected = { ids: ['both', 'entry', 'flight', 'for ever', 'tagged'], tags: ['a', 'b'] }
    for (const { session: reader } of [{ session }, other]) expect(await listOf(reader)).toEqual(expected)
  })

  test('what is gone is not listed', async () => {
    await using peers = await openPeers(source)
    const { session, lead } = await peers.join()
    await store(session, 'removed', ['a'])
    await invalidate(session, 'a')
    const token = await lead('ended')
    await session.end('ended', token, { type: 'again' })
    await session.set('kept', Buffer.from('x'), LONG)
    expect(await listOf(session)).toEqual({ ids: ['kept'], tags: [] })
  })

  test('every id and every tag is listed as what it is', async () => {
    await using peers = await openPeers(source)
    const { session, lead } = await peers.join()
    await Promise.all(IDS.map((id) => store(session, id, [id])))
    const sorted = [...IDS].sort()
    expect(await listOf(session)).toEqual({ ids: sorted, tags: sorted })
    await session.remove(IDS)
    expect((await listOf(session)).ids).toEqual([])
    await Promise.all(IDS.map((id) => lead(id)))
    expect((await listOf(session)).ids).toEqual(sorted)
  })

  test('nothing of another namespace is listed, however much their names look alike', async () => {
    await using peers = await openPeers(source)
    const root = peers.namespace
    const endings = ['', ':a', ':tag', ':clock', ':bus', '*', '?', '[a]', '[^a]', '\\', '\\*', '%', '^', '-x', '😀']
    const all: Peer[] = []
    for (const ending of endings) all.push(await peers.join({ namespace: `${root}${ending}` }))
    // As a pattern, one would take the other's.
    all.push(await peers.join({ namespace: `${root}xa` }), await peers.join({ namespace: `${root}x` }))
    for (const { session, namespace, lead } of all) {
      await store(session, `id ${namespace}`, [`tag ${namespace}`])
      await lead('flight')
    }
    for (const { session, namespace } of all) {
      expect(await listOf(session)).toEqual({ ids: ['flight', `id ${namespace}`], tags: [`tag ${namespace}`] })
    }
  })
}
