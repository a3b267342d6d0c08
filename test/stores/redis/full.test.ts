import { describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startRedis } from '../../redis/server.ts'
import { entryOf, LONG, newToken, openPeers, textOf } from '../contract/peers.ts'
import { listOf, membersOf } from '../contract/tagged.ts'
import { openFull } from './fullServer.ts'

describe('where the server’s memory is full', () => {
  test('claims work: they lead, wait and hit as ever', async () => {
    await using full = await openFull()
    const [one, two, three] = [await full.peers.join(), await full.peers.join(), await full.peers.join()]
    const stamp = newToken()
    await one.session.set('stored', entryOf(stamp), LONG)
    await full.fill()
    const token = await one.lead('x')
    expect((await two.wait('x')).token).toBe(token)
    expect((await three.wait('x')).token).toBe(token)
    expect(await one.session.renew('x', token, LONG)).toBe(2)
    const hit = await two.session.claim('stored', { token: newToken(), seen: 'none', lease: LONG })
    expect(hit).toEqual({ type: 'hit' })
    expect((await one.session.claim('stored', { token: newToken(), seen: 'any', lease: LONG })).type).toBe('lead')
    expect(await full.inspector.pttl(`${full.peers.namespace}:{x}:flight`)).toBeGreaterThan(0)
  })

  test('a claim that is sent again leads as before', async () => {
    await using full = await openFull()
    const { session } = await full.peers.join()
    await full.fill()
    const request = { token: newToken(), seen: 'none', lease: LONG } as const
    expect(await session.claim('x', request)).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
    expect(await session.claim('x', request)).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
  })

  test('a leader takes over from one whose lease ran out', async () => {
    await using full = await openFull()
    const [dead, next] = [await full.peers.join(), await full.peers.join()]
    await full.fill()
    await dead.lead('x', 1)
    await expect.poll(() => full.inspector.exists(`${full.peers.namespace}:{x}:flight`)).toBe(0)
    await next.lead('x')
  })

  test('an end is ok, stored is false and refused says why, and those who wait have the value', async () => {
    await using full = await openFull()
    const [leader, waiter] = [await full.peers.join(), await full.peers.join()]
    const before = entryOf(newToken(), 'before')
    await leader.session.set('x', before, LONG)
    await full.fill()
    const token = await leader.lead('x')
    await waiter.wait('x')
    const entry = entryOf(token, 'after')
    const ended = await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })
    expect(ended).toEqual({ type: 'ok', stored: false, refused: expect.stringContaining('OOM') })
    const { outcome } = await waiter.message(token)
    expect(outcome.type === 'value' && textOf(outcome.entry)).toBe(textOf(entry))
    expect(textOf(await leader.session.read('x'))).toBe(textOf(before))
    await waiter.lead('x')
  })

  test('a value that was refused and is too large for a message is told as alone', async () => {
    await using full = await openFull()
    const [leader, waiter] = [await full.peers.join(), await full.peers.join()]
    const token = await leader.lead('x')
    await waiter.wait('x')
    await full.fill()
    const entry = entryOf(token, Buffer.alloc(1024 * 1024))
    const ended = await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })
    expect(ended).toMatchObject({ type: 'ok', stored: false })
    expect((await waiter.message(token)).outcome).toEqual({ type: 'alone' })
  })

  test('errors, releases and values to share are told as ever', async () => {
    await using full = await openFull()
    const [leader, waiter] = [await full.peers.join(), await full.peers.join()]
    await full.fill()
    const endings = [
      { type: 'error', error: Buffer.from('e') },
      { type: 'again' },
      { type: 'alone' },
      { type: 'share', entry: entryOf(newToken()) },
    ] as const
    for (const ending of endings) {
      const token = await leader.lead('x')
      await waiter.wait('x')
      expect(await leader.session.end('x', token, ending)).toEqual({ type: 'ok', stored: false })
      expect((await waiter.message(token)).outcome.type).toBe(ending.type === 'share' ? 'value' : ending.type)
    }
  })

  test('a set rejects as refused and changes nothing', async () => {
    await using full = await openFull()
    const [leader, waiter] = [await full.peers.join(), await full.peers.join()]
    await leader.session.set('x', Buffer.from('before'), LONG)
    const token = await leader.lead('x')
    await waiter.wait('x')
    await full.fill()
    const refusal = { name: 'StoreError', code: 'REFUSED', message: expect.stringContaining('OOM') }
    await expect(waiter.session.set('x', Buffer.from('after'), LONG)).rejects.toMatchObject(refusal)
    await expect(waiter.session.set('new', Buffer.from('new'), LONG)).rejects.toMatchObject(refusal)
    expect((await leader.session.readMany(['x', 'new'])).map(textOf)).toEqual(['before', undefined])
    expect(await leader.session.renew('x', token, LONG)).toBe(1)
    await full.peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toEqual([])
  })

  test('removals, reads and announcements work', async () => {
    await using full = await openFull()
    const [peer, waiter] = [await full.peers.join(), await full.peers.join()]
    await peer.session.set('x', Buffer.from('x'), LONG)
    await full.fill()
    expect(textOf(await peer.session.read('x'))).toBe('x')
    const token = await peer.lead('x')
    await waiter.wait('x')
    await peer.session.remove(['x'])
    expect((await waiter.message(token)).outcome).toEqual({ type: 'again' })
    expect(await peer.session.readMany(['x'])).toEqual([undefined])
    await peer.session.announce({ from: peer.instanceId, ids: ['x'], tags: [], all: false })
    await waiter.notice(() => true)
  })

  test('values are stored again when there is room', async () => {
    await using full = await openFull()
    const leader = await full.peers.join()
    await full.fill()
    const token = await leader.lead('x')
    await full.free()
    expect(await leader.session.end('x', token, { type: 'value', entry: entryOf(token), ttl: LONG })).toEqual({
      type: 'ok',
      stored: true,
    })
  })
})

describe('where the server writes nothing', () => {
  /** ms between now and an answer that says no, not a time limit. */
  const refusal = { name: 'StoreError', code: 'REFUSED' }

  test.each([
    ['a replica whose master is gone', ['replicaof 127.0.0.1 1', 'replica-read-only yes'], 'READONLY'],
    ['a master that has too few replicas', ['min-replicas-to-write 1'], 'NOREPLICAS'],
  ])('%s: reads go on, what would write is refused', async (_name, config, word) => {
    await using server = await startRedis()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const peer = await peers.join()
    const { session } = peer
    await session.set('x', Buffer.from('x'), LONG)
    const mine = await peer.lead('mine')
    await peer.wait('mine')
    const inspector = server.client()
    for (const line of config) {
      const [name, ...values] = line.split(' ') as [string, ...string[]]
      if (name === 'replicaof') await inspector.call('REPLICAOF', ...values)
      else await inspector.config('SET', name, values.join(' '))
    }

    expect(textOf(await session.read('x'))).toBe('x')
    expect((await session.readMany(['x', 'y'])).map(textOf)).toEqual(['x', undefined])
    const token = newToken()
    expect(await session.claim('x', { token, seen: 'none', lease: LONG })).toEqual({ type: 'hit' })
    const said = { ...refusal, message: expect.stringContaining(word) }
    await expect(session.claim('y', { token, seen: 'none', lease: LONG })).rejects.toMatchObject(said)
    await expect(session.claim('x', { token, seen: 'any', lease: LONG })).rejects.toMatchObject(said)
    await expect(session.claim('mine', { token, seen: 'none', lease: LONG })).rejects.toMatchObject(said)
    await expect(session.renew('mine', mine, LONG)).rejects.toMatchObject(said)
    await expect(session.set('x', Buffer.from('y'), LONG)).rejects.toMatchObject(said)
    await expect(session.remove(['x'])).rejects.toMatchObject({ ...said, ids: ['x'] })
    await expect(session.take('mine', token, LONG)).rejects.toMatchObject(said)
    await expect(session.index('x', ['a'], LONG)).rejects.toMatchObject(said)
    await expect(session.step()).rejects.toMatchObject(said)
    await expect(session.mark('a', 1)).rejects.toMatchObject(said)
    expect(await membersOf(session, 'a')).toEqual([])
    expect((await listOf(session)).ids).toEqual(['mine', 'x'])
    const value = { type: 'value', entry: entryOf(mine), ttl: LONG } as const
    await expect(session.end('mine', mine, value)).rejects.toMatchObject(said)
    expect(textOf(await session.read('x'))).toBe('x')
    // Nobody is told of an end that did not happen.
    expect(peer.messages).toEqual([])
    expect(await session.end('mine', token, { type: 'again' })).toEqual({ type: 'fenced' })
  })
})
