import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import type { Ending } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startProxy } from '../../redis/proxy.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { plain } from '../contract/ending.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, textOf, until, within } from '../contract/peers.ts'

/** As the README has it. */
const DOCUMENTED = '~ns:* &ns:* +@read +@write +@scripting +@pubsub +@connection +time +info'
/** What the client sends, and what scripts run. HELLO and AUTH need no right; without INFO ioredis prints a warning. */
const COMMANDS = [
  ...['get', 'mget', 'eval', 'evalsha', 'publish', 'subscribe', 'time'],
  ...['getrange', 'exists', 'hget', 'hdel', 'hset', 'hkeys', 'hlen', 'pttl', 'pexpire', 'type', 'set', 'del'],
]
const MINIMAL = `~ns:{* &ns:inbox:* &ns:bus ${COMMANDS.map((name) => `+${name}`).join(' ')}`

const serverFor = (rights: string) => startRedis({ acl: [`user app on >secret resetchannels -@all ${rights}`] })
const urlOf = ({ port }: RedisServer) => `redis://app:secret@127.0.0.1:${port}`
const source = (server: RedisServer, enableReadyCheck = true) => {
  const options = { port: server.port, username: 'app', password: 'secret', enableReadyCheck }
  return { open: () => () => redisStore(options) }
}

/** Every method, every outcome and both channels. */
async function everything(peers: Awaited<ReturnType<typeof openPeers>>): Promise<Peer[]> {
  const options = { namespace: 'ns' }
  const [leader, waiter] = [await peers.join(options), await peers.join(options)]
  for (const type of ['value', 'share', 'error', 'again', 'alone'] as const) {
    const token = await leader.lead('x')
    expect((await waiter.wait('x')).token).toBe(token)
    expect(await leader.session.renew('x', token, LONG)).toBe(1)
    const entry = entryOf(token)
    const ending =
      type === 'value' ? { type, entry, ttl: LONG } : type === 'share' ? { type, entry } : { type, error: entry }
    expect(await leader.session.end('x', token, ending)).toEqual({ type: 'ok', stored: type === 'value' })
    expect((await waiter.message(token)).outcome.type).toBe(type === 'share' ? 'value' : type)
  }
  expect(await waiter.session.read('x')).toBeDefined()
  expect(await waiter.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })).toEqual({ type: 'hit' })
  await leader.session.set('for ever', Buffer.from('x'), Number.POSITIVE_INFINITY)
  expect((await waiter.session.readMany(['for ever', 'y'])).map(textOf)).toEqual(['x', undefined])
  await waiter.session.remove(['x'])
  await leader.session.announce({ from: 'me', ids: ['x'], tags: [], all: false })
  await waiter.notice(() => true)
  expect([...leader.faults, ...waiter.faults]).toEqual([])
  return [leader, waiter]
}

describe('a user of the server', () => {
  test.each([
    ['with the documented rights', DOCUMENTED],
    ['with the fewest and a ready check', `${MINIMAL} +info`],
    ['with the fewest rights', MINIMAL],
  ])('%s can do everything', async (_name, rights) => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server, rights !== MINIMAL))
    await everything(peers)
  })

  test('with the documented rights can do everything through ioredis 5', async () => {
    await using server = await serverFor(DOCUMENTED)
    const client = new Redis5({ port: server.port, username: 'app', password: 'secret', lazyConnect: true })
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

  test.each(COMMANDS)('without %s cannot do everything: the rights are the fewest', async (missing) => {
    await using server = await serverFor(`${MINIMAL} -${missing}`)
    const peers = await openPeers(source(server, false))
    const done = everythingUnready(peers)
    await expect(done).rejects.toThrow()
    await peers[Symbol.asyncDispose]()
  })

  test('without time: a refused claim leaves no flight behind, for which others would wait', async () => {
    await using server = await serverFor(`${MINIMAL} -time`)
    await using peers = await openPeers(source(server, false))
    const { session } = await peers.join({ namespace: 'ns' })
    const claim = session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
    await expect(claim).rejects.toMatchObject({ name: 'StoreError', code: 'REFUSED' })
    expect(await server.client().exists('ns:{x}:flight')).toBe(0)
  })
})

describe('a user without rights to channels', () => {
  const rights = DOCUMENTED.replace('&ns:*', '')

  test('is told by faults that its subscription is refused, and has no confirmed inbox', async () => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
    const peer = await peers.join({ namespace: 'ns', unready: true })
    await peer.told(() => peer.faults.length > 0, 'the fault')
    expect(String(peer.faults[0])).toContain('NOPERM')
    expect(peer.inbox).not.toContain(true)
  })

  test('ends a flight all the same: stored, gone, and a fault for each who could not be told', async () => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
    const unready = { namespace: 'ns', unready: true }
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
    expect(await server.client().exists('ns:{x}:flight')).toBe(0)
  })

  test('removes and sets all the same, and has its announcements refused', async () => {
    await using server = await serverFor(rights)
    await using peers = await openPeers(source(server))
    const peer = await peers.join({ namespace: 'ns', unready: true })
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
    const peer = await peers.join({ namespace: 'ns', unready: true })
    await peer.told(() => peer.faults.length > 0, 'the fault')
    await server.client().acl('SETUSER', 'app', '&ns:*')
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
    const waiter = await waiting.join({ namespace: 'ns' })
    const leader = await leading.join({ namespace: 'ns', unready: true })
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
      await inspector.acl('SETUSER', 'app', 'resetchannels')
      await inspector.acl('LOG', 'RESET')
      const id = `é:${i}`
      const token = await leader.lead(id)
      await waiter.wait(id)
      const faults = leader.faults.length
      // The script has run and was refused; before its reply is back, the client gets the right.
      proxy.delay(100)
      const ended = leader.session.end(id, token, given as Ending)
      await expect.poll(() => inspector.exists(`ns:{${id}}:flight`), { interval: 5 }).toBe(0)
      await inspector.acl('SETUSER', 'app', '&ns:*')
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

async function everythingUnready(peers: Awaited<ReturnType<typeof openPeers>>): Promise<unknown> {
  return within(1500, everything(peers)).then(() => 'it could')
}
