import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import type { Bytes } from '../../../src/core/codec.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { watchCommands } from '../../redis/monitor.ts'
import { startRedis } from '../../redis/server.ts'
import { entryOf, LONG, newToken, openPeers, textOf } from '../contract/peers.ts'
import { openFull } from './fullServer.ts'

const url = inject('redisUrl')
const inspector = new Redis(url)
afterAll(() => inspector.disconnect())

const open = () => openPeers({ open: () => () => redisStore(url) })
const ids = ['a', 'b', 'c'] as const
const wrong = { status: 'rejected', reason: { name: 'StoreError', code: 'WRONG_TYPE' } }
const request = () => ({ token: newToken(), seen: 'none', lease: LONG }) as const

describe('of what is done in one moment', () => {
  test('claims, listings and ends are a script each', async () => {
    // Of its own: on that of all a test may make it forget its scripts, and what it does not know is sent twice.
    await using server = await startRedis()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const { session } = await peers.join()
    await using watch = await watchCommands(server.url)
    const tokens = ids.map(newToken)
    await Promise.all(ids.map((id, i) => session.claim(id, { ...request(), token: tokens[i] as string })))
    await Promise.all(ids.map((id) => session.index(id, ['t', `of ${id}`], LONG)))
    const entries = ids.map((id, i) => entryOf(tokens[i] as string, id))
    const ends = ids.map((id, i) => {
      return session.end(id, tokens[i] as string, { type: 'value', entry: entries[i] as Bytes, ttl: LONG })
    })
    expect(await Promise.all(ends)).toEqual(ids.map(() => ({ type: 'ok', stored: true })))
    const scripts = (await watch.stop()).filter(({ args }) => args.some((arg) => String(arg).includes(peers.namespace)))
    expect(scripts.filter(({ args }) => /^eval/i.test(String(args[0])))).toHaveLength(3)
    expect((await session.readMany(ids)).map(textOf)).toEqual(entries.map(textOf))
  })

  test('a claim that fails leaves the others as they are', async () => {
    await using peers = await open()
    const [one, two] = [await peers.join(), await peers.join()]
    await inspector.set(namesOf(peers.namespace).flight('b'), 'not a flight')
    const token = await two.lead('c')
    const claims = await Promise.allSettled(ids.map((id) => one.session.claim(id, request())))
    expect(claims).toMatchObject([{ value: { type: 'lead' } }, wrong, { value: { type: 'wait', token } }])
  })

  test('a listing that fails leaves the others as they are', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    const clock = await session.step()
    await session.mark('invalidated', clock)
    await inspector.set(namesOf(peers.namespace).index('broken'), 'no index')
    const listings = await Promise.allSettled([
      session.index('a', ['fine'], LONG),
      session.index('b', ['broken', 'fine'], LONG),
      session.index('c', ['invalidated'], LONG),
    ])
    expect(listings).toMatchObject([{ value: 0 }, wrong, { value: clock }])
    expect((await session.members('fine')).ids).toContain('a')
  })

  test('an end that was fenced, or whose entry is refused, leaves the others as they are', async () => {
    await using peers = await open()
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const tokens = [await leader.lead('a'), await leader.lead('b'), newToken()]
    await waiter.wait('b')
    await inspector.rpush(namesOf(peers.namespace).entry('b'), 'a list')
    const ends = ids.map((id, i) => {
      const token = tokens[i] as string
      return leader.session.end(id, token, { type: 'value', entry: entryOf(token, id), ttl: LONG })
    })
    expect(await Promise.all(ends)).toEqual([
      { type: 'ok', stored: true },
      { type: 'ok', stored: false, refused: expect.stringContaining('WRONGTYPE') },
      { type: 'fenced' },
    ])
    expect((await waiter.message(tokens[1] as string)).outcome.type).toBe('value')
  })

  test('no end is stored where memory is full, also behind one that has written', async () => {
    await using full = await openFull()
    const { session } = await full.peers.join()
    const tokens = await Promise.all(
      ids.map(async (id) => {
        const token = newToken()
        await session.claim(id, { ...request(), token })
        return token
      }),
    )
    await full.fill()
    const ends = ids.map((id, i) => {
      const token = tokens[i] as string
      return session.end(id, token, { type: 'value', entry: entryOf(token, id), ttl: LONG })
    })
    const refused = { type: 'ok', stored: false, refused: expect.stringContaining('OOM') }
    expect(await Promise.all(ends)).toEqual([refused, refused, refused])
    expect(await session.readMany([...ids])).toEqual([undefined, undefined, undefined])
  })
})
