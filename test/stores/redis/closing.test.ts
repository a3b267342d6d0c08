import { describe, expect, test } from 'vitest'
import { type RedisSource, redisStore } from '../../../src/stores/redis/index.ts'
import { startProxy } from '../../redis/proxy.ts'
import { type RedisServer, type RedisServerOptions, startRedis } from '../../redis/server.ts'
import { LONG, newToken, openPeer, type Peer, until } from '../contract/peers.ts'

/** ms that closing may take. */
const BOUND = 1000
/** So many that some are between two attempts to connect, and others in the middle of one. */
const MANY = 8

const open = (source: RedisSource) => openPeer(redisStore(source), { namespace: 'ns', commandTimeout: 10_000 })

/** What keeps a process alive: sockets, attempts to connect, and timers. */
function held(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => /^(?:Timeout|TCP(?:Socket|Connect)Wrap)$/.test(kind))
}

/** What of it is left when it was waited for; by immediates, because a timer would be held, too. */
async function leftAfter(limit: number): Promise<string[]> {
  const startedAt = performance.now()
  while (held().length > 0 && performance.now() - startedAt < limit) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  return held()
}

/** A server, and nothing held here: what started it has been let go. */
async function startQuietly(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedis(options)
  expect(await leftAfter(3000)).toEqual([])
  return server
}

async function expectClosed(...peers: readonly Peer[]): Promise<void> {
  const startedAt = performance.now()
  await Promise.all(peers.map(({ session }) => session.close()))
  const took = performance.now() - startedAt
  expect(took).toBeLessThan(BOUND)
  expect(await leftAfter(BOUND - took)).toEqual([])
}

describe('closing leaves no socket and no timer', () => {
  test('when all is well', async () => {
    await using server = await startQuietly()
    const peer = open(server.url)
    await peer.session.ready()
    await peer.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
    await expectClosed(peer)
  })

  test('at once after opening', async () => {
    await using server = await startQuietly()
    await expectClosed(open(server.url))
  })

  test('at every turn of connecting', async () => {
    await using server = await startQuietly()
    for (let turns = 1; turns < 40; turns++) {
      const peer = open(server.url)
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      await expectClosed(peer)
    }
  })

  test('while the server accepts connections and says nothing', async () => {
    await using server = await startQuietly()
    server.pause()
    const peer = open(server.url)
    const read = settled(peer.session.read('x'))
    const ready = settled(peer.session.ready())
    const connected = async () => held().filter((kind) => kind === 'TCPSocketWrap').length
    await until(connected, (count) => count === 2, 'the sockets')
    const startedAt = performance.now()
    await expectClosed(peer)
    expect(await read).toMatchObject({ code: 'CLOSED' })
    expect(await ready).toMatchObject({ code: 'CLOSED' })
    expect(performance.now() - startedAt).toBeLessThan(BOUND)
  })

  test('while the network swallows all', async () => {
    await using server = await startQuietly()
    await using proxy = await startProxy(server.url)
    const peer = open(proxy.url)
    await peer.session.ready()
    proxy.blackhole(true)
    const read = settled(peer.session.read('x'))
    await expectClosed(peer)
    expect(await read).toMatchObject({ name: 'StoreError' })
  })

  test('while the server is paused, sockets too', async () => {
    await using server = await startQuietly()
    const peer = open(server.url)
    await peer.session.ready()
    server.pause()
    await expectClosed(peer)
  })

  test('while the server is down from the beginning', async () => {
    await using server = await startQuietly()
    await server.kill()
    const peers = Array.from({ length: MANY }, () => open(server.url))
    const reads = peers.map(({ session }) => settled(session.read('x')))
    await attempts(peers)
    await expectClosed(...peers)
    for (const read of reads) expect(await read).toMatchObject({ name: 'StoreError', code: 'CLOSED' })
  })

  test('while the server is down after it was there', async () => {
    await using server = await startQuietly()
    const peers = Array.from({ length: MANY }, () => open(server.url))
    await Promise.all(peers.map(({ session }) => session.ready()))
    await server.kill()
    await attempts(peers)
    await expectClosed(...peers)
  })

  test('while a subscription is refused and to be tried again', async () => {
    await using server = await startQuietly({ acl: ['user app on >secret ~* resetchannels +@all'] })
    const peer = open(`redis://app:secret@127.0.0.1:${server.port}`)
    await peer.told(() => peer.faults.length > 0, 'the fault')
    await expectClosed(peer)
  })

  test('and nothing connects again afterwards', async () => {
    await using server = await startQuietly()
    const peer = open(server.url)
    await peer.session.ready()
    await server.kill()
    await attempts([peer])
    await peer.session.close()
    await server.restart()
    const inspector = server.client()
    const other = open(server.url)
    await other.session.ready()
    // A second cache has come and connected in the time in which the first would have been back.
    expect(((await inspector.client('LIST')) as string).trim().split('\n')).toHaveLength(3)
    await other.session.close()
  })
})

describe('closing answers all', () => {
  test('calls that a paused server owes replies to reject within a second of closing', async () => {
    await using server = await startQuietly()
    const peer = open(server.url)
    await peer.session.ready()
    server.pause()
    const startedAt = performance.now()
    const calls = [
      settled(peer.session.read('x')),
      settled(peer.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })),
      settled(peer.session.remove(['x'])),
    ].map(async (call) => ({ error: await call, after: performance.now() - startedAt }))
    await peer.session.close()
    for (const { error, after } of await Promise.all(calls)) {
      expect(error).toMatchObject({ name: 'StoreError' })
      expect(after).toBeLessThan(BOUND)
    }
  })
})

/** Waits until each has tried in vain to connect for some times. */
async function attempts(peers: readonly Peer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.told(() => peer.faults.length >= 4, 'some attempts to connect')))
}

function settled(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => error,
  )
}
