import { TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cached, type InvalidatesOptions, invalidates } from '../../../src/adapters/trpc/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, t, useTwins } from './twins.ts'

const Rename = z.object({ id: z.coerce.string(), name: z.string() })
type Tags = InvalidatesOptions<Context, { id: string; name: string }>['tags']

/** Instances over one table of names; a product is read before the gate, and answered behind it. */
function shopWith(tags: Tags = ({ input }) => [`Product:${input.id}`]) {
  const names = new Map<string, string>()
  return ({ cache, run }: Bench) => {
    const renaming = t.procedure.input(Rename).use(invalidates({ cache, tags }))
    return t.router({
      product: t.procedure
        .input(z.string())
        .use(cached({ cache, scope: null, tags: ({ input }) => [`Product:${input}`] }))
        .query(async ({ input }) => {
          const name = names.get(input) ?? 'old'
          await run(`product ${input}`)
          return name
        }),
      count: t.procedure.use(cached({ cache, scope: null, tags: ['Count'] })).query(() => run('count')),
      rename: renaming.mutation(({ input: { id, name } }) => {
        names.set(id, name)
        return { renamed: id, others: ['2', '3'] }
      }),
      fails: renaming.mutation(() => {
        throw new TRPCError({ code: 'CONFLICT', message: 'taken' })
      }),
      asks: renaming.query(() => 'asked'),
      ticks: renaming.subscription(async function* () {
        yield 'tick'
      }),
    })
  }
}

describe.each(STORES)('mutations that invalidate, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = async (tags?: Tags) => {
    const twins = await openTwins(shopWith(tags), { cache: PATIENT })
    return { ...twins, trace: traceOf(twins.a.cache, twins.b.cache) }
  }

  test('every answer on both servers is new, from the moment on that the mutation is answered', async () => {
    const { a, b } = await open()
    const [atA, atB] = [a.client(), b.client()]
    for (let round = 1; round <= 40; round++) {
      await Promise.all([atA.product.query('1'), atB.product.query('1')])
      const [from, other] = round % 2 === 0 ? [atA, atB] : [atB, atA]
      await from.rename.mutate({ id: '1', name: `round ${round}` })
      expect(await other.product.query('1')).toBe(`round ${round}`)
      expect(await from.product.query('1')).toBe(`round ${round}`)
    }
  })

  test('only what has the tags is gone', async () => {
    const { a, b, runs } = await open()
    const ask = (twin: typeof a) => {
      const client = twin.client()
      return Promise.all([client.product.query('1'), client.product.query('2'), client.count.query()])
    }
    await ask(a)
    await settled(a.cache, b.cache)
    const before = runs.length
    await b.client().rename.mutate({ id: '1', name: 'new' })
    expect((await ask(a))[0]).toBe('new')
    expect(runs.slice(before)).toEqual(['product 1'])
  })

  test('it is in a batch with queries, and with other mutations', async () => {
    const { a, b, runs } = await open()
    const ask = (id: string) => b.client().product.query(id)
    await Promise.all(['1', '2', '3'].map(ask))
    await settled(b.cache)
    const client = a.client({ link: 'batch' })
    await Promise.all([
      client.rename.mutate({ id: '1', name: 'one' }),
      client.product.query('3'),
      client.rename.mutate({ id: '2', name: 'two' }),
    ])
    expect(await Promise.all(['1', '2', '3'].map(ask))).toEqual(['one', 'two', 'old'])
    expect(runs).toHaveLength(5)
  })

  test('a query in flight during it is stored nowhere, and told to nobody who asks afterwards', async () => {
    const { a, b, gate, trace } = await open()
    gate.shut()
    const before = [a, a, b].map((twin) => twin.client().product.query('1'))
    await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
    await b.client().rename.mutate({ id: '1', name: 'new' })
    const after = [a, b].map((twin) => twin.client().product.query('1'))
    await trace.saw('follow', 3)
    gate.open()
    expect(await Promise.all(after)).toEqual(['new', 'new'])
    await Promise.all(before)
    await settled(a.cache, b.cache)
    for (const twin of [a, b]) expect(await twin.client().product.query('1')).toBe('new')
  })

  test('a mutation that fails, a query and a subscription invalidate nothing', async () => {
    const { a, b, trace } = await open()
    const client = a.client()
    await b.client().product.query('1')
    await settled(b.cache)
    const input = { id: '1', name: 'x' }
    await expect(client.fails.mutate(input)).rejects.toMatchObject({ data: { code: 'CONFLICT' } })
    await expect(client.rename.mutate({ id: '1' } as never)).rejects.toMatchObject({ data: { code: 'BAD_REQUEST' } })
    expect(await client.asks.query(input)).toBe('asked')
    const { url } = a
    const stream = await fetch(`${url}/ticks?input=${encodeURIComponent(JSON.stringify(input))}`, {
      headers: { accept: 'text/event-stream' },
    })
    expect(await stream.text()).toContain('data: "tick"')
    expect(trace.of('invalidate')).toEqual([])
    expect(trace.of('hit')).toHaveLength(0)
    await client.product.query('1')
    expect(trace.of('hit')).toHaveLength(1)
  })

  test.each([
    ['in front, where the change is known to be done', 'infront', 1],
    ['behind, where nothing is known of the change', 'behind', 0],
  ] as const)('an .output() that refuses what a mutation returned, %s', async (_where, path, invalidations) => {
    const { a } = await openTwins(({ cache }) => {
      const change = invalidates({ cache, tags: ['changed'] })
      const refuses = (): number => {
        throw new Error('of the output')
      }
      return t.router({
        infront: t.procedure
          .output(refuses)
          .use(change)
          .mutation(() => 1),
        behind: t.procedure
          .use(change)
          .output(refuses)
          .mutation(() => 1),
      })
    })
    await expect(a.client()[path].mutate()).rejects.toThrow('Output validation failed')
    expect(a.cache.stats().events.invalidate).toBe(invalidations)
  })

  test.each<[string, Tags, string[]]>([
    ['a list', ['Product:1', 'Count'], ['Product:1', 'Count']],
    ['a function of the input, as it was parsed', ({ input }) => [`Product:${input.id}`], ['Product:1']],
    ['a function of context and path', ({ ctx, path }) => [`${ctx.user} at ${path}`], ['ann at rename']],
    [
      'a function of the result',
      ({ data }) => (data as { others: string[] }).others.map((id) => `Product:${id}`),
      ['Product:2', 'Product:3'],
    ],
  ])('tags as %s', async (_what, tags, said) => {
    const { a, trace } = await open(tags)
    await a.client({ user: 'ann' }).rename.mutate({ id: 1, name: 'x' } as never)
    expect(trace.of('invalidate').filter(({ remote }) => !remote)).toMatchObject([{ keys: [], tags: said }])
  })

  test('no tags: nothing is sent', async () => {
    const { a, trace } = await open(() => [])
    expect(await a.client().rename.mutate({ id: '1', name: 'x' })).toMatchObject({ renamed: '1' })
    expect(trace.events).toEqual([])
  })

  test('a tag of a procedure takes all its answers', async () => {
    const { a, b, runs } = await open(['trpc:product', 'trpc:count'])
    const ask = () => Promise.all([b.client().product.query('7'), b.client().count.query()])
    await ask()
    await settled(b.cache)
    await a.client().rename.mutate({ id: '1', name: 'x' })
    await ask()
    expect(runs).toHaveLength(4)
  })

  test('a list is read when the middleware is made', async () => {
    const tags = ['Count']
    const { a, trace } = await open(tags)
    tags[0] = 'Later'
    await a.client().rename.mutate({ id: '1', name: 'x' })
    expect(trace.of('invalidate')[0]).toMatchObject({ tags: ['Count'] })
  })

  test.each<[string, unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
      /^no idea$/,
    ],
    ['returns a promise', async () => ['Count'], /tags returned a promise: it must answer at once/],
    ['returns a promise that rejects', () => Promise.reject(new Error('late')), /tags returned a promise/],
    ['returns nothing', () => undefined, /^tags must be an array of strings, got undefined$/],
    ['returns null', () => null, /^tags must be an array of strings, got null$/],
    ['returns a text', () => 'Count', /^tags must be an array of strings, got string$/],
    ['returns an empty text', () => '', /^tags must be an array of strings, got string$/],
    ['returns numbers', () => [7], /^tags\[0\] must be a string, got number$/],
    ['returns half a letter', () => ['\ud83d'], /^tags\[0\] is not well-formed Unicode/],
  ])('a function that %s: the mutation is answered, and a policyError says why', async (_what, tags, message) => {
    const { a, trace } = await open(tags as Tags)
    expect(await a.client().rename.mutate({ id: '1', name: 'x' })).toMatchObject({ renamed: '1' })
    const error = expect.objectContaining({ message: expect.stringMatching(message) })
    expect(trace.events).toEqual([{ type: 'policyError', key: 'rename', option: 'tags', error }])
  })
})
