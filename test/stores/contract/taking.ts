import { expect, test } from 'vitest'
import { entryOf, LONG, newToken, openPeers, type StoreSource, textOf, until } from './peers.ts'

/** `take`: the flight of a write with tags. */
export function taking(source: StoreSource): void {
  test('where there is no flight, the taker leads it, and its entry is gone', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    await session.set('x', entryOf(newToken(), 'before'), LONG)
    const token = newToken()
    expect(await session.take('x', token, 20_000)).toBeGreaterThanOrEqual(0)
    expect(await other.session.read('x')).toBeUndefined()
    const { token: found, leaseLeft } = await other.wait('x')
    expect(found).toBe(token)
    expect(leaseLeft).toBeGreaterThan(10_000)
    expect(leaseLeft).toBeLessThanOrEqual(20_000)
  })

  test('whoever led is fenced, and whoever waited is told to claim again, under the token found', async () => {
    await using peers = await openPeers(source)
    const [leader, one, two, taker] = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    const old = await leader.lead('x')
    await Promise.all([one.wait('x'), two.wait('x')])
    const token = newToken()
    await taker.session.take('x', token, LONG)
    for (const waiter of [one, two]) {
      expect(await waiter.message(old)).toEqual({ id: 'x', token: old, outcome: { type: 'again' } })
    }
    expect(await leader.session.renew('x', old, LONG)).toBe('lost')
    const late = { type: 'value', entry: entryOf(old, 'late'), ttl: LONG } as const
    expect(await leader.session.end('x', old, late)).toEqual({ type: 'fenced' })
    expect(await one.session.read('x')).toBeUndefined()
    // Those who waited wait no more: they are told once.
    expect(await taker.session.renew('x', token, LONG)).toBe(0)
    await taker.session.end('x', token, { type: 'again' })
    await peers.settle()
    for (const peer of [one, two]) expect(peer.messages.filter(({ id }) => id === 'x')).toHaveLength(1)
    for (const peer of [leader, taker]) expect(peer.messages.filter(({ id }) => id === 'x')).toEqual([])
  })

  test('the taker works as any leader: others wait, it renews, ends, and they have the value', async () => {
    await using peers = await openPeers(source)
    const [taker, waiter] = [await peers.join(), await peers.join()]
    await taker.lead('x')
    const token = newToken()
    await taker.session.take('x', token, LONG)
    expect((await waiter.wait('x')).token).toBe(token)
    expect(await taker.session.renew('x', token, LONG)).toBe(1)
    const entry = entryOf(token, 'taken')
    expect(await taker.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({
      type: 'ok',
      stored: true,
    })
    const { outcome } = await waiter.message(token)
    expect(outcome.type === 'value' && textOf(outcome.entry)).toBe(textOf(entry))
    expect(textOf(await waiter.session.read('x'))).toBe(textOf(entry))
    await waiter.lead('x')
  })

  test('a take that was sent again keeps those who waited since, and sets the lease anew', async () => {
    await using peers = await openPeers(source)
    const [taker, waiter] = [await peers.join(), await peers.join()]
    const token = newToken()
    const first = await taker.session.take('x', token, 1000)
    await waiter.wait('x')
    expect(await taker.session.take('x', token, LONG)).toBeGreaterThanOrEqual(first)
    expect(await taker.session.renew('x', token, LONG)).toBe(1)
    expect((await waiter.wait('x')).leaseLeft).toBeGreaterThan(20_000)
    await peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toEqual([])
    await taker.session.end('x', token, { type: 'alone' })
    expect((await waiter.message(token)).outcome).toEqual({ type: 'alone' })
  })

  test('of two takers the later one leads', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    const [first, second] = [newToken(), newToken()]
    await one.session.take('x', first, LONG)
    await two.session.take('x', second, LONG)
    const ending = (token: string) => ({ type: 'value', entry: entryOf(token), ttl: LONG }) as const
    expect(await one.session.end('x', first, ending(first))).toEqual({ type: 'fenced' })
    expect(await two.session.end('x', second, ending(second))).toEqual({ type: 'ok', stored: true })
  })

  test('a taken flight can be removed, set over, and is over with its lease', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    const token = newToken()
    await session.take('removed', token, LONG)
    await other.session.remove(['removed'])
    await session.take('written', token, LONG)
    await other.session.set('written', entryOf(newToken()), LONG)
    await session.take('over', token, 40)
    await until(
      () => other.session.claim('over', { token: newToken(), seen: 'any', lease: LONG }),
      ({ type }) => type === 'lead',
      'the end of the lease',
    )
    for (const id of ['removed', 'written', 'over']) {
      expect(await session.end(id, token, { type: 'value', entry: entryOf(token), ttl: LONG })).toEqual({
        type: 'fenced',
      })
    }
  })

  test('an id that was listed stays so when its flight is taken', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.set('x', entryOf(newToken()), LONG)
    await session.index('x', ['a'], LONG)
    const token = newToken()
    await session.take('x', token, LONG)
    expect((await session.members('a')).ids).toEqual(['x'])
  })
}
