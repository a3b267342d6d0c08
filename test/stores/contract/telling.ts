import { expect, test } from 'vitest'
import type { Message } from '../../../src/index.ts'
import { entryOf, LONG, openPeers, type Peer, type StoreSource, textOf } from './peers.ts'

/** Larger than a message of most stores may be. */
const LARGE = Buffer.alloc(2 * 1024 * 1024, 'large')
const WAITERS = 4

/** What waiters are told, and when. */
export function telling(source: StoreSource): void {
  test('a value too large for a message can be read where it was stored', async () => {
    await using peers = await openPeers(source)
    const { leader, waiters, token } = await flight(peers.join)
    const entry = entryOf(token, LARGE)
    expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({
      type: 'ok',
      stored: true,
    })
    for (const waiter of waiters) {
      const { outcome } = await waiter.message(token)
      expect(['value', 'ready']).toContain(outcome.type)
      const got = outcome.type === 'value' ? outcome.entry : await waiter.session.read('x')
      expect(textOf(got) === textOf(entry)).toBe(true)
    }
  })

  test('a value too large for a message, and not stored, is told as alone or is whole', async () => {
    await using peers = await openPeers(source)
    const { leader, waiters, token } = await flight(peers.join)
    const entry = entryOf(token, LARGE)
    expect(await leader.session.end('x', token, { type: 'share', entry })).toEqual({ type: 'ok', stored: false })
    for (const waiter of waiters) {
      const { outcome } = await waiter.message(token)
      expect(['value', 'alone']).toContain(outcome.type)
      if (outcome.type === 'value') expect(textOf(outcome.entry) === textOf(entry)).toBe(true)
      expect(await waiter.session.read('x')).toBeUndefined()
    }
  })

  test('a large value that is set ends the flight as one that was ended', async () => {
    await using peers = await openPeers(source)
    const { leader, waiters, token } = await flight(peers.join)
    const entry = entryOf('s'.repeat(16), LARGE)
    await leader.session.set('x', entry, LONG)
    for (const waiter of waiters) {
      const { outcome } = await waiter.message(token)
      expect(['value', 'ready']).toContain(outcome.type)
      const got = outcome.type === 'value' ? outcome.entry : await waiter.session.read('x')
      expect(textOf(got) === textOf(entry)).toBe(true)
    }
  })

  test('when a message is here, what it tells has happened', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    for (let i = 0; i < 100; i++) {
      const id = `x:${i}`
      const token = await leader.lead(id)
      await waiter.wait(id)
      const entry = entryOf(token)
      const ended = leader.session.end(id, token, { type: 'value', entry, ttl: LONG })
      await waiter.message(token)
      // Not: at once, or after a while. The entry came first, then the flight went, then the message.
      expect(textOf(await waiter.session.read(id))).toBe(textOf(entry))
      expect(await waiter.session.renew(id, token, LONG)).toBe('lost')
      await ended
    }
  })

  test('a message comes to the instance that waits, in whatever order flights end', async () => {
    await using peers = await openPeers(source)
    const [leader, one, two] = [await peers.join(), await peers.join(), await peers.join()]
    const ids = Array.from({ length: 60 }, (_, i) => `x:${i}`)
    const tokens = await Promise.all(ids.map((id) => leader.lead(id)))
    await Promise.all(ids.map((id, i) => (i % 2 === 0 ? one : two).wait(id)))
    await Promise.all(ids.map((id, i) => leader.session.end(id, tokens[i] as string, { type: 'again' })))
    await Promise.all(ids.map((_, i) => (i % 2 === 0 ? one : two).message(tokens[i] as string)))
    await peers.settle()
    const mine = (peer: Peer) => new Set(peer.messages.filter(({ id }) => id.startsWith('x:')).map(({ id }) => id))
    expect([...mine(one)].sort()).toEqual(ids.filter((_, i) => i % 2 === 0).sort())
    expect([...mine(two)].sort()).toEqual(ids.filter((_, i) => i % 2 === 1).sort())
  })

  test('nothing is told from inside a call, not even of what the same session does', async () => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    const token = await peer.lead('x')
    await peer.wait('x')
    // Asked between the calls, before anything could come back.
    const before: (readonly Message[])[] = []
    const ended = peer.session.end('x', token, { type: 'again' })
    before.push([...peer.messages])
    const announced = peer.session.announce({ from: peer.instanceId, ids: ['x'], tags: [], all: false })
    before.push([...peer.messages])
    await Promise.all([ended, announced])
    await peer.message(token)
    await peer.notice(({ from }) => from === peer.instanceId)
    expect(before).toEqual([[], []])
    expect(peer.breaches).toEqual([])
  })

  test('the inbox is confirmed when the session is ready', async () => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    await peer.told(() => peer.inbox.length > 0, 'the confirmation')
    expect(peer.inbox).toEqual([true])
    expect(peer.faults).toEqual([])
  })
}

async function flight(join: () => Promise<Peer>): Promise<{ leader: Peer; waiters: Peer[]; token: string }> {
  const leader = await join()
  const waiters: Peer[] = []
  const token = await leader.lead('x')
  for (let i = 0; i < WAITERS; i++) {
    const waiter = await join()
    await waiter.wait('x')
    waiters.push(waiter)
  }
  return { leader, waiters, token }
}
