import { Redis, type RedisOptions } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { type RedisSource, redisStore } from '../../../src/stores/redis/index.ts'
import { startProxy } from '../../redis/proxy.ts'
import { entryOf, LONG, openPeers, type Peers, textOf, within } from '../contract/peers.ts'

const url = inject('redisUrl')
const { hostname: host, port, password } = new URL(url)
const address: RedisOptions = { host, port: Number(port || 6379), ...(password ? { password } : {}) }

const clients: { disconnect(): void }[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
})

function clientWith(options: RedisOptions = {}): Redis {
  const client = new Redis({ ...address, ...options } as object)
  client.on('error', () => {})
  clients.push(client)
  return client
}

const through = (source: RedisSource) => openPeers({ open: () => () => redisStore(source) })

/** One value from leader to waiter and reader: commands, scripts and both channels. */
async function exercise(peers: Peers): Promise<void> {
  const [leader, waiter] = [await peers.join(), await peers.join()]
  const token = await leader.lead('x')
  await waiter.wait('x')
  const entry = entryOf(token, Buffer.from([0, 0xff, 0x80]))
  expect(await leader.session.renew('x', token, LONG)).toBe(1)
  expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({
    type: 'ok',
    stored: true,
  })
  expect((await waiter.message(token)).outcome).toMatchObject({ type: 'value' })
  expect((await waiter.session.readMany(['x', 'y'])).map(textOf)).toEqual([textOf(entry), undefined])
  await waiter.session.announce({ from: 'me', ids: ['x'], tags: [], all: false })
  expect(await leader.notice(() => true)).toEqual({ from: 'me', ids: ['x'], tags: [], all: false })
  expect(leader.faults).toEqual([])
}

describe('a client that is given', () => {
  test.each(['ioredis 6', 'ioredis 5'])(
    'of %s stays usable and open, with its options as they were',
    async (version) => {
      const client = version === 'ioredis 6' ? clientWith() : new Redis5(address as object)
      clients.push(client)
      await client.ping()
      const before = { ...client.options }
      {
        await using peers = await through(client)
        await exercise(peers)
        expect(await client.ping()).toBe('PONG')
      }
      expect(await client.ping()).toBe('PONG')
      expect(client.status).toBe('ready')
      expect({ ...client.options }).toEqual(before)
      expect('atomcacheClaim' in client).toBe(false)
    },
  )

  test('may be closed before its cache: the connections are the cache’s own', async () => {
    const client = clientWith()
    await client.ping()
    await using peers = await through(client)
    client.disconnect()
    await exercise(peers)
  })

  test.each<[string, RedisOptions]>([
    ['has not connected', { lazyConnect: true }],
    ['pipelines by itself', { enableAutoPipelining: true }],
    ['wants numbers as strings', { stringNumbers: true }],
    ['reads from replicas', { readOnly: true }],
    ['never gives a command up', { maxRetriesPerRequest: null }],
    ['never reconnects', { retryStrategy: () => null }],
    ['has no offline queue', { enableOfflineQueue: false }],
    ['sends commands again', { autoResendUnfulfilledCommands: true }],
    ['uses another database', { db: 5 }],
    ['speaks RESP2', { protocol: 2 }],
    ['wants replies of RESP3', { protocol: 3, replyMapping: 'resp3' } as RedisOptions],
    ['has no ready check', { enableReadyCheck: false }],
    ['has a name', { connectionName: 'users' }],
    ['has a keyPrefix', { keyPrefix: 'p:' }],
  ])('that %s serves as any other', async (_name, options) => {
    await using peers = await through(clientWith(options))
    await exercise(peers)
  })

  test('with a database of its own keeps its entries there', async () => {
    const client = clientWith({ db: 5 })
    await using peers = await through(client)
    const { session } = await peers.join()
    await session.set('x', Buffer.from('x'), LONG)
    expect(await client.get(`${peers.namespace}:{x}`)).toBe('x')
    expect(await clientWith({ db: 0 }).get(`${peers.namespace}:{x}`)).toBeNull()
  })
})

describe('a keyPrefix', () => {
  test.each<[string, () => RedisSource]>([
    ['of a client', () => clientWith({ keyPrefix: 'p:' })],
    ['of options', () => ({ ...address, keyPrefix: 'p:' })],
    ['of a URL', () => withQuery('keyPrefix=p:')],
  ])('%s stands before every key and channel, once', async (_name, source) => {
    await using peers = await through(source())
    const [peer, waiter] = [await peers.join(), await peers.join()]
    await peer.session.set('x', Buffer.from('x'), LONG)
    await peer.lead('y')
    await waiter.wait('y')
    const { namespace, instanceId } = peer
    const inspector = clientWith()
    const keys = (await inspector.keys(`*${namespace}*`)).sort()
    expect(keys).toEqual([`p:${namespace}:clock`, `p:${namespace}:{x}`, `p:${namespace}:{y}:flight`])
    const channels = (await inspector.pubsub('CHANNELS', `*${namespace}*`)) as string[]
    expect(channels).toContain(`p:${namespace}:bus`)
    expect(channels).toContain(`p:${namespace}:inbox:${instanceId}`)
    expect(channels).toHaveLength(3)
  })

  test('keeps caches of one namespace apart', async () => {
    await using one = await through(clientWith({ keyPrefix: 'one:' }))
    await using two = await through(clientWith({ keyPrefix: 'two:' }))
    const [here, there] = [await one.join({ namespace: 'same' }), await two.join({ namespace: 'same' })]
    await here.session.set('x', Buffer.from('x'), 1000)
    expect(await there.session.read('x')).toBeUndefined()
    await here.session.announce({ from: 'here', ids: [], tags: [], all: false })
    await there.session.announce({ from: 'there', ids: [], tags: [], all: false })
    await here.notice(() => true)
    await there.notice(() => true)
    expect(here.notices.map(({ from }) => from)).toEqual(['here'])
    expect(there.notices.map(({ from }) => from)).toEqual(['there'])
  })

  test('joins caches that have it as prefix and as part of the namespace', async () => {
    await using one = await through({ ...address, keyPrefix: 'joined:' })
    await using two = await through(url)
    const here = await one.join()
    const there = await two.join({ namespace: `joined:${here.namespace}` })
    const token = await here.lead('x')
    expect((await there.wait('x')).token).toBe(token)
    await here.session.end('x', token, { type: 'again' })
    await there.message(token)
  })

  test('with braces is refused', () => {
    expect(() => redisStore({ keyPrefix: '{p}:' })).toThrow(/keyPrefix must not have braces, got "\{p\}:"/)
    expect(() => redisStore(withQuery('keyPrefix={p}:'))).toThrow(RangeError)
  })
})

describe('a source', () => {
  test('of options is not written to', async () => {
    const options = Object.freeze({ ...address, retryStrategy: () => null, maxRetriesPerRequest: 20 })
    await using peers = await through(options)
    await exercise(peers)
  })

  test('of a URL cannot take back what the protocol depends on', async () => {
    await using proxy = await startProxy(url)
    const query =
      'maxRetriesPerRequest=20&enableOfflineQueue=true&autoResendUnfulfilledCommands=true&commandTimeout=9000'
    const place = new URL(proxy.url)
    place.search = query
    await using peers = await through(place.href)
    const { session } = await peers.join()
    proxy.blackhole(true)
    const read = session.read('x')
    proxy.cut()
    // Kept for another try it would be answered on the next connection.
    await expect(within(2000, read)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await expect(within(2000, session.read('x'))).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  test.each([
    ...['', 'localhost', 'localhost:6379', 'http://localhost:6379', 'redis:/localhost', 'redis', '6379'],
    ...[undefined, null, 6379, true, Symbol('x'), () => url],
  ])('that is %o is refused', (source) => {
    expect(() => redisStore(source as RedisSource)).toThrow(TypeError)
  })

  test.each([0, 1, 3])('that is a list of %d nodes is refused', (nodes) => {
    expect(() => redisStore(Array.from({ length: nodes }, () => address) as RedisSource)).toThrow(TypeError)
  })

  test.each([
    'redis://localhost',
    'rediss://localhost:6380/2',
    'redis://user:pass@host:1',
    'unix:///x.sock',
    '/x.sock',
  ])('%s is taken, which connects to nothing before it is opened', (source) => {
    expect(redisStore(source).name).toBe('redis')
  })
})

function withQuery(query: string): string {
  const place = new URL(url)
  place.search = query
  return place.href
}
