import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { openPeers } from '../contract/peers.ts'

const inspector = new Redis(inject('redisUrl'))
afterAll(() => inspector.disconnect())

const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR
/** ms that may pass between two commands of a test. */
const SLACK = 10_000

async function open() {
  const peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
  const { session } = await peers.join()
  const names = namesOf(peers.namespace)
  return {
    peers,
    session,
    index: names.index('a'),
    state: names.state('a'),
    [Symbol.asyncDispose]: () => peers[Symbol.asyncDispose](),
  }
}

async function serverNow(): Promise<number> {
  const [seconds, microseconds] = await inspector.time()
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
}

/** Within what has passed since. */
function expectAbout(left: number, expected: number): void {
  expect(left).toBeLessThanOrEqual(expected)
  expect(left).toBeGreaterThan(expected - SLACK)
}

describe('the life of an index', () => {
  test('is that of its longest member, and is only ever made longer', async () => {
    await using a = await open()
    for (const [life, left] of [
      [HOUR, HOUR],
      [1000, HOUR],
      [2 * HOUR, 2 * HOUR],
      [HOUR, 2 * HOUR],
      [3 * HOUR, 3 * HOUR],
    ] as const) {
      await a.session.index(`x:${life}`, ['a'], life)
      expectAbout(await inspector.pttl(a.index), left)
    }
  })

  test('has no end when a member has none, and a later member with one gives it none', async () => {
    await using a = await open()
    await a.session.index('x', ['a'], HOUR)
    await a.session.index('for ever', ['a'], Number.POSITIVE_INFINITY)
    expect(await inspector.pttl(a.index)).toBe(-1)
    for (const id of ['y', 'for ever']) {
      await a.session.index(id, ['a'], HOUR)
      expect(await inspector.pttl(a.index)).toBe(-1)
    }
  })

  test('has no end from the beginning when the first member has none', async () => {
    await using a = await open()
    await a.session.index('for ever', ['a'], Number.POSITIVE_INFINITY)
    expect(await inspector.pttl(a.index)).toBe(-1)
    await a.session.index('x', ['a'], HOUR)
    expect(await inspector.pttl(a.index)).toBe(-1)
  })

  test('begins anew after it was swept', async () => {
    await using a = await open()
    await a.session.index('for ever', ['a'], Number.POSITIVE_INFINITY)
    const clock = await a.session.step()
    await a.session.mark('a', clock)
    await a.session.sweep('a', clock)
    expect(await inspector.exists(a.index)).toBe(0)
    await a.session.index('x', ['a'], HOUR)
    expectAbout(await inspector.pttl(a.index), HOUR)
  })
})

describe('the score of a member', () => {
  test('is the server’s time and its life, whatever the clock of this machine', async () => {
    await using a = await open()
    const before = await serverNow()
    await a.session.index('x', ['a'], HOUR)
    const after = await serverNow()
    const score = Number(await inspector.zscore(a.index, 'x'))
    expect(score).toBeGreaterThanOrEqual(before + HOUR)
    expect(score).toBeLessThanOrEqual(after + HOUR)
  })

  test('is only ever made greater, and infinite for what has no end', async () => {
    await using a = await open()
    await a.session.index('x', ['a'], HOUR)
    const first = Number(await inspector.zscore(a.index, 'x'))
    await a.session.index('x', ['a'], 1000)
    expect(Number(await inspector.zscore(a.index, 'x'))).toBe(first)
    await a.session.index('x', ['a'], 2 * HOUR)
    expect(Number(await inspector.zscore(a.index, 'x'))).toBeGreaterThanOrEqual(first + HOUR)
    for (const life of [Number.POSITIVE_INFINITY, HOUR, 2 ** 60]) {
      await a.session.index('x', ['a'], life)
      expect(await inspector.zscore(a.index, 'x')).toBe('inf')
    }
  })

  test('has no fraction and no exponent, however great it is', async () => {
    await using a = await open()
    await a.session.index('x', ['a'], 2 ** 52 / 1000 + 0.5)
    expect(Number(await inspector.zscore(a.index, 'x'))).toSatisfy(Number.isSafeInteger)
  })
})

describe('members whose life is over', () => {
  /** Puts so many in, which were over a while ago. */
  async function overdue(index: string, count: number): Promise<void> {
    const members = Array.from({ length: count }, (_, i) => [1000 + i, `over:${i}`]).flat()
    await inspector.zadd(index, ...members)
  }

  test('are dropped with each call, twenty at most, the oldest first', async () => {
    await using a = await open()
    await overdue(a.index, 50)
    const left: number[] = []
    for (let call = 0; call < 4; call++) {
      await a.session.index('x', ['a'], HOUR)
      left.push(await inspector.zcount(a.index, '-inf', '2000'))
      if (call === 0) expect(await inspector.zrange(a.index, '0', '0')).toEqual(['over:20'])
    }
    expect(left).toEqual([30, 10, 0, 0])
    expect(await inspector.zrange(a.index, '0', '-1')).toEqual(['x'])
  })

  test('are dropped of each tag of a call', async () => {
    await using a = await open()
    const tags = ['a', 'b', 'c']
    const names = namesOf(a.peers.namespace)
    for (const tag of tags) await overdue(names.index(tag), 25)
    await a.session.index('x', tags, HOUR)
    for (const tag of tags) expect(await inspector.zcard(names.index(tag))).toBe(6)
  })

  test('never are those that have no end, or are to stay', async () => {
    await using a = await open()
    const kept = Array.from({ length: 30 }, (_, i) => `kept:${i}`)
    for (const [i, id] of kept.entries()) {
      await a.session.index(id, ['a'], i % 2 === 0 ? Number.POSITIVE_INFINITY : HOUR)
    }
    await overdue(a.index, 5)
    for (let call = 0; call < 3; call++) await a.session.index('x', ['a'], HOUR)
    expect((await inspector.zrange(a.index, '0', '-1')).sort()).toEqual([...kept, 'x'].sort())
  })

  test('do not take the one with them that is listed again', async () => {
    await using a = await open()
    await inspector.zadd(a.index, 1000, 'x')
    await a.session.index('x', ['a'], HOUR)
    expect(await inspector.zrange(a.index, '0', '-1')).toEqual(['x'])
  })
})

describe('the state of a tag', () => {
  test('lives a day from the last mark', async () => {
    await using a = await open()
    await a.session.mark('a', 5)
    expectAbout(await inspector.pttl(a.state), DAY)
    await inspector.pexpire(a.state, HOUR)
    // Also when the epoch stays as it is.
    await a.session.mark('a', 3)
    expectAbout(await inspector.pttl(a.state), DAY)
    expect(await inspector.hgetall(a.state)).toEqual({ epoch: '5', sweeper: '3' })
  })

  test('keeps an epoch to the last digit', async () => {
    await using a = await open()
    const clocks = [2 ** 53 - 1, 1_790_000_000_123_457]
    for (const clock of clocks.toReversed()) {
      await a.session.mark('a', clock)
      expect(await inspector.hget(a.state, 'epoch')).toBe(String(clock))
      expect(await a.session.index('x', ['a'], HOUR)).toBe(clock)
    }
  })

  test('is none where nothing was invalidated, however often it is listed', async () => {
    await using a = await open()
    await a.session.index('x', ['a'], HOUR)
    expect(await inspector.exists(a.state)).toBe(0)
  })
})
