import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { traceOf } from '../trace.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis[Symbol.asyncDispose]())

describe.each([
  ['Yoga', serveYoga],
  ['envelop', serveEnvelop],
])('while Redis is away, %s', (_framework, serve) => {
  const open = useTown(serve, () => redisStore(redis.url))

  test('answers, tells the fault, and shares again when Redis is back', async () => {
    const { shops, runs } = await open({ cache: { breaker: { retryAfter: 1 } } })
    const [a, b] = shops
    const trace = traceOf(a.cache, b.cache)
    const first = await a.ask('{ me }')
    await trace.saw('publish')
    await redis.kill()

    for (const shop of [a, b, a]) expect((await shop.ask('{ me }')).body).toEqual({ data: { me: expect.any(String) } })
    expect(runs).toHaveLength(4)
    expect(trace.of('storeFault').length).toBeGreaterThan(0)
    expect(trace.of('alone').map(({ reason }) => reason)).toEqual(['store', 'store', 'store'])

    await redis.restart()
    const [here, there] = [traceOf(a.cache), traceOf(b.cache)]
    // Each connection comes back when it does; until then requests are answered as before.
    while (here.of('publish').length === 0) await a.ask('{ me }')
    const again = await a.ask('{ me }')
    while (there.of('hit').length === 0) await b.ask('{ me }')
    expect((await b.ask('{ me }')).text).toBe(again.text)
    expect(again.text).not.toBe(first.text)
  })

  test('answers what was begun before, also where Redis stands still', async () => {
    const { shops, gate, runs } = await open({ cache: { commandTimeout: 50 } })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const asking = [...shops, ...shops].map((shop) => shop.ask('{ me }'))
    await Promise.all([trace.saw('lead'), trace.saw('follow'), trace.saw('join', 2)])
    redis.pause()
    try {
      // Whoever leads answers its own; the other server waits, at most for its lease.
      gate.open()
      const first = await Promise.race(asking)
      expect(first.body).toEqual({ data: { me: expect.any(String) } })
      expect((await shops[0].ask('{ search }')).body).toEqual({ data: { search: expect.any(String) } })
    } finally {
      redis.resume()
    }
    for (const { status } of await Promise.all(asking)) expect(status).toBe(200)
    expect(runs.filter((what) => what.startsWith('user')).length).toBeLessThanOrEqual(2)
  })
})
