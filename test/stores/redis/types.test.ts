import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { entryOf, LONG, newToken, openPeers, type Peers, textOf } from '../contract/peers.ts'

const inspector = new Redis(inject('redisUrl'))
afterAll(() => inspector.disconnect())

const open = () => openPeers({ open: () => () => redisStore(inject('redisUrl')) })

/** Makes a key of a type that we never write at this place; and what it looks like, to see that it is left alone. */
const OTHERS: Record<string, { write(key: string): Promise<unknown>; type: string }> = {
  list: { write: (key) => inspector.rpush(key, 'a', 'b'), type: 'list' },
  set: { write: (key) => inspector.sadd(key, 'a'), type: 'set' },
  'sorted set': { write: (key) => inspector.zadd(key, 1, 'a'), type: 'zset' },
  stream: { write: (key) => inspector.xadd(key, '*', 'a', 'b'), type: 'stream' },
}

const ENTRY_OTHERS = { ...OTHERS, hash: { write: (key: string) => inspector.hset(key, 'leader', 'x'), type: 'hash' } }
const FLIGHT_OTHERS = { ...OTHERS, string: { write: (key: string) => inspector.set(key, 'x'), type: 'string' } }

const namesIn = ({ namespace }: Peers) => namesOf(namespace)

describe.each(Object.keys(ENTRY_OTHERS))('where the entry’s key holds a %s', (kind) => {
  const { write, type } = ENTRY_OTHERS[kind as keyof typeof ENTRY_OTHERS]

  test('reads, claims and sets reject as the wrong type, and nothing is changed', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    const key = namesIn(peers).entry('x')
    await write(key)
    const before = await inspector.dumpBuffer(key)
    const wrong = { name: 'StoreError', code: 'WRONG_TYPE' }
    await expect(session.read('x')).rejects.toMatchObject(wrong)
    await expect(session.set('x', Buffer.from('x'), LONG)).rejects.toMatchObject(wrong)
    for (const seen of ['none', 'any'] as const) {
      await expect(session.claim('x', { token: newToken(), seen, lease: LONG })).rejects.toMatchObject(wrong)
    }
    await session.set('y', Buffer.from('Y'), LONG)
    expect((await session.readMany(['x', 'y'])).map(textOf)).toEqual([undefined, 'Y'])
    expect(await inspector.dumpBuffer(key)).toEqual(before)
    expect(await inspector.exists(namesIn(peers).flight('x'))).toBe(0)
  })

  test('a removal leaves it alone, and ends the flight', async () => {
    await using peers = await open()
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await waiter.wait('x')
    await write(namesIn(peers).entry('x'))
    await leader.session.remove(['x'])
    expect((await waiter.message(token)).outcome).toEqual({ type: 'again' })
    expect(await inspector.type(namesIn(peers).entry('x'))).toBe(type)
  })

  test('a take leaves it alone, and leads', async () => {
    await using peers = await open()
    const peer = await peers.join()
    const key = namesIn(peers).entry('x')
    await write(key)
    const before = await inspector.dumpBuffer(key)
    const token = newToken()
    await peer.session.take('x', token, LONG)
    expect(await peer.session.renew('x', token, LONG)).toBe(0)
    const ended = await peer.session.end('x', token, { type: 'value', entry: entryOf(token), ttl: LONG })
    expect(ended).toEqual({ type: 'ok', stored: false, refused: expect.stringContaining('WRONGTYPE') })
    expect(await inspector.dumpBuffer(key)).toEqual(before)
  })

  test('a flight that was under way ends, its value is shared and not stored', async () => {
    await using peers = await open()
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await waiter.wait('x')
    await write(namesIn(peers).entry('x'))
    const ended = await leader.session.end('x', token, { type: 'value', entry: entryOf(token), ttl: LONG })
    expect(ended).toEqual({ type: 'ok', stored: false, refused: expect.stringContaining('WRONGTYPE') })
    expect((await waiter.message(token)).outcome).toMatchObject({ type: 'value' })
    expect(await inspector.type(namesIn(peers).entry('x'))).toBe(type)
    expect(await inspector.exists(namesIn(peers).flight('x'))).toBe(0)
  })

  test('whose flight it is not is fenced', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    await write(namesIn(peers).entry('x'))
    expect(await session.end('x', newToken(), { type: 'again' })).toEqual({ type: 'fenced' })
  })
})

describe.each(Object.keys(FLIGHT_OTHERS))('where the flight’s key holds a %s', (kind) => {
  const { write, type } = FLIGHT_OTHERS[kind as keyof typeof FLIGHT_OTHERS]

  test('claims and renewals reject as the wrong type, an end is fenced, and nothing is changed', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    const key = namesIn(peers).flight('x')
    await write(key)
    const before = await inspector.dumpBuffer(key)
    const wrong = { name: 'StoreError', code: 'WRONG_TYPE' }
    const token = newToken()
    await expect(session.claim('x', { token, seen: 'none', lease: LONG })).rejects.toMatchObject(wrong)
    await expect(session.renew('x', token, LONG)).rejects.toMatchObject(wrong)
    const ending = { type: 'value', entry: entryOf(token), ttl: LONG } as const
    expect(await session.end('x', token, ending)).toEqual({ type: 'fenced' })
    expect(await session.read('x')).toBeUndefined()
    expect(await inspector.dumpBuffer(key)).toEqual(before)
  })

  test('a take rejects as the wrong type, and the entry stays', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    await session.set('x', Buffer.from('X'), LONG)
    const key = namesIn(peers).flight('x')
    await write(key)
    const before = await inspector.dumpBuffer(key)
    const taken = session.take('x', newToken(), LONG)
    await expect(taken).rejects.toMatchObject({ name: 'StoreError', code: 'WRONG_TYPE' })
    expect(textOf(await session.read('x'))).toBe('X')
    expect(await inspector.dumpBuffer(key)).toEqual(before)
  })

  test('reads, sets and removals of the entry go on', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    await write(namesIn(peers).flight('x'))
    await session.set('x', Buffer.from('X'), LONG)
    expect(textOf(await session.read('x'))).toBe('X')
    expect(await session.claim('x', { token: newToken(), seen: 'none', lease: LONG })).toEqual({ type: 'hit' })
    await session.remove(['x'])
    expect(await session.read('x')).toBeUndefined()
    expect(await inspector.type(namesIn(peers).flight('x'))).toBe(type)
  })
})

describe('a flight that somebody tampered with', () => {
  test('without an expiry gets one with the next claim', async () => {
    await using peers = await open()
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    const key = namesIn(peers).flight('x')
    await inspector.persist(key)
    expect(await waiter.session.claim('x', { token: newToken(), seen: 'none', lease: 5000 })).toMatchObject({
      type: 'wait',
      token,
      leaseLeft: 5000,
    })
    expect(await inspector.pttl(key)).toBeGreaterThan(0)
  })

  test('without a leader is nobody’s: the next claim leads, and no old waiter is left in it', async () => {
    await using peers = await open()
    const [peer, old] = [await peers.join(), await peers.join()]
    const key = namesIn(peers).flight('x')
    await inspector.hset(key, `w:${old.instanceId}`, '', 'other', 'field')
    const token = await peer.lead('x')
    expect(await peer.session.renew('x', token, LONG)).toBe(0)
    expect(await inspector.hkeys(key)).toEqual(['leader'])
  })
})
