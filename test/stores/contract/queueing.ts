import { expect, test } from 'vitest'
import { LONG, newToken, openPeers, type Peer, type StoreSource, until } from './peers.ts'

/** `enter` and `leave`, and a flight whose leader is queued. */
export function queueing(source: StoreSource): void {
  test('tickets stand in the order they came, and stay where they stand', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    const tickets = [newToken(), newToken(), newToken()] as const
    const enter = (peer: Peer, at: 0 | 1 | 2) => peer.session.enter('g', tickets[at], 1, LONG)
    expect((await enter(one, 0)).ahead).toBe(0)
    expect((await enter(two, 1)).ahead).toBe(1)
    expect((await enter(one, 2)).ahead).toBe(2)
    expect((await enter(one, 0)).ahead).toBe(0)
    expect((await enter(two, 1)).ahead).toBe(1)
  })

  test('of one moment they stand in the order of the calls', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const tickets = Array.from({ length: 250 }, newToken)
    const standings = await Promise.all(tickets.map((ticket) => session.enter('g', ticket, 1, LONG)))
    expect(standings.map(({ ahead }) => ahead)).toEqual(tickets.map((_, i) => i))
  })

  test('groups and namespaces have queues of their own', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join({ namespace: `${peers.namespace}-2` })]
    for (const group of ['g', 'h', '', '}', '{g}', '%'])
      expect((await session.enter(group, newToken(), 1, LONG)).ahead, group).toBe(0)
    expect((await other.session.enter('g', newToken(), 1, LONG)).ahead).toBe(0)
    expect((await session.enter('g', newToken(), 1, LONG)).ahead).toBe(1)
  })

  test('whoever comes to a place by another that leaves is told, and nobody else', async () => {
    await using peers = await openPeers(source)
    const [one, two, three] = [await peers.join(), await peers.join(), await peers.join()]
    const [first, second, third, fourth] = [newToken(), newToken(), newToken(), newToken()] as const
    await one.session.enter('g', first, 2, LONG)
    await one.session.enter('g', second, 2, LONG)
    await two.session.enter('g', third, 2, LONG)
    await three.session.enter('g', fourth, 2, LONG)
    await one.session.leave('g', second, 2)
    expect(await two.message(third)).toEqual({ id: 'g', token: third, outcome: { type: 'again' } })
    expect((await two.session.enter('g', third, 2, LONG)).ahead).toBe(1)
    await one.session.leave('g', first, 2)
    expect(await three.message(fourth)).toEqual({ id: 'g', token: fourth, outcome: { type: 'again' } })
    await peers.settle()
    expect(two.messages.filter(({ id }) => id === 'g').every(({ token }) => token === third)).toBe(true)
    expect(three.messages.filter(({ id }) => id === 'g')).toHaveLength(1)
  })

  test('who waited and leaves takes no place with it', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    const [first, second, third] = [newToken(), newToken(), newToken()] as const
    await one.session.enter('g', first, 1, LONG)
    await one.session.enter('g', second, 1, LONG)
    await two.session.enter('g', third, 1, LONG)
    await one.session.leave('g', second, 1)
    await one.session.leave('g', newToken(), 1)
    await peers.settle()
    expect(two.messages.some(({ id }) => id === 'g')).toBe(false)
    expect((await two.session.enter('g', third, 1, LONG)).ahead).toBe(1)
  })

  test('a ticket that is not renewed is dropped, whether it has a place or waits', async () => {
    await using peers = await openPeers(source)
    const [dead, alive] = [await peers.join(), await peers.join()]
    const [holds, waits, third, fourth] = [newToken(), newToken(), newToken(), newToken()] as const
    await dead.session.enter('g', holds, 1, 200)
    await dead.session.enter('g', waits, 1, 200)
    expect((await alive.session.enter('g', third, 1, LONG)).ahead).toBe(2)
    const standing = await alive.session.enter('g', fourth, 1, LONG)
    expect(standing.ahead).toBe(3)
    expect(standing.leaseLeft).toBeLessThanOrEqual(200)
    await until(
      () => alive.session.enter('g', fourth, 1, LONG),
      ({ ahead }) => ahead === 1,
      'the place of the dead',
    )
    expect((await alive.message(third)).outcome).toEqual({ type: 'again' })
    expect((await alive.session.enter('g', third, 1, LONG)).ahead).toBe(0)
  })

  test('a ticket that is renewed outlives its first lease', async () => {
    await using peers = await openPeers(source)
    const [{ session }, other] = [await peers.join(), await peers.join()]
    const [first, witness, second] = [newToken(), newToken(), newToken()] as const
    await session.enter('g', first, 1, 150)
    await session.enter('h', witness, 1, 200)
    await session.enter('g', first, 1, LONG)
    await until(
      () => other.session.enter('h', second, 1, LONG),
      ({ ahead }) => ahead === 0,
      'the place of the witness',
    )
    expect((await other.session.enter('g', second, 1, LONG)).ahead).toBe(1)
  })

  test('who says fewer places waits longer', async () => {
    await using peers = await openPeers(source)
    const { session, message } = await peers.join()
    const [first, second, third] = [newToken(), newToken(), newToken()] as const
    await session.enter('g', first, 3, LONG)
    await session.enter('g', second, 3, LONG)
    expect((await session.enter('g', third, 1, LONG)).ahead).toBe(2)
    await session.leave('g', first, 3)
    await session.leave('g', second, 1)
    await message(third)
  })

  test('who waits for a flight is told once that its leader is queued, and who comes learns of it', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter, late] = [await peers.join(), await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    expect((await waiter.wait('x')).queued).toBe(false)
    expect(await leader.session.renew('x', token, LONG, true)).toBe(1)
    expect(await waiter.message(token)).toEqual({ id: 'x', token, outcome: { type: 'queued' } })
    expect((await late.wait('x')).queued).toBe(true)
    expect(await leader.session.renew('x', token, LONG, true)).toBe(2)
    await peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toHaveLength(1)
    expect(await leader.session.renew('x', token, LONG)).toBe(2)
    expect((await waiter.wait('x')).queued).toBe(false)
    await leader.session.end('x', token, { type: 'again' })
    await late.told(() => late.messages.some(({ id }) => id === 'x'), 'the end')
    expect(late.messages.filter(({ id }) => id === 'x')).toMatchObject([{ token, outcome: { type: 'again' } }])
  })

  test('queues are no part of a listing', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.enter('g', newToken(), 1, LONG)
    expect(await session.list()).toMatchObject({ ids: [], tags: [] })
  })
}
