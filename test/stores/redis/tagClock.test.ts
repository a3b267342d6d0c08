import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { LONG, newToken, openPeers, type Peer } from '../contract/peers.ts'

const inspector = new Redis(inject('redisUrl'))
afterAll(() => inspector.disconnect())

async function open() {
  const peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
  const peer = await peers.join()
  const key = namesOf(peers.namespace).clock
  return { peers, peer, session: peer.session, key, [Symbol.asyncDispose]: () => peers[Symbol.asyncDispose]() }
}

/** µs since the epoch. */
async function serverNow(): Promise<number> {
  const [seconds, microseconds] = await inspector.time()
  return Number(seconds) * 1_000_000 + Number(microseconds)
}

async function leadClock({ session }: Peer): Promise<number | undefined> {
  const claim = await session.claim(newToken(), { token: newToken(), seen: 'none', lease: LONG })
  return claim.type === 'lead' ? claim.clock : undefined
}

const HOUR = 60 * 60 * 1_000_000

describe('the clock of tags', () => {
  test('is the server’s time in microseconds, kept for ever, by whoever reads it', async () => {
    for (const read of [
      ({ peer }: { peer: Peer }) => leadClock(peer),
      ({ peer }: { peer: Peer }) => peer.session.take('x', newToken(), LONG),
      ({ peer }: { peer: Peer }) => peer.session.step(),
    ]) {
      await using opened = await open()
      const before = await serverNow()
      const clock = (await read(opened)) as number
      expect(clock).toBeGreaterThanOrEqual(before)
      expect(clock).toBeLessThanOrEqual((await serverNow()) + 1)
      // All digits: a reader that finds fewer would be behind.
      expect(await inspector.get(opened.key)).toBe(String(clock))
      expect(await inspector.pttl(opened.key)).toBe(-1)
    }
  })

  test('does not go back where the server’s does: it goes on from what was kept', async () => {
    await using opened = await open()
    const { session, peer, key } = opened
    // The server's clock has been an hour ahead, and was set right.
    const ahead = (await serverNow()) + HOUR
    await inspector.set(key, String(ahead))
    expect(await leadClock(peer)).toBe(ahead)
    expect(await session.take('x', newToken(), LONG)).toBe(ahead)
    expect(await session.step()).toBe(ahead + 1)
    expect(await leadClock(peer)).toBe(ahead + 1)
    expect(await session.step()).toBe(ahead + 2)
    expect(await session.take('x', newToken(), LONG)).toBe(ahead + 2)
    expect(await inspector.get(key)).toBe(String(ahead + 2))
  })

  test('of a hundred steps at once is a hundred further, where the server’s stands still', async () => {
    await using opened = await open()
    const ahead = (await serverNow()) + HOUR
    await inspector.set(opened.key, String(ahead))
    const steps = await Promise.all(Array.from({ length: 100 }, () => opened.session.step()))
    expect(steps.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => ahead + 1 + i))
  })

  test('does not go back when its key is lost', async () => {
    await using opened = await open()
    const told = (await leadClock(opened.peer)) as number
    const step = await opened.session.step()
    await inspector.del(opened.key)
    expect(await opened.session.step()).toBeGreaterThan(Math.max(told, step))
  })

  test('loses an expiry that somebody has given it', async () => {
    await using opened = await open()
    await opened.session.step()
    for (const read of [() => leadClock(opened.peer), () => opened.session.step()]) {
      await inspector.pexpire(opened.key, 60_000)
      await read()
      expect(await inspector.pttl(opened.key)).toBe(-1)
    }
  })

  test.each([
    ...['', 'x', ' 5', '5 ', '-5', '+5', '1e300', '1.79e+15', 'inf', '-inf', 'nan', '0x7fffffff', '12.5', '12\n'],
    ...[String(2 ** 53), '9999999999999999', '9'.repeat(40), '\0\xff'],
  ])('is the server’s time where its key holds %j', async (garbage) => {
    await using opened = await open()
    const { peer, session, key } = opened
    const reads = [() => leadClock(peer), () => session.take('x', newToken(), LONG), () => session.step()]
    for (const read of reads) {
      await inspector.set(key, Buffer.from(garbage, 'latin1'))
      const before = await serverNow()
      const clock = (await read()) as number
      expect(clock).toBeGreaterThanOrEqual(before)
      expect(clock).toBeLessThan(before + HOUR)
      expect(await session.step()).toBeGreaterThan(clock)
    }
    expect(peer.faults).toEqual([])
  })

  test('that somebody has set to the last of its numbers makes no step that nobody could tell from the one before', async () => {
    await using opened = await open()
    const last = 2 ** 53 - 1
    await inspector.set(opened.key, String(last))
    expect(await leadClock(opened.peer)).toBe(last)
    await expect(opened.session.step()).rejects.toMatchObject({ name: 'StoreError' })
    expect(await inspector.get(opened.key)).toBe(String(last))
  })

  test('of two namespaces is not the same key', async () => {
    await using opened = await open()
    const other = await opened.peers.join({ namespace: `${opened.peers.namespace}:clock` })
    const ahead = (await serverNow()) + HOUR
    await inspector.set(opened.key, String(ahead))
    expect(await other.session.step()).toBeLessThan(ahead)
  })
})
