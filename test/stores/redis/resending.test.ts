import { Redis, type RedisOptions } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import { type RedisSource, redisStore } from '../../../src/stores/redis/index.ts'
import { inScript, watchCommands } from '../../redis/monitor.ts'
import { startProxy } from '../../redis/proxy.ts'
import { startRedis } from '../../redis/server.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, until, within } from '../contract/peers.ts'
import { invalidate, store } from '../contract/tagged.ts'

const calls: Record<string, (peer: Peer, token: string) => Promise<unknown>> = {
  read: ({ session }) => session.read('once'),
  readMany: ({ session }) => session.readMany(['once', 'more']),
  claim: ({ session }, token) => session.claim('once', { token, seen: 'none', lease: LONG }),
  renew: ({ session }, token) => session.renew('once', token, LONG),
  end: ({ session }, token) => session.end('once', token, { type: 'value', entry: entryOf(token), ttl: LONG }),
  set: ({ session }, token) => session.set('once', entryOf(token), LONG),
  take: ({ session }, token) => session.take('once', token, LONG),
  remove: ({ session }) => session.remove(['once']),
  index: ({ session }) => session.index('once', ['a'], LONG),
  mark: ({ session }) => session.mark('once', 1),
  members: ({ session }) => session.members('once'),
  sweep: ({ session }) => session.sweep('once', 1),
  announce: ({ session }) => session.announce({ from: 'once', ids: ['once'], tags: [], all: false }),
}

/** What may ask ioredis to keep commands, and to send them again. */
const eager = {
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: true,
  maxRetriesPerRequest: null,
  retryStrategy: () => 10,
  lazyConnect: true,
} satisfies RedisOptions

const sources: Record<string, (url: string, port: number) => RedisSource> = {
  'a URL': (url) => url,
  'eager options': (_url, port) => ({ ...eager, port }),
  'an eager client of ioredis 6': (_url, port) => new Redis({ ...eager, port }),
  'an eager client of ioredis 5': (_url, port) => new Redis5({ ...eager, port }),
}

describe.each(Object.keys(sources))('through %s', (kind) => {
  test.each(Object.keys(calls))('%s runs once, when its connection is cut before the reply', async (method) => {
    await using server = await startRedis()
    await using proxy = await startProxy(server.url)
    await using peers = await openPeers({
      open: () => () => redisStore((sources[kind] as (typeof sources)[string])(proxy.url, proxy.port)),
    })
    const peer = await peers.join()
    const token = newToken()
    // The server knows the scripts: else each of them would be sent a second time, as EVAL.
    const warm = await peer.lead('warm')
    await peer.session.renew('warm', warm, LONG)
    await peer.session.end('warm', warm, { type: 'again' })
    await peer.session.take('warm', warm, LONG)
    await store(peer.session, 'warm', ['warm'])
    await invalidate(peer.session, 'warm')
    const watch = await watchCommands(server.url)
    const sent = () => watch.records.filter((record) => !inScript(record) && record.args.join(' ').includes('once'))

    proxy.delay(300)
    const call = calls[method]?.(peer, token)
    call?.catch(() => {})
    await until(
      async () => sent().length,
      (count) => count > 0,
      'the command',
    )
    proxy.delay(0)
    proxy.cut()
    await expect(within(1000, call as Promise<unknown>)).rejects.toMatchObject({
      name: 'StoreError',
      code: 'UNREACHABLE',
    })
    // Until both connections are back and something has come through.
    await peer.told(() => peer.inbox.at(-1) === true && peer.inbox.includes(false), 'the inbox')
    await until(
      () => peer.session.read('afterwards').catch((error: unknown) => error),
      (answer) => answer === undefined,
      'the commands',
    )
    await watch.stop()
    expect(sent()).toHaveLength(1)
  })
})

describe('a reconnectOnError of the user that asks for the command to be sent again', () => {
  test.each<[string, (options: RedisOptions) => RedisSource]>([
    ['in options', (options) => options],
    ['of a client of ioredis 6', (options) => new Redis({ ...options, lazyConnect: true } as object)],
    ['of a client of ioredis 5', (options) => new Redis5({ ...options, lazyConnect: true } as object)],
  ])('%s reconnects, and nothing is sent again', async (_name, make) => {
    await using server = await startRedis()
    const source = make({
      port: server.port,
      reconnectOnError: (error) => (/WRONGTYPE/.test(error.message) ? 2 : false),
    })
    await using peers = await openPeers({ open: () => () => redisStore(source) })
    const peer = await peers.join()
    const key = `${peers.namespace}:{once}`
    await server.client().rpush(key, 'a list')
    await using watch = await watchCommands(server.url)
    const failure = await within(
      2000,
      peer.session.read('once').catch((error: unknown) => error),
    )
    expect(failure).toMatchObject({ name: 'StoreError', code: 'WRONG_TYPE' })
    await until(
      () => peer.session.read('afterwards').catch((error: unknown) => error),
      (answer) => answer === undefined,
      'the commands',
    )
    const sent = (await watch.stop()).filter(({ args }) => args.includes(key) && args[0]?.toLowerCase() === 'get')
    expect(sent).toHaveLength(1)
  })
})
