import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { startCluster } from '../../redis/cluster.ts'
import { watchCommands } from '../../redis/monitor.ts'
import { slotOf } from '../../redis/slots.ts'
import { openPeers, until } from '../contract/peers.ts'

// One of its own: slots are moved, and lines cut.
const cluster = await startCluster({ replicas: 0, proxied: true, nodeTimeout: 15_000 })
const { startupNodes, natMap } = cluster
afterAll(() => cluster[Symbol.asyncDispose]())

const unhandled: unknown[] = []
const note = (error: unknown) => void unhandled.push(error)
beforeEach(() => void process.on('unhandledRejection', note))
afterEach(() => {
  process.off('unhandledRejection', note)
  unhandled.length = 0
})

const CLIENTS = { 'ioredis 6': Cluster, 'ioredis 5': Cluster5 }

/** The slot of the key is on its way: for what is not there any more its node sends everybody to another one, by ASK. */
async function beginMoveOf(key: string) {
  const owner = await cluster.ownerOf(key)
  const to = (await cluster.masters()).find((node) => node !== owner)
  if (to === undefined) throw new Error('There is one master only.')
  return cluster.beginMove(slotOf(key), to)
}

test.each(['ioredis 6', 'ioredis 5'] as const)(
  'through %s a connection that is cut between ASKING and its reply leaves no rejection unhandled',
  async (version) => {
    const client = new CLIENTS[version]([...startupNodes], { natMap, lazyConnect: true })
    await using peers = await openPeers({ open: () => () => redisStore(client) })
    const { session } = await peers.join()
    const key = namesOf(peers.namespace).entry('x')
    const move = await beginMoveOf(key)
    const { proxy } = move.to
    await using watch = await watchCommands(move.to.server.url)

    proxy.delay(300)
    const read = Promise.allSettled([session.read('x')])
    await until(
      async () => watch.records,
      (records) => records.some(({ args }) => args[0]?.toLowerCase() === 'asking'),
      'ASKING',
    )
    proxy.delay(0)
    proxy.cut()
    await read
    await until(
      () => session.read('x').catch((error: unknown) => error),
      (answer) => answer === undefined,
      'the connection',
    )
    expect(unhandled).toEqual([])
    await move.finish()
  },
)

test.each(['ioredis 6', 'ioredis 5'] as const)(
  'through %s an ASKING that is refused leaves none either',
  async (version) => {
    const client = new CLIENTS[version]([...startupNodes], { natMap, lazyConnect: true })
    await using peers = await openPeers({ open: () => () => redisStore(client) })
    const { session } = await peers.join()
    const key = namesOf(peers.namespace).entry('x')
    const move = await beginMoveOf(key)
    await move.to.ask('ACL', 'SETUSER', 'default', '-asking')
    try {
      await expect(session.read('x')).rejects.toMatchObject({ name: 'StoreError', code: 'UNREACHABLE' })
      expect(unhandled).toEqual([])
    } finally {
      await move.to.ask('ACL', 'SETUSER', 'default', '+asking')
      await move.finish()
    }
  },
)
