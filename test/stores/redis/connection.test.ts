import { describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startRedis } from '../../redis/server.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, textOf, until, within } from '../contract/peers.ts'

const UNREACHABLE = { name: 'StoreError', code: 'UNREACHABLE' }
const at = (url: string) => openPeers({ open: () => () => redisStore(url) })

describe('a server that dies and comes back', () => {
  test('the inbox is lost and confirmed again, commands reject at once and then go on', async () => {
    await using server = await startRedis()
    await using peers = await at(server.url)
    const [one, two] = [await peers.join(), await peers.join()]
    await one.session.set('x', Buffer.from('x'), LONG)
    await server.kill()
    for (const peer of [one, two]) await peer.told(() => peer.inbox.at(-1) === false, 'the loss of the inbox')
    await unreachable(one)
    const startedAt = performance.now()
    const calls = await Promise.allSettled([
      one.session.read('x'),
      one.session.readMany(['x']),
      one.session.claim('x', { token: newToken(), seen: 'none', lease: LONG }),
      one.session.renew('x', newToken(), LONG),
      one.session.end('x', newToken(), { type: 'again' }),
      one.session.set('x', Buffer.from('y'), LONG),
      one.session.remove(['x']),
      one.session.take('x', newToken(), LONG),
      one.session.index('x', ['a'], LONG),
      one.session.step(),
      one.session.mark('a', 1),
      one.session.members('a'),
      one.session.sweep('a', 1),
      one.session.list(),
      one.session.announce({ from: 'me', ids: ['x'], tags: [], all: false }),
    ])
    for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: UNREACHABLE })
    expect(performance.now() - startedAt).toBeLessThan(200)
    for (const peer of [one, two]) await peer.told(() => peer.faults.length > 0, 'the refused connection')

    await server.restart()
    for (const peer of [one, two]) {
      await peer.told(() => peer.inbox.at(-1) === true, 'the inbox')
      await reachable(peer)
    }
    expect(await one.session.read('x')).toBeUndefined()
    const token = await one.lead('x')
    await two.wait('x')
    await one.session.end('x', token, { type: 'again' })
    await two.message(token)
    await one.session.announce({ from: 'me', ids: ['x'], tags: [], all: false })
    await two.notice(() => true)
    for (const peer of [one, two]) {
      expect(peer.inbox[0]).toBe(true)
      expect(peer.inbox.at(-1)).toBe(true)
    }
  })

  test('empty: its leaders are fenced, and nothing stale is there', async () => {
    await using server = await startRedis()
    await using peers = await at(server.url)
    const peer = await peers.join()
    const token = await peer.lead('x')
    await server.restart()
    await reachable(peer)
    expect(await peer.session.renew('x', token, LONG)).toBe('lost')
    const ending = { type: 'value', entry: entryOf(token), ttl: LONG } as const
    expect(await peer.session.end('x', token, ending)).toEqual({ type: 'fenced' })
    expect(await peer.session.read('x')).toBeUndefined()
  })

  test('what waits for a reply when it dies rejects', async () => {
    await using server = await startRedis()
    await using peers = await at(server.url)
    const { session } = await peers.join()
    server.pause()
    const reads = Promise.allSettled([session.read('x'), session.read('y')])
    await server.kill()
    for (const read of await within(1000, reads)) {
      expect(read).toMatchObject({ status: 'rejected', reason: UNREACHABLE })
    }
  })

  test('paused and resumed, it answers what was asked meanwhile', async () => {
    await using server = await startRedis()
    await using peers = await at(server.url)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await waiter.wait('x')
    server.pause()
    const entry = entryOf(token)
    const ended = leader.session.end('x', token, { type: 'value', entry, ttl: LONG })
    const read = waiter.session.read('x')
    server.resume()
    expect(await ended).toEqual({ type: 'ok', stored: true })
    await read
    await waiter.message(token)
    expect(textOf(await waiter.session.read('x'))).toBe(textOf(entry))
    expect([leader.inbox, waiter.inbox]).toEqual([[true], [true]])
  })
})

describe('the inbox', () => {
  test('that alone is cut is lost and confirmed again, and commands go on', async () => {
    await using server = await startRedis()
    await using peers = await at(server.url)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    for (let i = 0; i < 20; i++) expect(await leader.session.renew('x', token, LONG)).toBe(0)
    await waiter.told(() => waiter.inbox.length >= 3, 'the inbox')
    expect(waiter.inbox).toEqual([true, false, true])
    await waiter.wait('x')
    await leader.session.end('x', token, { type: 'again' })
    await waiter.message(token)
  })
})

describe('the first commands', () => {
  test('wait for the first connection', async () => {
    await using server = await startRedis()
    await server.kill()
    await using peers = await at(server.url)
    const peer = await peers.join({ unready: true, commandTimeout: 5000 })
    const read = peer.session.read('x')
    const claim = peer.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
    const ready = peer.session.ready()
    await peer.told(() => peer.faults.length > 0, 'the refused connection')
    expect(peer.inbox).not.toContain(true)
    await server.restart()
    expect(await read).toBeUndefined()
    expect(await claim).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
    await ready
    expect(peer.inbox.at(-1)).toBe(true)
  })

  test('wait no longer than commandTimeout, and ready goes on waiting', async () => {
    await using server = await startRedis()
    await server.kill()
    await using peers = await at(server.url)
    const peer = await peers.join({ unready: true, commandTimeout: 200 })
    const ready = peer.session.ready()
    const startedAt = performance.now()
    await expect(peer.session.read('x')).rejects.toMatchObject(UNREACHABLE)
    await expect(peer.session.remove(['x'])).rejects.toMatchObject(UNREACHABLE)
    const took = performance.now() - startedAt
    expect(took).toBeGreaterThanOrEqual(395)
    expect(took).toBeLessThan(1000)
    await server.restart()
    await ready
    expect(await peer.session.read('x')).toBeUndefined()
  })

  test('that were given up are not sent later', async () => {
    await using server = await startRedis()
    await server.kill()
    await using peers = await at(server.url)
    const peer = await peers.join({ unready: true, commandTimeout: 50 })
    await expect(peer.session.set('x', Buffer.from('late'), LONG)).rejects.toMatchObject(UNREACHABLE)
    await server.restart()
    await peer.session.ready()
    await peers.settle()
    expect(await peer.session.read('x')).toBeUndefined()
  })

  test('with a password that is wrong are unreachable, and a fault says why', async () => {
    await using server = await startRedis({ requirepass: 'right' })
    await using peers = await at(`redis://:wrong@127.0.0.1:${server.port}`)
    const peer = await peers.join({ unready: true, commandTimeout: 300 })
    await expect(peer.session.read('x')).rejects.toMatchObject(UNREACHABLE)
    expect(peer.faults.map(String).join()).toMatch(/WRONGPASS/)
    expect(peer.inbox).not.toContain(true)
  })
})

describe('opening and losing connections', () => {
  test('a cache has two connections, and as many after a loss', async () => {
    await using server = await startRedis()
    await using peers = await at(server.url)
    const inspector = server.client()
    const count = async () => ((await inspector.client('LIST')) as string).trim().split('\n').length
    const before = await count()
    const peer = await peers.join()
    expect(await count()).toBe(before + 2)
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await peer.told(() => peer.inbox.at(-1) === true && peer.inbox.includes(false), 'the inbox')
    await reachable(peer)
    expect(await count()).toBe(before + 2)
    await peer.session.close()
    await until(count, (now) => now === before, 'the end of the connections')
  })

  test('an instance leaves nothing on the server but its entries and the clock of tags', async () => {
    await using server = await startRedis()
    const peers = await at(server.url)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    for (let i = 0; i < 20; i++) {
      const token = await leader.lead(`x:${i}`)
      await waiter.wait(`x:${i}`)
      await leader.session.end(`x:${i}`, token, { type: i % 2 === 0 ? 'again' : 'alone' })
    }
    await leader.session.set('kept', Buffer.from('x'), LONG)
    await peers[Symbol.asyncDispose]()
    const inspector = server.client()
    const { namespace } = peers
    expect((await inspector.keys('*')).sort()).toEqual([`${namespace}:clock`, `${namespace}:{kept}`])
    await expect.poll(() => inspector.pubsub('CHANNELS')).toEqual([])
  })
})

async function reachable(peer: Peer): Promise<void> {
  await until(
    () => answerOf(peer),
    (answer) => answer === 'ok',
    'the commands',
  )
}

async function unreachable(peer: Peer): Promise<void> {
  await until(
    () => answerOf(peer),
    (answer) => answer !== 'ok',
    'the loss of the commands',
  )
}

function answerOf({ session }: Peer): Promise<unknown> {
  return session.read('probe').then(
    () => 'ok',
    (error: unknown) => error,
  )
}
