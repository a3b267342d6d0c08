import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, t, useTwins } from './twins.ts'

describe.each(STORES)('two tRPC servers over $name', ({ make }) => {
  const open = useTwins(make)

  const routerOf = ({ cache, run }: Bench) =>
    t.router({
      product: t.router({
        byId: t.procedure
          .input(z.object({ id: z.string(), lang: z.string().trim().default('en') }))
          .use(cached({ cache, ttl: 60_000, scope: null }))
          .query(({ input }) => run(`product ${input.id} ${input.lang}`)),
      }),
      raw: t.procedure
        .use(cached({ cache, scope: null }))
        .input(z.object({ id: z.coerce.number() }).optional())
        .query(({ input }) => run(`raw ${input?.id}`)),
      other: t.procedure.use(cached({ cache, scope: null })).query(() => run('other')),
      both: t.procedure.use(cached({ cache, scope: null })).query(() => run('both')),
      rename: t.procedure
        .input(z.string())
        .use(cached({ cache, scope: null }))
        .mutation(({ input }) => run(`rename ${input}`)),
      ticks: t.procedure
        .input(z.number())
        .use(cached({ cache, scope: null }))
        .subscription(async function* ({ input }) {
          for (let tick = 1; tick <= input; tick++) yield await run(`tick ${tick}`)
        }),
    })

  test('what one server computed is a hit on the other', async () => {
    const { a, b, runs } = await open(routerOf)
    const [atA, atB] = [traceOf(a.cache), traceOf(b.cache)]
    const first = await a.client().product.byId.query({ id: '42' })
    expect(first).toBe('product 42 en by A1')
    await atA.saw('publish')
    expect(await b.client({ user: 'ann' }).product.byId.query({ id: '42' })).toBe(first)
    expect(runs).toHaveLength(1)
    expect(atB.events.map(({ type }) => type)).toEqual(['hit'])
  })

  test('20 identical queries to two servers at once run the procedure once', async () => {
    const { a, b, gate, runs } = await open(routerOf)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const asking = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? a : b).client().product.byId.query({ id: '7' }))
    await Promise.all([trace.saw('lead'), trace.saw('follow'), trace.saw('join', 18)])
    gate.open()
    expect(new Set(await Promise.all(asking)).size).toBe(1)
    expect(runs).toEqual(['product 7 en'])
  })

  test.each(['batch', 'stream'] as const)('each call of a %s is cached by itself', async (link) => {
    const { a, b, runs } = await open(routerOf)
    const trace = traceOf(a.cache, b.cache)
    const client = a.client({ link })
    const first = await Promise.all([
      client.product.byId.query({ id: '1' }),
      client.product.byId.query({ id: '2' }),
      client.product.byId.query({ lang: 'en ', id: '1' }),
      client.other.query(),
    ])
    expect([...runs].sort()).toEqual(['other', 'product 1 en', 'product 2 en'])
    expect(first[2]).toBe(first[0])
    await trace.saw('publish', 3)

    const again = b.client({ link })
    expect(await Promise.all([again.other.query(), again.product.byId.query({ id: '2' }), again.both.query()])).toEqual(
      [first[3], first[1], expect.stringMatching(/^both by B/)],
    )
    expect(runs).toHaveLength(4)
  })

  test('a call of a streamed batch that waits for another server does not hold the others back', async () => {
    const { a, b, gate } = await open(routerOf)
    const trace = traceOf(a.cache, b.cache)
    const ready = await a.client().other.query()
    await trace.saw('publish')
    gate.shut()
    const led = a.client().both.query()
    await gate.holds(1)
    const client = b.client({ link: 'stream' })
    const waiting = client.both.query()
    expect(await client.other.query()).toBe(ready)
    await trace.saw('follow')
    gate.open()
    expect(await waiting).toBe(await led)
  })

  test('behind .input() the parsed input is the key, in whatever order it was sent', async () => {
    const { a, runs } = await open(routerOf)
    const { byId } = a.client().product
    await byId.query({ id: '1', lang: 'de' })
    await byId.query({ lang: ' de', id: '1' })
    await byId.query({ id: '1' })
    await byId.query({ id: '1', lang: 'en' })
    expect(runs).toEqual(['product 1 de', 'product 1 en'])
  })

  test('before .input() the input as it was sent is the key, in whatever order, and a parser still refuses', async () => {
    const { a, runs } = await open(routerOf)
    const { raw } = a.client()
    const send = (input: unknown) => raw.query(input as { id: number })
    expect(await send({ id: 1 })).toBe('raw 1 by A1')
    expect(await send({ id: '1' })).toBe('raw 1 by A2')
    expect(await send({ id: '1', more: { x: 1, y: 2 } })).toBe('raw 1 by A3')
    expect(await send({ more: { y: 2, x: 1 }, id: '1' })).toBe('raw 1 by A3')
    expect(await send(undefined)).toBe('raw undefined by A4')
    await expect(send({ id: 'x' })).rejects.toMatchObject({ data: { code: 'BAD_REQUEST' } })
    await expect(send({ id: 'x' })).rejects.toMatchObject({ data: { code: 'BAD_REQUEST' } })
    expect(runs).toHaveLength(4)
  })

  test('the path is part of the key', async () => {
    const { a, runs } = await open(routerOf)
    const client = a.client()
    expect(await client.other.query()).not.toBe(await client.both.query())
    expect(runs).toEqual(['other', 'both'])
  })

  test('mutations run each time and ask the cache nothing', async () => {
    const { a, b, runs } = await open(routerOf)
    const trace = traceOf(a.cache, b.cache)
    const answers = await Promise.all([a, b, a].map((twin) => twin.client().rename.mutate('x')))
    expect(new Set(answers).size).toBe(3)
    expect(runs).toHaveLength(3)
    expect(trace.events).toEqual([])
  })

  test('every client of a subscription gets its complete stream, and the cache is not asked', async () => {
    const { a, b, gate, runs } = await open(routerOf)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const streams = [a, a, b].map(async ({ url }) => {
      const response = await fetch(`${url}/ticks?input=3`, { headers: { accept: 'text/event-stream' } })
      return [...(await response.text()).matchAll(/^data: "(tick \d) by [AB]\d+"$/gm)].map(([, tick]) => tick)
    })
    await gate.holds(3)
    gate.open()
    for (const ticks of await Promise.all(streams)) expect(ticks).toEqual(['tick 1', 'tick 2', 'tick 3'])
    expect(runs).toHaveLength(9)
    expect(trace.events).toEqual([])
  })

  test('a client that leads and leaves takes nothing from the others', async () => {
    const { a, b, gate } = await open(routerOf)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const away = new AbortController()
    const led = a.client().other.query(undefined, { signal: away.signal })
    await gate.holds(1)
    const others = [a.client().other.query(), b.client().other.query()]
    await Promise.all([trace.saw('join'), trace.saw('follow')])
    away.abort()
    await expect(led).rejects.toThrow(/abort/i)
    gate.open()
    for (const answer of await Promise.all(others)) expect(answer).toBe('other by A1')
  })
})
