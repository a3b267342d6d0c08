import { expect, test } from 'vitest'
import type { Session } from '../../../src/index.ts'
import { entryOf, LONG, newToken, openPeer, openPeers, type StoreSource, textOf } from './peers.ts'

/** ms that closing may take, and a little for a busy machine. */
const BOUND = 1200

const calls: Record<string, (session: Session) => Promise<unknown>> = {
  ready: (session) => session.ready(),
  read: (session) => session.read('x'),
  readMany: (session) => session.readMany(['x', 'y']),
  claim: (session) => session.claim('x', { token: newToken(), seen: 'none', lease: LONG }),
  renew: (session) => session.renew('x', newToken(), LONG),
  end: (session) => session.end('x', newToken(), { type: 'again' }),
  set: (session) => session.set('x', entryOf(newToken()), LONG),
  take: (session) => session.take('x', newToken(), LONG),
  remove: (session) => session.remove(['x']),
  enter: (session) => session.enter('g', newToken(), 1, LONG),
  leave: (session) => session.leave('g', newToken(), 1),
  index: (session) => session.index('x', ['a'], LONG),
  step: (session) => session.step(),
  mark: (session) => session.mark('a', 1),
  members: (session) => session.members('a'),
  sweep: (session) => session.sweep('a', 1),
  list: (session) => session.list(),
  announce: (session) => session.announce({ from: 'me', ids: ['x'], tags: [], all: false }),
}

/** `close`. */
export function closing(source: StoreSource): void {
  test.each(Object.keys(calls))('%s rejects as closed after close', async (name) => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.close()
    const startedAt = performance.now()
    const error = await calls[name]?.(session).then(
      () => 'it resolved',
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ name: 'StoreError', code: 'CLOSED' })
    expect(performance.now() - startedAt).toBeLessThan(BOUND)
  })

  test.each(Object.keys(calls))('%s rejects as closed from the moment that close is called', async (name) => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const closed = session.close()
    await expect(calls[name]?.(session)).rejects.toMatchObject({ name: 'StoreError', code: 'CLOSED' })
    await closed
  })

  test('calls that close overtakes are answered or reject, within a second', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const startedAt = performance.now()
    const pending = Object.values(calls).map((call) => call(session))
    const settled = Promise.allSettled(pending)
    await session.close()
    for (const result of await settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'StoreError' })
    }
    expect(performance.now() - startedAt).toBeLessThan(BOUND)
  })

  test('a session that is closed before it is ready rejects ready', async () => {
    const factory = await source.open()
    await using peers = await openPeers({ open: () => factory })
    const peer = openPeer(factory(), { namespace: peers.namespace })
    const ready = peer.session.ready().then(
      () => 'ready',
      (error: unknown) => error,
    )
    await peer.session.close()
    const answer = await ready
    if (answer !== 'ready') expect(answer).toMatchObject({ name: 'StoreError', code: 'CLOSED' })
    await expect(peer.session.ready()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('closing twice, also at once, is no error', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await Promise.all([session.close(), session.close()])
    await session.close()
  })

  test('the others go on: they read, wait, are told, and announce', async () => {
    await using peers = await openPeers(source)
    const [gone, leader, waiter] = [await peers.join(), await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await Promise.all([gone.wait('x'), waiter.wait('x')])
    await gone.session.close()
    const entry = entryOf(token)
    expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({
      type: 'ok',
      stored: true,
    })
    await waiter.message(token)
    expect(textOf(await waiter.session.read('x'))).toBe(textOf(entry))
    await leader.session.announce({ from: leader.instanceId, ids: ['x'], tags: [], all: false })
    await waiter.notice(({ from }) => from === leader.instanceId)
  })

  test('what was stored stays, and the next to open finds it', async () => {
    await using peers = await openPeers(source)
    const keeper = await peers.join()
    const writer = await peers.join()
    await writer.session.set('x', Buffer.from('kept'), LONG)
    await writer.session.close()
    expect(textOf(await keeper.session.read('x'))).toBe('kept')
    expect(textOf(await (await peers.join()).session.read('x'))).toBe('kept')
  })

  test('the flight of a closed session ends with its lease', async () => {
    await using peers = await openPeers(source)
    const [gone, other] = [await peers.join(), await peers.join()]
    const token = await gone.lead('x', 20_000)
    await gone.session.close()
    expect((await other.wait('x')).token).toBe(token)
  })

  test('closing again, when others have come since, takes nothing from them', async () => {
    await using peers = await openPeers(source)
    const first = await peers.join()
    await first.session.close()
    const one = await peers.join()
    await first.session.close()
    const two = await peers.join()
    await two.session.announce({ from: two.instanceId, ids: ['x'], tags: [], all: false })
    await two.notice(({ from }) => from === two.instanceId)
    await one.notice(({ from }) => from === two.instanceId)
  })
}
