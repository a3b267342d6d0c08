import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CachedOptions, cached } from '../../../src/adapters/trpc/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, type Twins, t, useTwins } from './twins.ts'

const Id = z.object({ id: z.coerce.string() })
type Tags = CachedOptions<Context, { id: string }>['tags']

const shopWith =
  (tags: Tags) =>
  ({ cache, run }: Bench) =>
    t.router({
      product: t.router({
        byId: t.procedure
          .input(Id)
          .use(cached({ cache, scope: null, tags }))
          .query(async ({ input }) => ({ id: input.id, maker: `Maker:${input.id}`, by: await run(input.id) })),
      }),
      other: t.procedure.use(cached({ cache, scope: null, tags: ['Other'] })).query(() => run('other')),
    })

type Shop = ReturnType<ReturnType<typeof shopWith>>

describe.each(STORES)('the tags of tRPC answers, over $name', ({ make }) => {
  const open = useTwins(make)

  /** Of the groups of tags those that take the answer for product 1 away from the first, invalidated at the second. */
  async function removing({ a, b, runs }: Twins<Shop>, groups: readonly (readonly string[])[]): Promise<string[]> {
    const ask = async () => {
      await a.client({ user: 'ann' }).product.byId.query({ id: '1' })
      await settled(a.cache, b.cache)
    }
    await ask()
    const removed: string[] = []
    for (const tags of groups) {
      const before = runs.length
      await b.cache.invalidate({ tags })
      await ask()
      if (runs.length > before) removed.push(tags.join())
    }
    return removed
  }

  test.each<[string, Tags, string[]]>([
    ['none', undefined, []],
    ['an empty list', [], []],
    ['a list', ['Product', 'All products'], ['Product', 'All products']],
    ['a function of the input', ({ input }) => [`Product:${input.id}`], ['Product:1']],
    ['a function of the context', ({ ctx }) => [`User:${ctx.user}`], ['User:ann']],
    ['a function of the path', ({ path }) => [`at ${path}`], ['at product.byId']],
    ['a function of the answer', ({ data }) => [(data as { maker: string }).maker], ['Maker:1']],
    ['a function that gives none', () => [], []],
  ])('%s: each takes the answer away, and so does the path’s', async (_what, tags, named) => {
    const twins = await open(shopWith(tags), { cache: PATIENT })
    const others = ['Product:2', 'User:bob', 'Other', 'trpc:product', 'trpc:other', 'product.byId', 'P', 'Maker:2']
    const groups = [...named, 'trpc:product.byId', ...others].map((tag) => [tag])
    expect(await removing(twins, groups)).toEqual([...named, 'trpc:product.byId'])
  })

  test('the tag of a path takes the answers to all inputs, of all users, and of no other path', async () => {
    const { a, b, runs } = await open(shopWith([]), { cache: PATIENT })
    const ask = (twin: typeof a) => {
      const client = twin.client()
      return Promise.all([
        client.product.byId.query({ id: '1' }),
        client.product.byId.query({ id: '2' }),
        client.other.query(),
      ])
    }
    const [one, two, other] = await ask(a)
    await settled(a.cache)
    expect(await ask(b)).toEqual([one, two, other])
    await b.cache.invalidate({ tags: ['trpc:product.byId'] })
    const again = await ask(a)
    expect(again[2]).toBe(other)
    expect(again[0]).not.toEqual(one)
    expect(again[1]).not.toEqual(two)
    expect(runs).toHaveLength(5)
  })

  test('a list is read when the middleware is made: what becomes of it later does not count', async () => {
    const tags = ['Product']
    const twins = await open(shopWith(tags), { cache: PATIENT })
    tags.splice(0, 1, 'Later')
    expect(await removing(twins, [['Product'], ['Later']])).toEqual(['Product'])
  })

  test.each<[string, unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no maker')
      },
      /^no maker$/,
    ],
    ['returns a promise', async () => ['Product'], /tags returned a promise: it must answer at once/],
    ['returns a promise that rejects', () => Promise.reject(new Error('late')), /tags returned a promise/],
    ['returns nothing', () => undefined, /tags must be an array of strings, got undefined/],
    ['returns null', () => null, /tags must be an array of strings, got null/],
    ['returns a text', () => 'Product', /tags must be an array of strings, got string/],
    ['returns a set', () => new Set(['Product']), /tags must be an array of strings, got object/],
    ['returns numbers', () => [1], /tags\[\d\] must be a string, got number/],
    ['returns half a letter', () => ['\ud83d'], /tags\[\d\] is not well-formed Unicode/],
  ])('a function that %s: answered, not kept, and a policyError says why', async (_what, tags, message) => {
    const { a, b, runs } = await open(shopWith(tags as Tags), { cache: PATIENT })
    const trace = traceOf(a.cache, b.cache)
    for (const twin of [a, b, a]) {
      expect(await twin.client().product.byId.query({ id: '1' })).toMatchObject({ id: '1' })
      await settled(a.cache, b.cache)
    }
    expect(runs).toHaveLength(3)
    expect(trace.of('policyError').map(({ option, error }) => [option, (error as Error).message])).toEqual(
      Array.from({ length: 3 }, () => ['tags', expect.stringMatching(message)]),
    )
  })

  test('more tags than maxTags: answered and not kept', async () => {
    const { a, runs } = await open(shopWith(['Product', 'All']), { cache: { ...PATIENT, maxTags: 2 } })
    const trace = traceOf(a.cache)
    for (const _ of [1, 2]) {
      await a.client().product.byId.query({ id: '1' })
      await settled(a.cache)
    }
    expect(runs).toHaveLength(2)
    expect(trace.of('uncacheable')).toMatchObject([{ reason: '3 tags are more than maxTags (2)' }])
  })
})
