import { describe, expect, test } from 'vitest'
import type { Ending, Outcome } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startProxy } from '../../redis/proxy.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { plain } from '../contract/ending.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, textOf, until } from '../contract/peers.ts'
import { DOCUMENTED } from './rights.ts'

const USER = `user atomcache on >secret resetchannels -@all ${DOCUMENTED.replace('&shop:*', '')}`
const urlOf = ({ port }: RedisServer) => `redis://atomcache:secret@127.0.0.1:${port}`
const through = (url: string) => openPeers({ open: () => () => redisStore(url) })

describe('a user without rights to channels', () => {
  test('is told by faults that its subscription is refused, and has no confirmed inbox', async () => {
    await using server = await startRedis({ acl: [USER] })
    await using peers = await through(urlOf(server))
    const peer = await peers.join({ namespace: 'shop', unready: true })
    await peer.told(() => peer.faults.length > 0, 'the fault')
    expect(String(peer.faults[0])).toContain('NOPERM')
    expect(peer.inbox).not.toContain(true)
  })

  test('ends a flight all the same: stored, gone, and a fault for each who could not be told', async () => {
    await using server = await startRedis({ acl: [USER] })
    await using peers = await through(urlOf(server))
    const unready = { namespace: 'shop', unready: true }
    const [leader, one, two] = [await peers.join(unready), await peers.join(unready), await peers.join(unready)]
    const token = await leader.lead('x')
    await Promise.all([one.wait('x'), two.wait('x')])
    await leader.told(() => leader.faults.length > 0, 'the refused subscription')
    const before = leader.faults.length
    const entry = entryOf(token)
    expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({
      type: 'ok',
      stored: true,
    })
    expect(leader.faults.slice(before)).toHaveLength(2)
    for (const fault of leader.faults.slice(before)) {
      expect(fault).toMatchObject({ name: 'StoreError', code: 'REFUSED', message: expect.stringContaining('NOPERM') })
    }
    expect(textOf(await one.session.read('x'))).toBe(textOf(entry))
    expect(await server.client().exists('shop:{x}:flight')).toBe(0)
  })

  test('removes and sets all the same, and has its announcements refused', async () => {
    await using server = await startRedis({ acl: [USER] })
    await using peers = await through(urlOf(server))
    const peer = await peers.join({ namespace: 'shop', unready: true })
    await peer.session.set('x', Buffer.from('x'), LONG)
    await peer.lead('x')
    await peer.wait('x')
    await peer.session.remove(['x'])
    expect(await peer.session.read('x')).toBeUndefined()
    const announced = peer.session.announce({ from: 'me', ids: [], tags: [], all: false })
    await expect(announced).rejects.toMatchObject({ name: 'StoreError', code: 'REFUSED' })
  })

  test('is subscribed when it gets the right, without a new connection', async () => {
    await using server = await startRedis({ acl: [USER] })
    await using peers = await through(urlOf(server))
    const peer = await peers.join({ namespace: 'shop', unready: true })
    await peer.told(() => peer.faults.length > 0, 'the fault')
    await server.client().acl('SETUSER', 'atomcache', '&shop:*')
    // It tries again every five seconds.
    await until(
      async () => peer.inbox.at(-1),
      (confirmed) => confirmed === true,
      'the inbox',
      10_000,
    )
    await peer.session.announce({ from: 'me', ids: [], tags: [], all: false })
    await peer.notice(() => true)
  })

  test('is told by faults of takes and removals whom it could not tell, and they hold all the same', async () => {
    await using server = await startRedis({ acl: [USER] })
    await using peers = await through(urlOf(server))
    const unready = { namespace: 'shop', unready: true }
    const [peer, one, two] = [await peers.join(unready), await peers.join(unready), await peers.join(unready)]
    await peer.told(() => peer.faults.length > 0, 'the refused subscription')
    for (const act of [() => peer.session.take('x', newToken(), LONG), () => peer.session.remove(['x', 'y', 'z'])]) {
      const old = await peer.lead('x')
      await Promise.all([one.wait('x'), two.wait('x')])
      const before = peer.faults.length
      await act()
      const faults = peer.faults.slice(before)
      expect(faults.map(String).filter((fault) => fault.includes('NOPERM'))).toHaveLength(2)
      expect(await peer.session.renew('x', old, LONG)).toBe('lost')
      await peer.session.remove(['x'])
    }
  })
})

describe('who may publish when its script might not', () => {
  /** Of the script, before its reply is here: the client gets the right to publish. */
  async function refusedThenAllowed(act: (leader: Peer, id: string, token: string) => Promise<unknown>) {
    await using server = await startRedis({ acl: [USER] })
    await using proxy = await startProxy(urlOf(server))
    const waiting = await through(server.url)
    const leading = await through(proxy.url)
    const waiter = await waiting.join({ namespace: 'shop' })
    const leader = await leading.join({ namespace: 'shop', unready: true })
    await leader.told(() => leader.faults.length > 0, 'the refused subscription')
    const inspector = server.client()
    const id = 'é:{1}'
    const token = await leader.lead(id)
    await waiter.wait(id)
    await inspector.acl('LOG', 'RESET')
    const faults = leader.faults.length
    proxy.delay(100)
    const done = act(leader, id, token)
    await expect.poll(() => inspector.hget('shop:{é:%7B1%7D}:flight', 'leader'), { interval: 5 }).not.toBe(token)
    await inspector.acl('SETUSER', 'atomcache', '&shop:*')
    expect((await inspector.acl('LOG')) as unknown[]).not.toEqual([])
    const message = await waiter.message(token)
    await done
    proxy.delay(0)
    expect(leader.faults.slice(faults)).toEqual([])
    await leading[Symbol.asyncDispose]()
    await waiting[Symbol.asyncDispose]()
    expect(message.id).toBe(id)
    return plain(message.outcome)
  }

  const inlined = { type: 'value', entry: entryOf('s'.repeat(16), Buffer.from([0, 255])) } as const
  const again = { type: 'again' } as const

  test.each<[string, Ending, Outcome]>([
    ['stored', { ...inlined, ttl: LONG }, inlined],
    ['shared', { ...inlined, type: 'share' }, inlined],
    ['stored and too large', { type: 'value', entry: Buffer.alloc(1024 * 1024 + 1), ttl: LONG }, { type: 'ready' }],
    ['shared and too large', { type: 'share', entry: Buffer.alloc(1024 * 1024 + 1) }, { type: 'alone' }],
    ['an error', { type: 'error', error: inlined.entry }, { type: 'error', error: inlined.entry }],
    ['to claim again', again, again],
    ['alone', { type: 'alone' }, { type: 'alone' }],
  ])('tells the waiters itself at an end: %s', async (_name, given, told) => {
    const outcome = await refusedThenAllowed((leader, id, token) => leader.session.end(id, token, given))
    expect(outcome).toEqual(plain(told))
  })

  test('tells the waiters itself at a take, and at a removal of many', async () => {
    expect(await refusedThenAllowed((leader, id) => leader.session.take(id, newToken(), LONG))).toEqual(again)
    expect(await refusedThenAllowed((leader, id) => leader.session.remove(['x', id, 'y']))).toEqual(again)
  })
})
