import { expect, test } from 'vitest'
import { entryOf, LONG, newToken, openPeers, type StoreSource, until } from './peers.ts'

/** The three answers of a claim, and what registering to wait means. */
export function claiming(source: StoreSource): void {
  test('the first claimer leads, every other one waits for its token', async () => {
    await using peers = await openPeers(source)
    const [one, two, three] = [await peers.join(), await peers.join(), await peers.join()]
    const token = newToken()
    expect(await one.session.claim('x', { token, seen: 'none', lease: 5000 })).toEqual({
      type: 'lead',
      present: 'none',
      clock: expect.any(Number),
    })
    for (const { session } of [two, three]) {
      const claim = await session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
      expect(claim).toEqual({ type: 'wait', token, leaseLeft: expect.any(Number), present: 'none', queued: false })
      // The leader's lease, not the claimer's.
      expect(claim).toSatisfy(({ leaseLeft }) => leaseLeft > 0 && leaseLeft <= 5000)
    }
  })

  test('of a hundred claims at once exactly one leads, and all others wait for that one', async () => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    const tokens = Array.from({ length: 100 }, newToken)
    const claims = await Promise.all(
      tokens.map((token, i) => all[i % 4]?.session.claim('x', { token, seen: 'none', lease: LONG })),
    )
    const leaders = tokens.filter((_, i) => claims[i]?.type === 'lead')
    expect(leaders).toHaveLength(1)
    for (const claim of claims) {
      if (claim?.type !== 'lead') expect(claim).toMatchObject({ type: 'wait', token: leaders[0] })
    }
  })

  test('an entry that was not seen is a hit, and no flight begins', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    const stamp = newToken()
    await one.session.set('x', entryOf(stamp), LONG)
    const token = newToken()
    expect(await two.session.claim('x', { token, seen: 'none', lease: LONG })).toEqual({ type: 'hit' })
    expect(await two.session.renew('x', token, LONG)).toBe('lost')
    await one.lead('x')
  })

  test('a hit registers nobody', async () => {
    await using peers = await openPeers(source)
    const [leader, reader] = [await peers.join(), await peers.join()]
    await leader.session.set('x', entryOf(newToken()), LONG)
    const token = await leader.lead('x')
    expect(await reader.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })).toEqual({ type: 'hit' })
    expect(await leader.session.renew('x', token, LONG)).toBe(0)
    await leader.session.end('x', token, { type: 'again' })
    await peers.settle()
    expect(reader.messages.filter((message) => message.token === token)).toEqual([])
  })

  test('a claim that was sent again, with the same token, leads as before', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = newToken()
    const request = { token, seen: 'none', lease: LONG } as const
    expect(await leader.session.claim('x', request)).toEqual({
      type: 'lead',
      present: 'none',
      clock: expect.any(Number),
    })
    await waiter.wait('x')
    expect(await leader.session.claim('x', request)).toEqual({
      type: 'lead',
      present: 'none',
      clock: expect.any(Number),
    })
    // Those who waited between the two still do.
    expect(await leader.session.renew('x', token, LONG)).toBe(1)
    await leader.session.end('x', token, { type: 'again' })
    expect(await waiter.message(token)).toEqual({ id: 'x', token, outcome: { type: 'again' } })
  })

  test('a claim that was sent again sets the lease anew', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = newToken()
    await leader.session.claim('x', { token, seen: 'none', lease: 1000 })
    await leader.session.claim('x', { token, seen: 'none', lease: 30_000 })
    expect((await waiter.wait('x')).leaseLeft).toBeGreaterThan(20_000)
  })

  test('an instance may wait for a flight of its own', async () => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    const token = await peer.lead('x')
    expect((await peer.wait('x')).token).toBe(token)
    await peer.session.end('x', token, { type: 'alone' })
    expect((await peer.message(token)).outcome).toEqual({ type: 'alone' })
  })

  test('who waits twice is told of the flight it waits for', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    for (let round = 0; round < 3; round++) {
      const token = await leader.lead('x')
      expect((await waiter.wait('x')).token).toBe(token)
      expect((await waiter.wait('x')).token).toBe(token)
      await leader.session.end('x', token, { type: 'again' })
      expect((await waiter.message(token)).outcome).toEqual({ type: 'again' })
    }
  })

  test('who waited for one flight is not told of the next', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const first = await leader.lead('x')
    await waiter.wait('x')
    await leader.session.end('x', first, { type: 'again' })
    await waiter.message(first)
    const second = await leader.lead('x')
    await leader.session.end('x', second, { type: 'again' })
    await peers.settle()
    expect(waiter.messages.filter(({ token }) => token === second)).toEqual([])
  })

  test('when a flight has ended without an entry, the next claimer leads', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    for (const type of ['again', 'alone'] as const) {
      await one.session.end('x', await one.lead('x'), { type })
      await two.session.remove(['x'])
    }
    await two.lead('x')
  })

  test('the lease as told becomes less as time goes on', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    await leader.lead('x', 1000)
    const { leaseLeft } = await waiter.wait('x')
    expect(leaseLeft).toBeLessThanOrEqual(1000)
    await until(
      () => waiter.wait('x'),
      (later) => later.leaseLeft <= leaseLeft - 50,
      'a shorter lease',
    )
  })
}
