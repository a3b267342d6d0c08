import { describe, expect, test } from 'vitest'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { createCache } from '../../../src/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, t, useTwins } from './twins.ts'

describe.each(STORES)('several caches in one chain, over $name', ({ make }) => {
  const open = useTwins(make)

  const routerOf = ({ cache, run }: Bench) => {
    const one = cached({ cache, scope: null })
    return t.router({
      twice: t.procedure
        .use(one)
        .use(one)
        .query(() => run('twice')),
      again: t.procedure
        .use(cached({ cache, scope: null, ttl: 1000 }))
        .use(cached({ cache, scope: null }))
        .query(() => run('again')),
      around: t.procedure
        .use(cached({ cache, scope: 'x' }))
        .use(cached({ cache, scope: null }))
        .use(cached({ cache, scope: 'x' }))
        .query(() => run('around')),
    })
  }

  test.each(['twice', 'again', 'around'] as const)(
    'nobody waits for the lease that its own call holds: %s',
    async (path) => {
      const { a, b, runs } = await open(routerOf, { cache: PATIENT })
      const trace = traceOf(a.cache, b.cache)
      const first = await a.client()[path].query()
      await settled(a.cache)
      expect(trace.of('join')).toEqual([])
      expect(trace.of('follow')).toEqual([])
      expect(await b.client()[path].query()).toBe(first)
      expect(runs).toEqual([path])
    },
  )

  test('calls of one batch still share one flight', async () => {
    const { a, gate, runs } = await open(routerOf, { cache: PATIENT })
    const trace = traceOf(a.cache)
    gate.shut()
    const client = a.client({ link: 'batch' })
    const asking = [client.again.query(), client.again.query()]
    await trace.saw('join')
    gate.open()
    expect(new Set(await Promise.all(asking)).size).toBe(1)
    expect(runs).toEqual(['again'])
  })

  test('a middleware in front that tries again asks the cache again', async () => {
    let fails = true
    const { a, runs } = await open(
      ({ cache, run }) =>
        t.router({
          flaky: t.procedure
            .use(async ({ next }) => {
              const result = await next()
              return result.ok ? result : next()
            })
            .use(cached({ cache, scope: null }))
            .query(async () => {
              const served = await run('flaky')
              if (!fails) return served
              fails = false
              throw new Error('once')
            }),
        }),
      { cache: PATIENT },
    )
    const trace = traceOf(a.cache)
    const second = await a.client().flaky.query()
    await trace.saw('publish')
    expect(trace.of('lead')).toHaveLength(2)
    expect(await a.client().flaky.query()).toBe(second)
    expect(runs).toHaveLength(2)
  })

  test('two caches in one chain keep it each', async () => {
    await using near = createCache()
    const { a, runs } = await open(
      ({ cache, run }) =>
        t.router({
          tiered: t.procedure
            .use(cached({ cache: near, scope: null, ttl: 60_000 }))
            .use(cached({ cache, scope: null }))
            .query(() => run('tiered')),
        }),
      { cache: PATIENT },
    )
    const trace = traceOf(a.cache)
    const first = await a.client().tiered.query()
    await settled(a.cache, near)
    expect(trace.of('publish')).toHaveLength(1)
    expect(near.stats().events.publish).toBe(1)
    await near.clear()
    expect(await a.client().tiered.query()).toBe(first)
    expect(trace.of('hit')).toHaveLength(1)
    expect(runs).toHaveLength(1)
  })
})
