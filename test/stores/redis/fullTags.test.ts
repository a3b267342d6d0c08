import { describe, expect, test } from 'vitest'
import { entryOf, LONG, newToken, textOf } from '../contract/peers.ts'
import { invalidate, listOf, membersOf, store } from '../contract/tagged.ts'
import { openFull } from './fullServer.ts'

describe('where the server’s memory is full, of tags', () => {
  test('the clock goes on: steps, claims and takes give it, also where it has never been read before', async () => {
    await using full = await openFull()
    const { session } = await full.peers.join()
    await full.fill()
    const claim = await session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
    expect(claim).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
    const taken = await session.take('y', newToken(), LONG)
    const step = await session.step()
    expect(step).toBeGreaterThan(taken)
    expect(taken).toBeGreaterThanOrEqual((claim as { clock: number }).clock)
    expect(await full.inspector.get(`${full.peers.namespace}:clock`)).toBe(String(step))
  })

  test('the first of all may be a step, and a take', async () => {
    for (const first of ['step', 'take'] as const) {
      await using full = await openFull()
      const { session } = await full.peers.join()
      await full.fill()
      const clock = first === 'step' ? await session.step() : await session.take('x', newToken(), LONG)
      expect(await full.inspector.get(`${full.peers.namespace}:clock`)).toBe(String(clock))
    }
  })

  test('a take fences the leader, tells the waiters, and leads', async () => {
    await using full = await openFull()
    const [taker, waiter] = [await full.peers.join(), await full.peers.join()]
    const old = await taker.lead('x')
    await waiter.wait('x')
    await full.fill()
    const token = newToken()
    await taker.session.take('x', token, LONG)
    expect((await waiter.message(old)).outcome).toEqual({ type: 'again' })
    expect((await waiter.wait('x')).token).toBe(token)
    const entry = entryOf(token)
    const ended = await taker.session.end('x', token, { type: 'value', entry, ttl: LONG })
    expect(ended).toEqual({ type: 'ok', stored: false, refused: expect.stringContaining('OOM') })
    const { outcome } = await waiter.message(token)
    expect(outcome.type === 'value' && textOf(outcome.entry)).toBe(textOf(entry))
  })

  test.each([LONG, Number.POSITIVE_INFINITY])(
    'ids are listed, old ones dropped and epochs read, for %d ms',
    async (life) => {
      await using full = await openFull()
      const { session, lead } = await full.peers.join()
      const index = `${full.peers.namespace}:tag:{a}:entries`
      await full.inspector.zadd(index, 1, 'over')
      await full.fill()
      await lead('x')
      const tags = ['new', 'a', 'newer']
      expect(await session.index('x', tags, life)).toBe(0)
      for (const tag of tags) expect(await membersOf(session, tag)).toEqual(['x'])
      const clock = await session.step()
      await session.mark('newer', clock)
      expect(await session.index('x', tags, life)).toBe(clock)
    },
  )

  test('an invalidation goes all its way, marked for the first time or again', async () => {
    await using full = await openFull()
    const [peer, waiter] = [await full.peers.join(), await full.peers.join()]
    const { session } = peer
    await store(session, 'x', ['a'])
    await store(session, 'y', ['a', 'b'])
    await full.fill()
    const token = await peer.lead('y')
    await waiter.wait('y')
    await invalidate(session, 'a')
    expect((await waiter.message(token)).outcome).toEqual({ type: 'again' })
    expect(await session.readMany(['x', 'y'])).toEqual([undefined, undefined])
    expect(await listOf(session)).toEqual({ ids: [], tags: ['b'] })
    const clock = await invalidate(session, 'a')
    expect(await session.index('x', ['a'], LONG)).toBe(clock)
  })
})
