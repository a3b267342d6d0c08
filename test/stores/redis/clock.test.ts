import { Redis } from 'ioredis'
import { afterAll, afterEach, describe, expect, inject, test, vi } from 'vitest'
import { createClock } from '../../../src/stores/redis/clock.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startProxy } from '../../redis/proxy.ts'
import { LONG, newToken, openPeers, type Peer, until } from '../contract/peers.ts'

const inspector = new Redis(inject('redisUrl'))
afterAll(() => inspector.disconnect())
afterEach(() => {
  vi.useRealTimers()
})

/** ms by which now() is off, at most: the server's TIME was taken between two readings of it. */
async function errorOf({ session }: Peer): Promise<number> {
  const before = session.now()
  const [seconds, microseconds] = await inspector.time()
  const after = session.now()
  const server = Number(seconds) * 1000 + Number(microseconds) / 1000
  return Math.max(before - server, server - after, 0)
}

describe('the clock of a session', () => {
  test('is the server’s, within some milliseconds', async () => {
    await using peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
    const peer = await peers.join()
    await until(
      () => errorOf(peer),
      (error) => error < 5,
      'the clock',
    )
    await peer.lead('x')
    await until(
      () => errorOf(peer),
      (error) => error < 5,
      'the clock',
    )
  })

  test('is the server’s, however wrong this machine’s clock is', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 86_400_000 })
    await using peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
    const peer = await peers.join()
    await peer.lead('x')
    expect(await errorOf(peer)).toBeLessThan(50)
    vi.setSystemTime(Date.now() + 7 * 86_400_000)
    expect(await errorOf(peer)).toBeLessThan(50)
    await peer.lead('y')
    expect(await errorOf(peer)).toBeLessThan(50)
  })

  test('is off by no more than a slow network takes', async () => {
    await using proxy = await startProxy(inject('redisUrl'))
    await using peers = await openPeers({ open: () => () => redisStore(proxy.url) })
    const peer = await peers.join()
    proxy.delay(50)
    await peer.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })
    expect(await errorOf(peer)).toBeLessThan(120)
    proxy.delay(0)
    await peer.session.claim('y', { token: newToken(), seen: 'none', lease: LONG })
    await until(
      () => errorOf(peer),
      (error) => error < 5,
      'the clock',
    )
  })

  test('is this machine’s before the first connection', async () => {
    await using peers = await openPeers({ open: () => () => redisStore('redis://127.0.0.1:1') })
    const { session } = await peers.join({ unready: true })
    expect(Math.abs(session.now() - Date.now())).toBeLessThan(1000)
  })
})

describe('of replies that tell the time', () => {
  test('one with a long way counts only where there is none, or it is old', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const clock = createClock()
    const tell = (server: number, trip: number) => {
      const sentAt = performance.now()
      vi.advanceTimersByTime(trip)
      clock.set(server / 1000, 0, sentAt)
    }
    tell(1_000_000, 200)
    expect(clock.now()).toBeCloseTo(1_000_100, 3)
    tell(2_000_000, 200)
    expect(clock.now()).toBeCloseTo(1_000_300, 3)
    tell(3_000_000, 10)
    expect(clock.now()).toBeCloseTo(3_000_005, 3)
    vi.advanceTimersByTime(60_000)
    tell(4_000_000, 200)
    expect(clock.now()).toBeCloseTo(4_000_100, 3)
    clock.set(Number.NaN, 0, performance.now())
    expect(clock.now()).toBeCloseTo(4_000_100, 3)
  })
})
