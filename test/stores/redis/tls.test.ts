import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { Redis as Redis54 } from 'ioredis54'
import { afterAll, describe, expect, test } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { type RedisSource, redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../../core/trace.ts'
import { newCertificate } from '../../redis/certificate.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { startProcess } from '../../redis/processes.ts'
import { startRedis } from '../../redis/server.ts'
import { sharedCluster } from '../../redis/sharedCluster.ts'
import { terminateTls } from '../../redis/tls.ts'
import { entryOf, LONG, openPeers, type Peers, until } from '../contract/peers.ts'
import type { TlsCalls } from './tlsUrl.ts'

const certificate = await newCertificate()
const server = await startRedis({ certificate })
const elsewhere = await newCertificate('elsewhere.test')
const misnamed = await startRedis({ certificate: elsewhere })
afterAll(() => Promise.all([server[Symbol.asyncDispose](), misnamed[Symbol.asyncDispose]()]))

const trusting = { host: '127.0.0.1', port: server.tlsPort, tls: { ca: certificate.cert } }
const clients: { disconnect(): void }[] = []
afterAll(() => {
  for (const client of clients) client.disconnect()
})

function kept<C extends { disconnect(): void }>(client: C): C {
  clients.push(client)
  return client
}

/** Commands, scripts and messages. */
async function exercise(peers: Peers): Promise<void> {
  const [leader, waiter] = [await peers.join(), await peers.join()]
  const token = await leader.lead('x')
  await waiter.wait('x')
  await leader.session.end('x', token, { type: 'value', entry: entryOf(token, 'secret'), ttl: LONG })
  expect((await waiter.message(token)).outcome.type).toBe('value')
  expect(await waiter.session.read('x')).toBeDefined()
  expect([...leader.faults, ...waiter.faults]).toEqual([])
}

describe('over TLS', () => {
  test.each<[string, () => RedisSource]>([
    ['options', () => trusting],
    ['a client of ioredis 6', () => kept(new Redis({ ...trusting, lazyConnect: true }))],
    ['a client of ioredis 5', () => kept(new Redis5({ ...trusting, lazyConnect: true }))],
    ['a client of ioredis 5.4', () => kept(new Redis54({ ...trusting, lazyConnect: true }))],
  ])('commands and messages go, by %s', async (_name, source) => {
    await using peers = await openPeers({ open: () => () => redisStore(source()) })
    await exercise(peers)
    const inspector = server.client()
    const ports = async (type: string) =>
      [...String(await inspector.call('CLIENT', 'LIST', 'TYPE', type)).matchAll(/laddr=\S+:(\d+).* user=default/g)].map(
        ([, port]) => Number(port),
      )
    expect(new Set(await ports('normal'))).toEqual(new Set([server.tlsPort]))
    expect(await ports('pubsub')).toEqual([server.tlsPort, server.tlsPort])
  })

  test('commands and messages go, by a rediss:// URL', async () => {
    const file = join(tmpdir(), `atomcache-${testNamespace()}.pem`)
    await writeFile(file, certificate.cert)
    await using child = await startProcess<TlsCalls>(new URL('./tlsUrl.ts', import.meta.url), {
      env: { NODE_EXTRA_CA_CERTS: file },
    })
    const namespace = testNamespace()
    expect(await child.call('use', `rediss://127.0.0.1:${server.tlsPort}`, namespace)).toBe('computed')
    expect(await server.client().exists(`${namespace}:{x}`)).toBe(1)
    await rm(file)
  })

  test('a connection that broke comes back', async () => {
    await using peers = await openPeers({ open: () => () => redisStore(trusting) })
    const peer = await peers.join()
    const inspector = server.client()
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await peer.told(() => peer.inbox.at(-1) === true && peer.inbox.includes(false), 'the inbox')
    await until(
      () => peer.session.read('x').catch((error: unknown) => error),
      (answer) => answer === undefined,
      'the commands',
    )
  })

  test.each([
    ['ioredis 6', Cluster],
    ['ioredis 5', Cluster5],
  ])('a cluster is reached by a client of %s', async (_name, AnyCluster) => {
    await using terminators = await terminateTls(await sharedCluster(), certificate)
    const { startupNodes, natMap } = terminators
    const redisOptions = { tls: { ca: certificate.cert } }
    const client = kept(new AnyCluster([...startupNodes], { natMap, redisOptions, lazyConnect: true }))
    await using peers = await openPeers({ open: () => () => redisStore(client) })
    await exercise(peers)
    // Of each of the two caches: one to each master, one for messages.
    expect(terminators.connections).toBeGreaterThanOrEqual(2 * 4)
  })
})

describe('a connection that TLS refuses is a fault that says why, and fails no request', () => {
  const plain = { host: '127.0.0.1' }
  test.each<[string, RedisSource, RegExp]>([
    ['a certificate that nobody trusts', { ...plain, port: server.tlsPort, tls: {} }, /self-signed certificate/],
    ['the same by URL', `rediss://127.0.0.1:${server.tlsPort}`, /self-signed certificate/],
    [
      'a certificate for another name',
      { ...plain, port: misnamed.tlsPort, tls: { ca: elsewhere.cert } },
      /does not match certificate's altnames/,
    ],
    // It waits for more than the first bytes of TLS, in vain.
    ['a server without TLS', { ...plain, port: server.port, tls: {}, connectTimeout: 500 }, /ETIMEDOUT/],
    ['no TLS at a server that wants it', { ...plain, port: server.tlsPort }, /ECONNRESET|EPIPE|not connected/],
  ])('%s', async (_name, source, why) => {
    const cache = createCache({ namespace: testNamespace(), store: redisStore(source), ttl: LONG, commandTimeout: 50 })
    const trace = traceOf(cache)
    expect(await cache.getOrSet('x', () => 'loaded')).toBe('loaded')
    await expect
      .poll(() =>
        trace
          .of('storeFault')
          .map(({ error }) => String(error))
          .join(),
      )
      .toMatch(why)
    expect(await cache.getOrSet('x', () => 'again')).toBe('again')
    await expect(cache.set('x', 1)).rejects.toThrow('not confirmed')
    expect(cache.stats().inbox).toBe(false)
    await cache.close()
  })
})

test('a cache that is closed in the middle of a handshake leaves no error that would end the process', async () => {
  const uncaught: unknown[] = []
  const note = (error: unknown) => void uncaught.push(error)
  process.on('uncaughtException', note)
  // What was handed to the network may come back after it was closed.
  const turns = async (count: number) => {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  for (let i = 0; i < 60; i++) {
    const store = redisStore({ host: '127.0.0.1', port: server.tlsPort, tls: {} })
    const cache = createCache({ namespace: testNamespace(), store, ttl: LONG })
    cache.on('storeFault', () => undefined)
    await turns(i % 30)
    await cache.close()
  }
  await turns(50)
  process.off('uncaughtException', note)
  expect(uncaught).toEqual([])
})
