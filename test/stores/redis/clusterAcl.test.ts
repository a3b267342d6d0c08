import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { Cluster as Cluster54 } from 'ioredis54'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisCluster, startCluster } from '../../redis/cluster.ts'
import { slotOf } from '../../redis/slots.ts'
import { openPeers, within } from '../contract/peers.ts'
import { DOCUMENTED, DOCUMENTED_IN_CLUSTERS, everything, FEWEST } from './rights.ts'

const USER = 'atomcache'
/** What clients of clusters ask: who has which slot. */
const OF_CLUSTERS = ['cluster|slots']
/** What they send besides, in front of a command for a slot that is being moved. */
const OF_MOVES = 'asking'
const FEWEST_IN_CLUSTERS = `${FEWEST} ${OF_CLUSTERS.map((name) => `+${name}`).join(' ')}`

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 })
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(async () => {
  await onAll('FLUSHALL')
})

/** Runs a command on every node. */
async function onAll(command: string, ...args: string[]): Promise<unknown[]> {
  return Promise.all(cluster.nodes.map((node) => node.ask(command, ...args)))
}

async function grant(rights: string): Promise<void> {
  await onAll('ACL', 'SETUSER', USER, 'reset', 'on', '>secret', 'resetchannels', ...rights.split(' '))
  await onAll('ACL', 'LOG', 'RESET')
}

/** The commands that were refused since. */
async function denied(): Promise<unknown[]> {
  const logs = (await onAll('ACL', 'LOG')) as unknown[][][]
  return logs.flat().map((entry) => entry[entry.indexOf('object') + 1])
}

const CLIENTS = { 'ioredis 6': Cluster, 'ioredis 5': Cluster5, 'ioredis 5.4': Cluster54 }

function clientOf(version: keyof typeof CLIENTS): Cluster | Cluster5 | Cluster54 {
  const redisOptions = { username: USER, password: 'secret' }
  const client = new CLIENTS[version]([...cluster.startupNodes], { redisOptions, lazyConnect: true })
  client.on('error', () => {})
  return client
}

describe.each(['ioredis 6', 'ioredis 5', 'ioredis 5.4'] as const)('a user of a cluster through %s', (version) => {
  test.each([
    // In vain the client gives a connection its name.
    ['the fewest', FEWEST_IN_CLUSTERS, ['client|setname']],
    ['the documented', `${DOCUMENTED} ${DOCUMENTED_IN_CLUSTERS}`, []],
  ])('with %s rights can do everything', async (_name, rights, refused) => {
    await grant(rights)
    await using peers = await openPeers({ open: () => () => redisStore(clientOf(version)) })
    await everything(peers)
    expect(new Set(await denied())).toEqual(new Set(refused))
  })

  test.each([...OF_CLUSTERS, 'info'])('without %s cannot', async (missing) => {
    await grant(`${FEWEST_IN_CLUSTERS} -${missing}`)
    const peers = await openPeers({ open: () => () => redisStore(clientOf(version)) })
    await expect(within(1500, everything(peers))).rejects.toThrow()
    await peers[Symbol.asyncDispose]()
    expect(await denied()).toContain(missing)
  })
})

test('while a slot moves the fewest need ASKING too, and the documented have it', async () => {
  await using peers = await openPeers({ open: () => () => redisStore(clientOf('ioredis 6')) })
  await grant(FEWEST_IN_CLUSTERS)
  const { session } = await peers.join({ namespace: 'shop', commandTimeout: 1000 })
  const owner = await cluster.ownerOf('shop:{x}')
  const to = cluster.nodes.find((node) => node !== owner) as (typeof cluster.nodes)[number]
  const move = await cluster.beginMove(slotOf('shop:{x}'), to)
  await expect(session.read('x')).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(await denied()).toContain(OF_MOVES)
  for (const rights of [`${FEWEST_IN_CLUSTERS} +${OF_MOVES}`, `${DOCUMENTED} ${DOCUMENTED_IN_CLUSTERS}`]) {
    await onAll('ACL', 'SETUSER', USER, '-@all', ...rights.split(' ').filter((word) => word.startsWith('+')))
    expect(await session.read('x')).toBeUndefined()
  }
  await move.finish()
})

test('what docs/redis.md names for clusters is what they need', () => {
  expect(DOCUMENTED_IN_CLUSTERS).toBe('+cluster|slots')
})
