import { expect, test } from 'vitest'
import { entryOf, openPeers, type StoreSource, textOf, until } from './peers.ts'

/** ms by which two clocks, and timers, may differ. */
const TOLERANCE = 15

/** The time to live of entries. */
export function times(source: StoreSource): void {
  test('an entry is there until its time to live is over, and not longer', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const startedAt = performance.now()
    await session.set('set', entryOf('s'.repeat(16)), 300)
    const token = await (await peers.join()).lead('ended')
    const endedAt = performance.now()
    await session.end('ended', token, { type: 'value', entry: entryOf(token), ttl: 300 })
    for (const [id, from] of [
      ['set', startedAt],
      ['ended', endedAt],
    ] as const) {
      await until(
        () => session.read(id),
        (entry) => entry === undefined,
        `the end of ${id}`,
      )
      const lived = performance.now() - from
      expect(lived).toBeGreaterThanOrEqual(300 - TOLERANCE)
      expect(lived).toBeLessThan(2000)
    }
    expect(await session.readMany(['set', 'ended'])).toEqual([undefined, undefined])
  })

  test('an expired entry is nothing to a claim', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.set('x', entryOf('s'.repeat(16)), 40)
    const token = 't'.repeat(16)
    const claim = await until(
      () => session.claim('x', { token, seen: 'none', lease: 1000 }),
      ({ type }) => type !== 'hit',
      'the end of the entry',
    )
    expect(claim).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
  })

  test('an infinite time to live has no end, also where there was one before', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.set('for ever', Buffer.from('old'), 100)
    await session.set('for ever', Buffer.from('new'), Number.POSITIVE_INFINITY)
    await session.set('witness', Buffer.from('old'), Number.POSITIVE_INFINITY)
    await session.set('witness', Buffer.from('old'), 120)
    await until(
      () => session.read('witness'),
      (entry) => entry === undefined,
      'the end of the witness',
    )
    expect(textOf(await session.read('for ever'))).toBe('new')
  })

  test('a longer time to live replaces a shorter one', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.set('x', Buffer.from('old'), 100)
    await session.set('x', Buffer.from('new'), 60_000)
    await session.set('witness', Buffer.from('old'), 120)
    await until(
      () => session.read('witness'),
      (entry) => entry === undefined,
      'the end of the witness',
    )
    expect(textOf(await session.read('x'))).toBe('new')
  })

  test.each([0.001, 0.5, 1, 1.5, 1e-300, Number.MIN_VALUE])(
    'a time to live of %d ms is short, and no error',
    async (ttl) => {
      await using peers = await openPeers(source)
      const peer = await peers.join()
      await peer.session.set('set', Buffer.from('x'), ttl)
      const token = await peer.lead('ended')
      expect(await peer.session.end('ended', token, { type: 'value', entry: entryOf(token), ttl })).toEqual({
        type: 'ok',
        stored: true,
      })
      for (const id of ['set', 'ended']) {
        await until(
          () => peer.session.read(id),
          (entry) => entry === undefined,
          `the end of ${id}`,
        )
      }
    },
  )

  test.each([
    1_000_000.5,
    2 ** 31,
    2 ** 32 + 0.5,
    2 ** 53 / 1000 - 1,
    2 ** 53 / 1000,
    Number.MAX_SAFE_INTEGER,
    2 ** 63,
    1e21,
    Number.MAX_VALUE,
    Number.POSITIVE_INFINITY,
  ])('a time to live of %d ms is long, and no error', async (ttl) => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    await peer.session.set('set', Buffer.from('x'), ttl)
    const token = await peer.lead('ended')
    const entry = entryOf(token)
    expect(await peer.session.end('ended', token, { type: 'value', entry, ttl })).toEqual({ type: 'ok', stored: true })
    expect((await peer.session.readMany(['set', 'ended'])).map(textOf)).toEqual(['x', textOf(entry)])
  })
}
