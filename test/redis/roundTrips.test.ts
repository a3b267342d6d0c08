import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { countRoundTrips, type RoundTrips } from './roundTrips.ts'

test('what is sent together is one round trip, what waits for a reply is another', async () => {
  await using trips = await countRoundTrips([addressOf(inject('redisUrl'))])
  const redis = await connectTo(trips)
  const before = trips.count
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => redis.get(`nothing-${i}`)))
  expect(trips.count - before).toBe(1)
  for (let i = 0; i < 3; i++) await redis.get('nothing')
  expect(trips.count - before).toBe(4)
  redis.disconnect()
})

test('what a client does while it is busy is still the same round trip', async () => {
  await using trips = await countRoundTrips([addressOf(inject('redisUrl'))])
  const redis = await connectTo(trips)
  const before = trips.count
  const first = redis.get('nothing')
  await new Promise(setImmediate)
  const until = performance.now() + 200
  while (performance.now() < until);
  await Promise.all([first, redis.get('nothing')])
  expect(trips.count - before).toBe(1)
  redis.disconnect()
})

test('messages and the beginning of a connection are no round trips', async () => {
  await using trips = await countRoundTrips([addressOf(inject('redisUrl'))])
  const redis = await connectTo(trips)
  const arrived = new Promise((resolve) => redis.once('message', resolve))
  await redis.subscribe('round-trips')
  const sender = new Redis(inject('redisUrl'))
  await sender.publish('round-trips', 'hello')
  await arrived
  expect(trips.count).toBe(0)
  for (const client of [redis, sender]) client.disconnect()
})

async function connectTo({ addresses }: RoundTrips): Promise<Redis> {
  const redis = new Redis({ ...optionsOf(inject('redisUrl')), ...addresses[0] })
  await redis.ping()
  return redis
}

function addressOf(url: string) {
  const { hostname: host, port } = new URL(url)
  return { host, port: Number(port || 6379) }
}

function optionsOf(url: string) {
  const { username, password } = new URL(url)
  return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
}
