import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCache } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { startCluster } from '../redis/cluster.ts'
import { testNamespace } from '../redis/namespace.ts'
import { sharedCluster } from '../redis/sharedCluster.ts'
import { trafficOf } from './clusterTraffic.ts'
import { type Instance, useCrew } from './crew.ts'
import type { ClusterPlace } from './place.ts'

const startupNodes = await sharedCluster()
const traffic = trafficOf(startupNodes)
// One of its own, whose default user has a password, and which has another user.
const closed = await startCluster({
  replicas: 0,
  requirepass: 'hidden',
  acl: ['user atomcache on >secret resetchannels ~* &* +@all -@admin'],
})
afterAll(async () => {
  await Promise.all([traffic[Symbol.asyncDispose](), closed[Symbol.asyncDispose]()])
})
const crew = useCrew(4)
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open({ cluster: { startupNodes } }))
const CACHE = { leaseTtl: 60_000, commandTimeout: 10_000 }

/** Everything once, over keys of all nodes: one run for all, tags, nothing stale after a confirmed write. */
async function expectAllToWork(instances: readonly Instance[]): Promise<void> {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const keys = await traffic.keyOnEach(testNamespace('key'))
  for (const key of keys) {
    const led = a.ask(key, 5, { held: true }, { tags: ['t'] })
    await a.saw('load', { key })
    const following = followers.map((follower) => follower.ask(key, 5))
    await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
    await a.finish(key)
    for (const { values } of await Promise.all([led, ...following])) expect(values).toEqual(['A 1'])
    for (const follower of followers) expect(await follower.trace(key)).toEqual(['miss', 'follow', 'followed value'])
    await a.saw('publish', { key })
  }
  for (let i = 0; i < 30; i++) {
    for (const key of keys) expect(await a.process.call('set', key, i, 60_000, ['t'])).toBe(true)
    for (const { process } of followers) expect(await process.call('getMany', keys)).toEqual(keys.map(() => i))
    await (followers[i % followers.length] ?? a).process.call('invalidateTags', 't')
    for (const { process } of instances) {
      for (const key of keys) expect(await process.call('get', key)).toBeUndefined()
    }
  }
  await a.process.call('set', keys[0] as string, 'cleared')
  await a.process.call('clear')
  expect(await a.process.call('get', keys[0] as string)).toBeUndefined()
}

const OPTIONS: Record<string, NonNullable<ClusterPlace['options']>> = {
  'reads from replicas': { scaleReads: 'slave' },
  'reads from all': { scaleReads: 'all' },
  'auto pipelining': { enableAutoPipelining: true },
  'no offline queue': { enableOfflineQueue: false },
  'an offline queue, and resending': {
    enableOfflineQueue: true,
    retryDelayOnFailover: 100,
    retryDelayOnTryAgain: 100,
    retryDelayOnClusterDown: 100,
    redisOptions: { autoResendUnfulfilledCommands: true, maxRetriesPerRequest: 20 },
  },
  'a keyPrefix': { keyPrefix: 'app:' },
  'a keyPrefix among the options of nodes': { redisOptions: { keyPrefix: 'app:' } },
  'a client that connects': { lazyConnect: false },
  'no looking for slots': { slotsRefreshInterval: 0 },
  'commands that time out, and string numbers': { redisOptions: { commandTimeout: 5000, stringNumbers: true } },
}

test.each(Object.entries(OPTIONS))(
  'a client of a cluster may have %s',
  async (_name, options) => {
    const instances = await crew.open({ cluster: { startupNodes, options }, cache: CACHE })
    await expectAllToWork(instances)
  },
  60_000,
)

test.each(['slave', 'all'] as const)(
  'replicas are asked nothing, also by a client that reads from %s',
  async (scaleReads) => {
    const clients = startupNodes.map((node) => new Redis(node))
    const roles = await Promise.all(clients.map(async (client) => String((await client.role())[0])))
    for (const client of clients) client.disconnect()
    await using replicas = trafficOf(startupNodes.filter((_, i) => roles[i] === 'slave'))
    const instances = await crew.open({ cluster: { startupNodes, options: { scaleReads } }, cache: CACHE })
    const keys = await traffic.keysOnEach('read', 4)
    await using watch = await replicas.watch()
    for (const { process } of instances) {
      for (const key of keys) await process.call('set', key, 'set')
      expect(await process.call('getMany', keys)).toEqual(keys.map(() => 'set'))
      for (const key of keys) expect(await process.call('get', key)).toBe('set')
    }
    expect(await watch.stop(instances)).toEqual({ A: [], B: [], C: [], D: [] })
  },
)

test.each([
  ['of the client', { keyPrefix: 'app:' }],
  ['of its nodes', { redisOptions: { keyPrefix: 'app:' } }],
])('a keyPrefix %s is in front of all keys', async (_name, options) => {
  const [a] = await crew.open({ cluster: { startupNodes, options }, cache: CACHE, size: 1 })
  const keys = await traffic.keyOnEach('prefixed')
  for (const key of keys) await a.process.call('set', key, 'set', 60_000, ['t'])
  const nodes = startupNodes.map((node) => new Redis(node))
  const found = (await Promise.all(nodes.map((node) => node.keys(`*${a.namespace}:*`)))).flat()
  for (const node of nodes) node.disconnect()
  expect(found).toEqual(expect.arrayContaining(keys.map((key) => `app:${a.namespace}:{${key}}`)))
  for (const key of found) expect(key.startsWith(`app:${a.namespace}:`)).toBe(true)
})

test.each([
  ['the password of the default user', { password: 'hidden' }],
  ['a user of the ACL', { username: 'atomcache', password: 'secret' }],
])(
  'a client of a cluster may have %s',
  async (_name, redisOptions) => {
    const place = { startupNodes: closed.startupNodes, options: { redisOptions } }
    const instances = await crew.open({ cluster: place, cache: CACHE })
    await expectAllToWork(instances)
  },
  60_000,
)

describe.each([
  ['ioredis 6', Cluster],
  ['ioredis 5', Cluster5],
])('a client of %s', (_name, AnyCluster) => {
  test('is never connected, closed or changed', async () => {
    const given = { lazyConnect: true, keyPrefix: 'app:', redisOptions: { connectionName: 'user' } }
    const client = new AnyCluster([...startupNodes], given)
    const before = structuredClone({ given, options: plain(client.options) })
    const listeners = client.eventNames()
    const cache = createCache({ store: redisStore(client), ttl: 60_000, namespace: testNamespace() })
    await cache.ready()
    expect(await cache.getOrSet('k', () => 'value', { tags: ['t'] })).toBe('value')
    await cache.invalidate({ tags: ['t'] })
    expect(client.status).toBe('wait')
    await cache.close()
    expect(client.status).toBe('wait')
    expect({ given, options: plain(client.options) }).toEqual(before)
    expect(client.eventNames()).toEqual(listeners)
    client.disconnect()
  })

  test('that is connected stays so, and serves its user as before', async () => {
    const client = new AnyCluster([...startupNodes], {})
    const key = testNamespace()
    await client.set(key, 'before')
    const cache = createCache({ store: redisStore(client), ttl: 60_000, namespace: testNamespace() })
    await cache.ready()
    expect(await cache.getOrSet('k', () => 'value')).toBe('value')
    expect(await client.get(key)).toBe('before')
    await cache.close()
    expect(client.status).toBe('ready')
    expect(await client.get(key)).toBe('before')
    client.disconnect()
  })

  test('with braces in its keyPrefix is refused', () => {
    for (const options of [{ keyPrefix: '{app}:' }, { redisOptions: { keyPrefix: 'a}' } }]) {
      const client = new AnyCluster([...startupNodes], { lazyConnect: true, ...options })
      expect(() => redisStore(client)).toThrow(/^keyPrefix must not have braces, got "/)
      client.disconnect()
    }
  })
})

/** Functions among them are the same as long as their names are. */
function plain(options: object): unknown {
  return JSON.parse(JSON.stringify(options, (_, value) => (typeof value === 'function' ? value.name : value)))
}
