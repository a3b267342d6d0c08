import { Redis, type RedisOptions } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type RedisClient, type RedisSource, redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisSentinel, startSentinel } from '../../redis/sentinel.ts'
import { untilClear } from '../../redis/untilClear.ts'
import { LONG, openPeer, type Peer } from '../contract/peers.ts'

let guarded: RedisSentinel
beforeAll(async () => {
  guarded = await startSentinel({ replicas: 0 })
})
afterAll(() => guarded[Symbol.asyncDispose]())

const peers: Peer[] = []
afterEach(async () => {
  for (const sentinel of guarded.sentinels) sentinel.resume()
  await Promise.all(peers.splice(0).map(({ session }) => session.close()))
})

function open(source: RedisSource): Peer {
  const peer = openPeer(redisStore(source), { namespace: 'ns', commandTimeout: 10_000 })
  peers.push(peer)
  return peer
}

const optionsOf = (more: RedisOptions = {}): RedisOptions => ({
  sentinels: [...guarded.addresses],
  name: guarded.name,
  ...more,
})

/** How many listen to a sentinel, beside those of the harness. */
async function listeners(): Promise<number[]> {
  return Promise.all(
    guarded.sentinels.map(async (sentinel) => {
      const client = sentinel.client()
      const lines = String(await client.client('LIST')).split('\n')
      client.disconnect()
      return lines.filter((line) => / sub=1 /.test(line) && / user=default /.test(line)).length
    }),
  )
}

/** What a user may give. */
const SOURCES: Readonly<Record<string, (options: RedisOptions) => RedisSource>> = {
  options: (options) => options,
  'a client of ioredis 5': (options) => new Redis5({ ...options, lazyConnect: true } as object) as RedisClient,
  'a client of ioredis 6': (options) => new Redis({ ...options, lazyConnect: true } as object) as RedisClient,
}

test.for(Object.keys(SOURCES))(
  '%s: the master is found, each sentinel is listened to once, and by nobody after closing',
  async (what) => {
    const make = SOURCES[what] ?? optionsOf
    const peer = open(make(optionsOf()))
    await peer.session.ready()
    await peer.session.set('x', Buffer.from('x'), LONG)
    expect(await guarded.client().exists('ns:{x}')).toBe(1)
    await expect.poll(listeners).toEqual([1, 1, 1])
    expect(peer.faults).toEqual([])
    await peer.session.close()
    await expect.poll(listeners).toEqual([0, 0, 0])
  },
)

test('one that is silent is not waited for: the next one is asked', async () => {
  guarded.sentinels[0]?.pause()
  const peer = open(optionsOf())
  await peer.session.ready()
  await peer.session.set('x', Buffer.from('x'), LONG)
})

test('where all are away, and the client would not ask again, they are asked again', async () => {
  const [sentinel] = guarded.sentinels
  if (sentinel === undefined) throw new Error('There is no sentinel.')
  await sentinel.kill()
  const peer = open(optionsOf({ sentinels: guarded.addresses.slice(0, 1), sentinelRetryStrategy: () => null }))
  await untilClear(async () => (peer.faults.length > 2 ? undefined : 'too few faults'), 'Attempts')
  await sentinel.restart()
  await peer.session.ready()
  await peer.session.set('x', Buffer.from('x'), LONG)
})
