import { expect, test } from 'vitest'
import { entryOf, LONG, newToken, openPeers, type Peer, type StoreSource, textOf, until } from './peers.ts'

/** `renew`, and what follows from a lease that ran out. */
export function leases(source: StoreSource): void {
  test('a renewal tells how many instances wait', async () => {
    await using peers = await openPeers(source)
    const [leader, ...waiters] = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    const counts = [await leader.session.renew('x', token, LONG)]
    for (const waiter of waiters) {
      // Twice the same instance is one.
      await waiter.wait('x')
      await waiter.wait('x')
      counts.push(await leader.session.renew('x', token, LONG))
    }
    expect(counts).toEqual([0, 1, 2, 3])
  })

  test('a renewed lease is as long as was said, longer or shorter than before', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x', 1000)
    expect(await leader.session.renew('x', token, 30_000)).toBe(0)
    expect((await waiter.wait('x')).leaseLeft).toBeGreaterThan(20_000)
    await leader.session.renew('x', token, 500)
    expect((await waiter.wait('x')).leaseLeft).toBeLessThanOrEqual(500)
  })

  test('a fraction of a millisecond is a lease', async () => {
    await using peers = await openPeers(source)
    const [leader, other] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x', 100.5)
    expect(await leader.session.renew('x', token, 100.25)).toBe(0)
    await leader.session.renew('x', token, 0.25)
    await takeOver(other, 'x')
  })

  test('a flight that is renewed goes on beyond its first lease', async () => {
    await using peers = await openPeers(source)
    const [leader, other] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x', 150)
    await leader.lead('witness', 200)
    await leader.session.renew('x', token, LONG)
    await takeOver(other, 'witness')
    expect((await other.wait('x')).token).toBe(token)
  })

  test('whose flight ended, was removed, was overwritten or never was has lost it', async () => {
    await using peers = await openPeers(source)
    const [{ session, lead }, other] = [await peers.join(), await peers.join()]
    expect(await session.renew('never', newToken(), LONG)).toBe('lost')
    const ended = await lead('ended')
    await session.end('ended', ended, { type: 'again' })
    expect(await session.renew('ended', ended, LONG)).toBe('lost')
    const removed = await lead('removed')
    await other.session.remove(['removed'])
    expect(await session.renew('removed', removed, LONG)).toBe('lost')
    const written = await lead('written')
    await other.session.set('written', entryOf(newToken()), LONG)
    expect(await session.renew('written', written, LONG)).toBe('lost')
  })

  test('a renewal under another token is lost and changes nothing', async () => {
    await using peers = await openPeers(source)
    const [leader, other] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x', 20_000)
    expect(await other.session.renew('x', newToken(), LONG)).toBe('lost')
    const { leaseLeft, token: found } = await other.wait('x')
    expect(found).toBe(token)
    expect(leaseLeft).toBeLessThanOrEqual(20_000)
  })

  test('a lost renewal begins no flight', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    expect(await one.session.renew('x', newToken(), LONG)).toBe('lost')
    await two.lead('x')
  })

  test('after the lease exactly one of those who waited leads', async () => {
    await using peers = await openPeers(source)
    const [leader, ...waiters] = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    const startedAt = performance.now()
    const dead = await leader.lead('x', 200)
    await Promise.all(waiters.map((waiter) => waiter.wait('x')))
    const claims = await Promise.all(
      waiters.map((waiter) =>
        until(
          () => waiter.session.claim('x', { token: newToken(), seen: 'none', lease: LONG }),
          (claim) => claim.type === 'lead' || (claim.type === 'wait' && claim.token !== dead),
          'the end of the lease',
        ),
      ),
    )
    // Not before the lease is over; clocks may differ by a little.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(185)
    expect(claims.map(({ type }) => type).sort()).toEqual(['lead', 'wait', 'wait'])
  })

  test('a leader whose lease ran out has lost it, before anybody claims again', async () => {
    await using peers = await openPeers(source)
    const [leader, other] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x', 50)
    await leader.lead('witness', 80)
    await takeOver(other, 'witness')
    expect(await leader.session.renew('x', token, LONG)).toBe('lost')
    const entry = entryOf(token)
    expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({ type: 'fenced' })
    expect(await leader.session.read('x')).toBeUndefined()
  })

  test('a leader paused past its lease changes nothing of its successor, whatever it says', async () => {
    await using peers = await openPeers(source)
    const [old, successor, waiter] = [await peers.join(), await peers.join(), await peers.join()]
    const late = await old.lead('x', 30)
    const token = await takeOver(successor, 'x')
    await waiter.wait('x')

    expect(await old.session.renew('x', late, 1)).toBe('lost')
    const entry = entryOf(late, 'late')
    const endings = [
      { type: 'value', entry, ttl: LONG },
      { type: 'share', entry },
      { type: 'error', error: Buffer.from('late') },
      { type: 'again' },
      { type: 'alone' },
    ] as const
    for (const ending of endings) expect(await old.session.end('x', late, ending)).toEqual({ type: 'fenced' })

    expect(await successor.session.read('x')).toBeUndefined()
    await peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toEqual([])
    expect(await successor.session.renew('x', token, LONG)).toBe(1)
    const mine = entryOf(token, 'mine')
    expect(await successor.session.end('x', token, { type: 'value', entry: mine, ttl: LONG })).toMatchObject({
      type: 'ok',
    })
    await waiter.message(token)
    expect(textOf(await waiter.session.read('x'))).toBe(textOf(mine))
  })

  test('who waited for a flight whose lease ran out is not told of the successor, unless it claims again', async () => {
    await using peers = await openPeers(source)
    const [dead, waiter, successor] = [await peers.join(), await peers.join(), await peers.join()]
    await dead.lead('x', 30)
    await waiter.wait('x')
    const token = await takeOver(successor, 'x')
    expect(await successor.session.renew('x', token, LONG)).toBe(0)
    await successor.session.end('x', token, { type: 'again' })
    await peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toEqual([])
  })
}

/** Claims until it leads; whoever led before let its lease run out. */
async function takeOver(peer: Peer, id: string): Promise<string> {
  const token = newToken()
  await until(
    () => peer.session.claim(id, { token, seen: 'any', lease: LONG }),
    ({ type }) => type === 'lead',
    `the end of the lease of ${id}`,
  )
  return token
}
