import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { entryOf, LONG, newToken, openPeers, textOf } from '../contract/peers.ts'
import { listOf, membersOf, store } from '../contract/tagged.ts'

const inspector = new Redis(inject('redisUrl'))
afterAll(() => inspector.disconnect())

const WRONG = { name: 'StoreError', code: 'WRONG_TYPE' }

type Write = (key: string) => Promise<unknown>
const string: Write = (key) => inspector.set(key, 'x')
const hash: Write = (key) => inspector.hset(key, 'epoch', '7')
const zset: Write = (key) => inspector.zadd(key, 1, 'a')
const list: Write = (key) => inspector.rpush(key, 'a')
const set: Write = (key) => inspector.sadd(key, 'a')
const stream: Write = (key) => inspector.xadd(key, '*', 'a', 'b')

async function open() {
  const peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
  const [peer, waiter] = [await peers.join(), await peers.join()]
  const names = namesOf(peers.namespace)
  return { peer, waiter, session: peer.session, names, [Symbol.asyncDispose]: () => peers[Symbol.asyncDispose]() }
}

/** Makes the key one of another type, that is to be the same afterwards: bytes, and expiry. */
async function foreign(key: string, write: Write): Promise<() => Promise<void>> {
  await inspector.del(key)
  await write(key)
  await inspector.pexpire(key, LONG)
  const before = await inspector.dumpBuffer(key)
  return async () => {
    expect(await inspector.dumpBuffer(key)).toEqual(before)
    expect(await inspector.pttl(key)).toBeGreaterThan(0)
  }
}

describe.each(Object.entries({ hash, zset, list, set, stream }))('where the clock’s key holds a %s', (_type, write) => {
  test('steps and takes reject, nothing is changed, and no flight is taken', async () => {
    await using a = await open()
    const leftAlone = await foreign(a.names.clock, write)
    const token = await a.peer.lead('x')
    await a.waiter.wait('x')
    await expect(a.session.step()).rejects.toMatchObject(WRONG)
    await expect(a.session.take('x', newToken(), LONG)).rejects.toMatchObject(WRONG)
    expect(await a.session.renew('x', token, LONG)).toBe(1)
    await leftAlone()
  })

  test('claims lead without a clock, and a fault says why', async () => {
    await using a = await open()
    const leftAlone = await foreign(a.names.clock, write)
    const token = newToken()
    expect(await a.session.claim('x', { token, seen: 'none', lease: LONG })).toEqual({
      type: 'lead',
      present: 'none',
      clock: undefined,
    })
    expect(a.peer.faults).toEqual([expect.objectContaining(WRONG)])
    await a.waiter.wait('x')
    const entry = entryOf(token)
    expect(await a.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({ type: 'ok', stored: true })
    await a.waiter.message(token)
    await leftAlone()
  })
})

describe.each(Object.entries({ string, hash, list, set, stream }))(
  'where an index’s key holds a %s',
  (_type, write) => {
    test('listing in it and scanning it reject, also among other tags, and it is left alone', async () => {
      await using a = await open()
      const leftAlone = await foreign(a.names.index('a'), write)
      await a.peer.lead('x')
      await expect(a.session.index('x', ['a'], LONG)).rejects.toMatchObject(WRONG)
      await expect(a.session.index('x', ['b', 'a', 'c'], Number.POSITIVE_INFINITY)).rejects.toMatchObject(WRONG)
      await expect(a.session.members('a')).rejects.toMatchObject(WRONG)
      await leftAlone()
      expect(await store(a.session, 'x', ['b', 'c'])).toBe(0)
      expect(await membersOf(a.session, 'b')).toEqual(['x'])
    })

    test('it is not swept, also by whoever marked it', async () => {
      await using a = await open()
      const leftAlone = await foreign(a.names.index('a'), write)
      const clock = await a.session.step()
      await a.session.mark('a', clock)
      await a.session.sweep('a', clock)
      await leftAlone()
    })
  },
)

describe.each(Object.entries({ string, zset, list, set, stream }))('where a state’s key holds a %s', (_type, write) => {
  test('listing, marking and sweeping reject, and both keys are left alone', async () => {
    await using a = await open()
    await store(a.session, 'x', ['a'])
    const leftAlone = await foreign(a.names.state('a'), write)
    await expect(a.session.index('y', ['a'], LONG)).rejects.toMatchObject(WRONG)
    await expect(a.session.index('y', ['b', 'a'], LONG)).rejects.toMatchObject(WRONG)
    await expect(a.session.mark('a', 5)).rejects.toMatchObject(WRONG)
    await expect(a.session.sweep('a', 5)).rejects.toMatchObject(WRONG)
    await leftAlone()
    expect(await membersOf(a.session, 'a')).toEqual(['x'])
  })
})

describe('a state that somebody tampered with', () => {
  test.each(['', 'x', 'nan', 'inf', '-inf', '1e400', '-5', '0x10', '5 ', '\0'])(
    'with the epoch %j has none, and a mark gives it one',
    async (garbage) => {
      await using a = await open()
      const state = a.names.state('a')
      await inspector.hset(state, 'epoch', garbage, 'other', 'field')
      expect(await store(a.session, 'x', ['a'])).toBe(0)
      const clock = await a.session.step()
      await a.session.mark('a', clock)
      expect(await inspector.hgetall(state)).toEqual({ epoch: String(clock), sweeper: String(clock), other: 'field' })
      expect(await store(a.session, 'x', ['a'])).toBe(clock)
    },
  )

  test('without an expiry gets one with the next mark', async () => {
    await using a = await open()
    await inspector.hset(a.names.state('a'), 'epoch', '5')
    await a.session.mark('a', 3)
    expect(await inspector.pttl(a.names.state('a'))).toBeGreaterThan(0)
  })
})

describe('an index that somebody tampered with', () => {
  test('gives members that are not ids of ours as they are, and removing them is no error', async () => {
    await using a = await open()
    await store(a.session, 'x', ['a'])
    await inspector.zadd(a.names.index('a'), 1e15, '{foreign}', 1e15, 'y'.repeat(2000), 1e15, '')
    const members = await membersOf(a.session, 'a')
    expect(members).toEqual(['', 'x', 'y'.repeat(2000), '{foreign}'])
    await a.session.remove(members)
    expect(textOf(await a.session.read('x'))).toBeUndefined()
  })
})

describe('a namespace in which others have keys', () => {
  test('lists what is an id or a tag by its name, and no key that is neither', async () => {
    await using a = await open()
    const { clock } = a.names
    const namespace = clock.slice(0, -':clock'.length)
    await store(a.session, 'x', ['a'])
    const strangers = ['', 'x', '{', '{x', 'x}', '{x}y', '{x}:', '{x}:flight:', 'tag:x', 'tag:{x', 'tag:{x}', 'inbox:x']
    for (const key of strangers) await inspector.set(`${namespace}:${key}`, 'x', 'PX', LONG)
    await inspector.set(Buffer.from(`${namespace}:{\xff}`, 'latin1'), 'x', 'PX', LONG)
    await inspector.set(Buffer.from(`${namespace}:{\xed\xa0\x80}`, 'latin1'), 'x', 'PX', LONG)
    expect(await listOf(a.session)).toEqual({ ids: ['x'], tags: ['a'] })
  })
})
