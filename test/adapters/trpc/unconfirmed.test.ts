import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cached, type InvalidatesOptions, invalidates } from '../../../src/adapters/trpc/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { traceOf } from '../trace.ts'
import { type Bench, t, useTwins } from './twins.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis[Symbol.asyncDispose]())

const IMPATIENT = { commandTimeout: 300, breaker: { retryAfter: 100 } }

/** Instances over one name. */
function shopWith(options: Omit<InvalidatesOptions, 'cache'>) {
  let name = 'old'
  return ({ cache }: Bench) =>
    t.router({
      product: t.procedure.use(cached({ cache, scope: null, tags: ['Product'] })).query(() => name),
      rename: t.procedure.use(invalidates({ cache, ...options })).mutation(() => {
        name = 'new'
        return name
      }),
    })
}

describe('behind a mutation while Redis is away', () => {
  const open = useTwins(() => redisStore(redis.url))

  test.each([
    ['silent', 'retry'],
    ['silent', 'throw'],
    ['killed', 'retry'],
    ['killed', 'throw'],
  ] as const)(
    '%s, %s: it is done and answered in time, and the old answer is gone when Redis is back',
    async (outage, onInvalidateError) => {
      const { a, b, errors } = await open(shopWith({ tags: ['Product'], onInvalidateError }), { cache: IMPATIENT })
      const trace = traceOf(a.cache)
      expect(await a.client().product.query()).toBe('old')
      await trace.saw('publish')
      if (outage === 'silent') redis.pause()
      else await redis.kill()
      try {
        const startedAt = performance.now()
        const mutation = a.client().rename.mutate()
        if (onInvalidateError === 'retry') expect(await mutation).toBe('new')
        else {
          await expect(mutation).rejects.toMatchObject({
            message: 'The mutation is done, but cached answers may be older than it.',
            data: { code: 'INTERNAL_SERVER_ERROR', path: 'rename' },
          })
        }
        // The budget of one invalidation is a few commands': this is a limit for a hang.
        expect(performance.now() - startedAt).toBeLessThan(5000)
        expect(trace.of('unconfirmed')).toMatchObject([{ tags: ['Product'] }])
        expect(a.cache.stats().unconfirmed).toBeGreaterThan(0)
        expect(errors).toMatchObject(
          onInvalidateError === 'retry' ? [] : [{ code: 'INTERNAL_SERVER_ERROR', cause: { name: 'UnconfirmedError' } }],
        )
      } finally {
        if (outage === 'silent') redis.resume()
        else await redis.restart()
      }
      await expect.poll(() => a.cache.stats().unconfirmed, { timeout: 15_000 }).toBe(0)
      for (const twin of [b, a]) expect(await twin.client().product.query()).toBe('new')
    },
  )

  test("'throw' says so too where tags can't be made", async () => {
    const { a, errors } = await open(
      shopWith({
        tags() {
          throw new Error('no idea')
        },
        onInvalidateError: 'throw',
      }),
    )
    const trace = traceOf(a.cache)
    await expect(a.client().rename.mutate()).rejects.toMatchObject({
      message: 'The mutation is done, but cached answers may be older than it.',
    })
    expect(errors).toMatchObject([{ cause: { message: 'no idea' } }])
    expect(trace.of('policyError')).toMatchObject([{ option: 'tags' }])
  })
})
