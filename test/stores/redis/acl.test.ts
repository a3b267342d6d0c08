import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ending } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startProxy } from '../../redis/proxy.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { plain } from '../contract/ending.ts'
import { entryOf, LONG, newToken, openPeers, textOf, until, within } from '../contract/peers.ts'
import { COMMANDS, DOCUMENTED, everything, FEWEST } from './rights.ts'

const serverFor = (rights: string) => startRedis({ acl: [`user atomcache on >secret resetchannels -@all ${rights}`] })
const urlOf = ({ port }: RedisServer) => `redis://atomcache:secret@127.0.0.1:${port}`
const source = (server: RedisServer, enableReadyCheck = true) => {
  const options = { port: server.port, username: 'atomcache', password: 'secret', enableReadyCheck }
  return { open: () => () => redisStore(options) }
}

describe('a user of the server', () => {
  test.each([
    ['with the documented rights', DOCUMENTED],
    ['with the fewest rights', FEWEST],
  ])('%s can do everything', async (_name, rights) => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
    await everything(peers)
  })

  test('with the documented rights can do everything through ioredis 5', async () => {
    await using server = await serverFor(DOCUMENTED)
    const client = new Redis5({ port: server.port, username: 'atomcache', password: 'secret', lazyConnect: true })
    await using peers = await openPeers({ open: () => () => redisStore(client) })
    await everything(peers)
  })

  test('with the documented rights can do it after SCRIPT FLUSH and a reconnection, too', async () => {
    await using server = await serverFor(DOCUMENTED)
    await using peers = await openPeers(source(server))
    const [peer] = await everything(peers)
    const inspector = server.client()
    await inspector.script('FLUSH')
    await peer?.lead('y')
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await peer?.told(() => peer.inbox.at(-1) === true && peer.inbox.includes(false), 'the inbox')
    await until(
      () => peer?.session.read('y').catch((error: unknown) => error) as Promise<unknown>,
      (answer) => answer === undefined,
      'the commands',
    )
  })

  test('without info is told so by one fault, once, however often it connects, and can do everything', async () => {
    await using server = await serverFor(`${DOCUMENTED} -info`)
    await using peers = await openPeers(source(server, false))
    const peer = await peers.join({ namespace: 'shop' })
    const refusals = () => peer.faults.filter((fault) => String(fault).includes('NOPERM'))
    await peer.told(() => refusals().length > 0, 'the fault')
    const inspector = server.client()
    for (let connections = 1; connections <= 3; connections++) {
      await inspector.acl('LOG', 'RESET')
      await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      // It asks at each connection.
      await expect.poll(async () => String(await inspector.acl('LOG'))).toContain('info')
      await until(
        () => peer.session.read('y').catch((error: unknown) => error),
        (answer) => answer === undefined,
        'the commands',
      )
    }
    await peer.lead('x')
    expect(refusals()).toHaveLength(1)
    expect(peer.evictions).toEqual([])
  })

  test('without time: a refused claim leaves no flight behind, for which others would wait', async () => {
    await using server = await serverFor(`${FEWEST} -time`)
    await using peers = await openPeers(source(server))
    const { session } = await peers.join({ namespace: 'shop' })
    const claim = session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
    await expect(claim).rejects.toMatchObject({ name: 'StoreError', code: 'REFUSED' })
    const taken = session.take('x', newToken(), LONG)
    await expect(taken).rejects.toMatchObject({ name: 'StoreError', code: 'REFUSED' })
    expect(await server.client().exists('shop:{x}:flight')).toBe(0)
  })
})

describe('the fewest rights', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await serverFor(FEWEST)
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test.each(COMMANDS)('without %s are too few', async (missing) => {
    const inspector = server.client()
    await inspector.flushall()
    await inspector.script('FLUSH')
    await inspector.acl('SETUSER', 'atomcache', ...FEWEST.split(' ').filter((word) => word.startsWith('+')))
    await inspector.acl('SETUSER', 'atomcache', `-${missing}`)
    await inspector.acl('LOG', 'RESET')
    const peers = await openPeers(source(server, false))
    await expect(within(1500, everything(peers))).rejects.toThrow()
    const denied = ((await inspector.acl('LOG')) as string[][]).map((entry) => entry[entry.indexOf('object') + 1])
    expect(denied).toContain(missing)
    await peers[Symbol.asyncDispose]()
  })
})

describe('a user without rights to channels', () => {
  const rights = DOCUMENTED.replace('&shop:*', '')

  test('is told by faults that its subscription is refused, and has no confirmed inbox', async () => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
    const peer = await peers.join({ namespace: 'shop', unready: true })
    await peer.told(() => peer.faults.length > 0, 'the fault')
    expect(String(peer.faults[0])).toContain('NOPERM')
    expect(peer.inbox).not.toContain(true)
  })

  test('ends a flight all the same: stored, gone, and a fault for each who could not be told', async () => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
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
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
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
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
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

  test('who may publish when its script might not tells the waiters itself', async () => {
    await using server = await serverFor(rights)
    await using proxy = await startProxy(urlOf(server))
    const waiting = await openPeers({ open: () => () => redisStore(server.url) })
    const leading = await openPeers({ open: () => () => redisStore(proxy.url) })
    const waiter = await waiting.join({ namespace: 'shop' })
    const leader = await leading.join({ namespace: 'shop', unready: true })
    await leader.told(() => leader.faults.length > 0, 'the refused subscription')
    const inspector = server.client()
    const inlined = { type: 'value', entry: entryOf('s'.repeat(16), Buffer.from([0, 255])) } as const
    const endings = [
      { given: { ...inlined, ttl: LONG }, told: inlined },
      { given: { ...inlined, type: 'share' }, told: inlined },
      { given: { type: 'value', entry: Buffer.alloc(1024 * 1024 + 1), ttl: LONG }, told: { type: 'ready' } },
      { given: { type: 'share', entry: Buffer.alloc(1024 * 1024 + 1) }, told: { type: 'alone' } },
      { given: { type: 'error', error: inlined.entry }, told: { type: 'error', error: inlined.entry } },
      { given: { type: 'again' }, told: { type: 'again' } },
      { given: { type: 'alone' }, told: { type: 'alone' } },
    ] as const
    for (const [i, { given, told }] of endings.entries()) {
      await inspector.acl('SETUSER', 'atomcache', 'resetchannels')
      await inspector.acl('LOG', 'RESET')
      const id = `é:${i}`
      const token = await leader.lead(id)
      await waiter.wait(id)
      const faults = leader.faults.length
      // The script has run and was refused; before its reply is back, the client gets the right.
      proxy.delay(100)
      const ended = leader.session.end(id, token, given as Ending)
      await expect.poll(() => inspector.exists(`shop:{${id}}:flight`), { interval: 5 }).toBe(0)
      await inspector.acl('SETUSER', 'atomcache', '&shop:*')
      expect((await inspector.acl('LOG')) as unknown[]).not.toEqual([])
      const message = await waiter.message(token)
      expect(message.id).toBe(id)
      expect(plain(message.outcome)).toEqual(plain(told))
      expect(await ended).toMatchObject({ type: 'ok' })
      proxy.delay(0)
      expect(leader.faults.slice(faults)).toEqual([])
    }
    await leading[Symbol.asyncDispose]()
    await waiting[Symbol.asyncDispose]()
  })
})
