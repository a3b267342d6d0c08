import type { Redis } from 'ioredis'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../../core/trace.ts'
import { startCluster } from '../../redis/cluster.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { openPeers, type Peer, until } from '../contract/peers.ts'

afterEach(() => {
  vi.useRealTimers()
})

const EVICTING = [
  ...['allkeys-lru', 'allkeys-lfu', 'allkeys-random'],
  ...['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'],
]

const serverWith = (policy: string, maxmemory?: string) =>
  startRedis({ config: [`maxmemory-policy ${policy}`], ...(maxmemory === undefined ? {} : { maxmemory }) })
const at = ({ url }: RedisServer) => openPeers({ open: () => () => redisStore(url) })

/** Resolves when what was asked for at the last connection has been told: commands are answered in order. */
async function looked({ session }: Peer): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await until(
      () => session.read('nothing').catch((error: unknown) => error),
      (answer) => answer === undefined,
      'the commands',
    )
  }
}

/** It looks at each connection; so it gets a new one. */
async function lookAgain(peer: Peer, inspector: Redis): Promise<void> {
  await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await looked(peer)
}

/** Lets the server drop some keys, and stop; how many it has dropped in all. */
async function evict(inspector: Redis): Promise<number> {
  const field = async (section: string, name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await inspector.info(section))?.[1])
  const before = await field('stats', 'evicted_keys')
  for (let i = 0; i < 100; i++) await inspector.set(`filler:${i}`, Buffer.alloc(20_000))
  const used = await field('memory', 'used_memory')
  await inspector.config('SET', 'maxmemory', String(used - 500_000))
  await expect.poll(() => field('stats', 'evicted_keys')).toBeGreaterThan(before)
  await inspector.config('SET', 'maxmemory', '64mb')
  return field('stats', 'evicted_keys')
}

describe('at the connection', () => {
  test.each(EVICTING)('a server that may drop keys by %s is told, once', async (policy) => {
    await using server = await serverWith(policy, '64mb')
    await using peers = await at(server)
    const peer = await peers.join()
    await looked(peer)
    expect(peer.evictions).toEqual([{ policy, evicted: 0 }])
    await lookAgain(peer, server.client())
    expect(peer.evictions).toHaveLength(1)
    expect(peer.inbox[0]).toBe(true)
  })

  test.each([
    ['noeviction', '64mb'],
    ['noeviction', undefined],
    ['allkeys-lru', undefined],
    ['allkeys-lru', '0'],
  ])('a server with the policy %s and a maxmemory of %s is not', async (policy, maxmemory) => {
    await using server = await serverWith(policy, maxmemory)
    await using peers = await at(server)
    const peer = await peers.join()
    await looked(peer)
    await lookAgain(peer, server.client())
    expect(peer.evictions).toEqual([])
  })

  test('keys that were dropped before it was opened are not told', async () => {
    await using server = await serverWith('allkeys-lru', '64mb')
    await evict(server.client())
    await using peers = await at(server)
    const peer = await peers.join()
    await looked(peer)
    expect(peer.evictions).toEqual([{ policy: 'allkeys-lru', evicted: 0 }])
  })
})

describe('later', () => {
  test('keys that were dropped since the last look are told, each once', async () => {
    await using server = await serverWith('allkeys-lru', '64mb')
    await using peers = await at(server)
    const peer = await peers.join()
    await looked(peer)
    const inspector = server.client()
    const first = await evict(inspector)
    await lookAgain(peer, inspector)
    const second = await evict(inspector)
    await lookAgain(peer, inspector)
    await lookAgain(peer, inspector)
    expect(second).toBeGreaterThan(first)
    expect(peer.evictions.map(({ evicted }) => evicted)).toEqual([0, first, second - first])
    expect(new Set(peer.evictions.map(({ policy }) => policy))).toEqual(new Set(['allkeys-lru']))
  })

  test('a policy that was changed is told, and one that drops nothing any more is not', async () => {
    await using server = await serverWith('noeviction', '64mb')
    await using peers = await at(server)
    const peer = await peers.join()
    const inspector = server.client()
    for (const policy of ['allkeys-lru', 'volatile-lru', 'noeviction', 'allkeys-lru']) {
      await inspector.config('SET', 'maxmemory-policy', policy)
      await lookAgain(peer, inspector)
    }
    // Without a limit nothing is dropped, whatever the policy says.
    await inspector.config('SET', 'maxmemory', '0')
    await lookAgain(peer, inspector)
    await inspector.config('SET', 'maxmemory', '64mb')
    await lookAgain(peer, inspector)
    const policies = ['allkeys-lru', 'volatile-lru', 'allkeys-lru', 'allkeys-lru']
    expect(peer.evictions).toEqual(policies.map((policy) => ({ policy, evicted: 0 })))
  })

  test('it looks every thirty seconds, and not after it was closed', async () => {
    await using server = await serverWith('allkeys-lru', '64mb')
    const inspector = server.client()
    await using peers = await at(server)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const peer = await peers.join()
    await looked(peer)
    for (const policy of ['volatile-lru', 'allkeys-random']) {
      await inspector.config('SET', 'maxmemory-policy', policy)
      await vi.advanceTimersByTimeAsync(29_000)
      await looked(peer)
      expect(peer.evictions.at(-1)?.policy).not.toBe(policy)
      await vi.advanceTimersByTimeAsync(1500)
      await peer.told(() => peer.evictions.at(-1)?.policy === policy, 'the change')
    }
    await inspector.config('RESETSTAT')
    await peer.session.close()
    await vi.advanceTimersByTimeAsync(120_000)
    vi.useRealTimers()
    expect(await inspector.info('commandstats')).not.toContain('cmdstat_info:')
  })

  test('a server that was restarted counts from 0, and is told as another one', async () => {
    await using server = await serverWith('allkeys-lru', '64mb')
    await using peers = await at(server)
    const peer = await peers.join()
    await looked(peer)
    const dropped = await evict(server.client())
    await lookAgain(peer, server.client())
    await server.restart()
    await looked(peer)
    expect(peer.evictions.map(({ evicted }) => evicted)).toEqual([0, dropped, 0])
  })
})

test('in a cluster each master is looked at', async () => {
  await using cluster = await startCluster({ replicas: 0, maxmemory: '64mb', config: ['maxmemory-policy noeviction'] })
  for (const node of cluster.nodes.slice(1)) await node.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  const client = cluster.client()
  await using peers = await openPeers({ open: () => () => redisStore(client) })
  const peer = await peers.join()
  await peer.told(() => peer.evictions.length >= 2, 'both')
  expect(peer.evictions).toEqual([
    { policy: 'allkeys-lru', evicted: 0 },
    { policy: 'allkeys-lru', evicted: 0 },
  ])
  expect(peer.faults).toEqual([])
})

describe('a cache', () => {
  const tagged = { tags: ['a'] }

  test.each<[string, (cache: ReturnType<typeof createCache>) => Promise<unknown>]>([
    ['a value is set with tags', (cache) => cache.set('x', 1, tagged)],
    ['a value is computed with tags', (cache) => cache.getOrSet('x', () => 1, tagged)],
    ['a tag is invalidated', (cache) => cache.invalidate(tagged)],
  ])('tells of eviction only once tags are used: when %s', async (_name, use) => {
    await using server = await serverWith('allkeys-lru', '64mb')
    const cache = createCache({ namespace: 'ns', store: redisStore(server.url), ttl: 60_000 })
    const trace = traceOf(cache)
    await cache.ready()
    await cache.set('untagged', 1)
    await cache.getOrSet('untagged', () => 1)
    await cache.getOrSet('other', () => 1)
    await cache.invalidate({ keys: ['untagged'] })
    expect(trace.of('eviction')).toEqual([])
    await use(cache)
    expect(await trace.saw('eviction')).toMatchObject({ type: 'eviction', policy: 'allkeys-lru', evicted: 0 })
    await use(cache)
    expect(trace.of('eviction')).toHaveLength(1)
    await cache.close()
  })

  test('that uses tags tells at once what is found later', async () => {
    await using server = await serverWith('noeviction', '64mb')
    const cache = createCache({ namespace: 'ns', store: redisStore(server.url), ttl: 60_000, tags: ['a'] })
    const trace = traceOf(cache)
    await cache.ready()
    await cache.set('x', 1)
    const inspector = server.client()
    await inspector.config('SET', 'maxmemory-policy', 'allkeys-lru')
    expect(trace.of('eviction')).toEqual([])
    await inspector.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    expect(await trace.saw('eviction')).toMatchObject({ policy: 'allkeys-lru', evicted: 0 })
    await cache.close()
  })
})
