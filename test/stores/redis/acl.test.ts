import { readFileSync } from 'node:fs'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { LONG, newToken, openPeers, until, within } from '../contract/peers.ts'
import { COMMANDS, DOCUMENTED, DOCUMENTED_FEWEST, DOCUMENTED_IN_CLUSTERS, everything, FEWEST } from './rights.ts'

const serverFor = (rights: string) => startRedis({ acl: [`user atomcache on >secret resetchannels -@all ${rights}`] })
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

test('the README names the same rights', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(`user atomcache on >secret ${DOCUMENTED}\n`)
  expect(readme).toContain(`In a cluster also \`${DOCUMENTED_IN_CLUSTERS}\``)
})

test('the fewest rights are those that docs/redis.md names', () => {
  expect(DOCUMENTED_FEWEST.split(' ').sort()).toEqual(FEWEST.split(' ').sort())
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
