import { type GraphQLResolveInfo, graphql } from 'graphql'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { aged, lastKey, REVALIDATED, untilStale } from './aging.ts'
import { type FieldContext, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

const unhandled: unknown[] = []
const note = (error: unknown) => void unhandled.push(error)
beforeEach(() => void process.on('unhandledRejection', note))
afterEach(() => {
  process.off('unhandledRejection', note)
  expect(unhandled.splice(0)).toEqual([])
})

const options: FieldTownOptions = {
  typeDefs: `
    type Item { id: ID, price(in: String): String! @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC) }
    type Query {
      it: String @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC, tags: ["it"])
      mine: String @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PRIVATE)
      made: String! @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC)
      ofIt: String! @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC)
      item: Item!
      slow: String!
    }`,
  resolvers: ({ run }) => ({
    Query: {
      it: async () => `it ${await run('it')}`,
      mine: async (_parent: unknown, _args: unknown, { user }: FieldContext) => `mine ${await run('mine')} of ${user}`,
      made: {
        extensions: {
          cached: { serialize: (value: string) => [value], revive: ([value]: string[]) => `${value}, revived` },
        },
        resolve: async () => `made ${await run('made')}`,
      },
      async ofIt(_parent: unknown, _args: unknown, contextValue: unknown, { schema }: GraphQLResolveInfo) {
        return String((await graphql({ schema, source: '{ it }', contextValue })).data?.it)
      },
      item: () => ({ id: 7 }),
      slow: async () => `slow ${await run('slow')}`,
    },
    Item: {
      price: async ({ id }: { id: number }, args: { in: string }, { language }: FieldContext) =>
        `${id} costs ${await run('price')} ${args.in}, in ${language}`,
    },
  }),
  fields: { session: ({ user }) => user },
}

describe('a value that is not fresh any more', () => {
  test('is answered at once by all, while one of them resolves it anew', async () => {
    const town = await open(options)
    await town.ask(0, '{ it }')
    await aged(town, REVALIDATED)
    town.gate.shut()
    for (const site of [1, 0, 1, 0] as const) {
      const { data, errors, came } = await town.sites[site].ask('{ it }')
      expect([data, errors, came]).toEqual([{ it: 'it 1' }, undefined, { 'Query.it': { stale: 1 } }])
    }
    await town.gate.holds(1)
    expect(town.runs).toEqual(['it', 'it'])
    town.gate.open()
    await town.trace.saw('publish', 2)
    for (const site of [0, 1] as const) {
      const { data, came } = await town.ask(site, '{ it }')
      expect([data, came]).toEqual([{ it: 'it 2' }, { 'Query.it': { hit: 1 } }])
    }
    expect([town.runs.length, town.trace.of('lead').length]).toEqual([2, 2])
    expect(town.trace.of('stale').map(({ reason }) => reason)).toEqual(Array(4).fill('revalidating'))
  })

  test('is resolved anew for the parent, the arguments and the context of who found it', async () => {
    const town = await open(options)
    const query = '{ item { price(in: "EUR") } }'
    await town.ask(0, query, { language: 'de' })
    await aged(town, REVALIDATED)
    const { data } = await town.ask(1, query, { language: 'fr' })
    expect(data).toEqual({ item: { price: '7 costs 1 EUR, in de' } })
    await town.trace.saw('publish', 2)
    expect((await town.ask(0, query, { language: 'es' })).data).toEqual({ item: { price: '7 costs 2 EUR, in fr' } })
  })

  test('is of nobody else where it is of a session', async () => {
    const town = await open(options)
    for (const user of ['ann', 'bob']) await town.ask(0, '{ mine }', { user })
    await aged(town, REVALIDATED)
    expect((await town.ask(1, '{ mine }', { user: 'ann' })).came).toEqual({ 'Query.mine': { hit: 1 } })
    const { data, came } = await town.ask(1, '{ mine }', { user: 'bob' })
    expect([data, came]).toEqual([{ mine: 'mine 2 of bob' }, { 'Query.mine': { stale: 1 } }])
    await town.trace.saw('publish', 3)
    expect((await town.ask(0, '{ mine }', { user: 'bob' })).data).toEqual({ mine: 'mine 3 of bob' })
  })

  test('is revived as a fresh one is', async () => {
    const town = await open(options)
    await town.ask(0, '{ made }')
    await aged(town, REVALIDATED)
    const { data, came } = await town.ask(1, '{ made }')
    expect([data, came]).toEqual([{ made: 'made 1, revived' }, { 'Query.made': { stale: 1 } }])
  })

  test('is removed by its tags as a fresh one is', async () => {
    const town = await open(options)
    await town.ask(0, '{ it }')
    await aged(town, REVALIDATED)
    await town.sites[1].cache.invalidate({ tags: ['it'] })
    await town.trace.saw('invalidate', 2)
    const { data, came } = await town.ask(0, '{ it }')
    expect([data, came]).toEqual([{ it: 'it 2' }, { 'Query.it': { led: 1 } }])
  })

  test('is taken by the resolver of another while it is resolved anew, and that is not stored', async () => {
    const town = await open(options)
    await town.ask(0, '{ it }')
    await aged(town, REVALIDATED)
    town.gate.shut()
    await town.sites[0].ask('{ it }')
    await town.gate.holds(1)
    const { data, came } = await town.ask(0, '{ ofIt }')
    expect([data, came]).toEqual([{ ofIt: 'it 1' }, { 'Query.it': { stale: 1 }, 'Query.ofIt': { uncached: 1 } }])
    town.gate.open()
    await town.trace.saw('publish', 2)
    expect((await town.ask(0, '{ ofIt }')).data).toEqual({ ofIt: 'it 2' })
    expect((await town.ask(1, '{ ofIt }')).came).toEqual({ 'Query.ofIt': { hit: 1 } })
  })
})

describe('for how long it is so is said', () => {
  const cached = { maxAge: 0.05, scope: 'PUBLIC' }
  const SAID: readonly [name: string, cached: object, more: Partial<FieldTownOptions>][] = [
    ['by the field', { ...cached, staleWhileRevalidate: 600 }, { fields: { staleWhileRevalidate: 0 } }],
    ['else by the options', cached, { fields: { staleWhileRevalidate: 600_000 }, cache: { staleWhileRevalidate: 0 } }],
    ['else by the cache', cached, { cache: { staleWhileRevalidate: 600_000 } }],
  ]
  test.each(SAID)('%s', async (_name, said, more) => {
    const resolvers: FieldTownOptions['resolvers'] = ({ run }) => ({
      Query: { brief: { extensions: { cached: said }, resolve: async () => `brief ${await run('brief')}` } },
    })
    const town = await open({ typeDefs: 'type Query { brief: String! }', resolvers, ...more })
    await town.ask(0, '{ brief }')
    await untilStale(town)
    const { data, came } = await town.ask(1, '{ brief }')
    expect([data, came]).toEqual([{ brief: 'brief 1' }, { 'Query.brief': { stale: 1 } }])
    await town.trace.saw('publish', 2)
  })

  test('in seconds by the directive', async () => {
    const typeDefs = 'type Query { brief: String! @cached(maxAge: 1, staleWhileRevalidate: 600, scope: PUBLIC) }'
    const town = await open({
      typeDefs,
      resolvers: ({ run }) => ({ Query: { brief: async () => `brief ${await run('brief')}` } }),
    })
    await town.ask(0, '{ brief }')
    await expect
      .poll(async () => town.sites[0].cache.entry(lastKey(town)), { timeout: 5000 })
      .toMatchObject({
        age: expect.toSatisfy((age: number) => age > 1000),
      })
    expect((await town.ask(1, '{ brief }')).came).toEqual({ 'Query.brief': { stale: 1 } })
    await town.trace.saw('publish', 2)
  })
})

describe('what is resolved behind an answer', () => {
  test('may fail: that is an event, and what is stored is answered as before', async () => {
    const failure = new Error('no more')
    const town = await open({
      typeDefs: options.typeDefs,
      resolvers: ({ run }) => ({
        Query: {
          async it() {
            if ((await run('it')) > 1) throw failure
            return 'it 1'
          },
        },
      }),
      fields: options.fields ?? {},
    })
    await town.ask(0, '{ it }')
    await aged(town, REVALIDATED)
    for (let asks = 0; asks < 6; asks++) {
      const { data, errors, came } = await town.ask(0, '{ it }')
      expect([data, errors, came]).toEqual([{ it: 'it 1' }, undefined, { 'Query.it': { stale: 1 } }])
      await town.trace.saw('loaderError')
    }
    // It is not tried again for each of them.
    expect(town.runs.length).toBeLessThan(1 + 4)
    expect(town.trace.of('loaderError')).toHaveLength(town.runs.length - 1)
    expect(town.trace.of('loaderError')[0]?.error).toBe(failure)
  })

  test('counts nothing for that answer', async () => {
    const town = await open(options)
    for (const query of ['{ it }', '{ ofIt }']) await town.ask(0, query)
    await aged(town, REVALIDATED)
    town.gate.shut()
    const asking = town.sites[1].ask('{ ofIt slow }')
    await town.gate.holds(1)
    // Its resolver has asked for `it` in the course of that request, which is not at its end yet.
    await town.trace.saw('publish', 3)
    town.gate.open()
    const { data, came } = await asking
    expect([data, came]).toEqual([{ ofIt: 'it 1', slow: 'slow 2' }, { 'Query.ofIt': { stale: 1 } }])
  })

  test('may turn out to be of one session: it is not stored, and takes the one for all with it', async () => {
    const town = await open({
      typeDefs: options.typeDefs,
      resolvers: ({ run }) => ({
        Query: {
          async it(_parent: unknown, _args: unknown, { user }: FieldContext, info: Parameters<typeof setCacheHint>[0]) {
            const count = await run('it')
            if (count > 1) setCacheHint(info, { scope: 'PRIVATE' })
            return `it ${count} of ${user}`
          },
        },
      }),
      fields: options.fields ?? {},
    })
    await town.ask(0, '{ it }', { user: 'ann' })
    await aged(town, REVALIDATED)
    expect((await town.ask(1, '{ it }', { user: 'bob' })).data).toEqual({ it: 'it 1 of ann' })
    await vi.waitFor(async () => {
      expect((await town.ask(1, '{ it }', { user: 'cid' })).data?.it).toMatch(/^it [3-9] of cid$/)
    })
    expect(town.trace.of('publish')).toHaveLength(1)
  })

  test('may be a list in which one member fails: that is not stored', async () => {
    const town = await open({
      typeDefs: 'type Query { list: [String] @cached(maxAge: 60, scope: PUBLIC) }',
      resolvers: ({ run }) => ({
        Query: {
          async list() {
            const count = await run('list')
            return ['a', count > 1 ? Promise.reject(new Error('no b')) : 'b']
          },
        },
      }),
    })
    await town.ask(0, '{ list }')
    await aged(town, REVALIDATED)
    const { data, errors } = await town.ask(1, '{ list }')
    expect([data, errors]).toEqual([{ list: ['a', 'b'] }, undefined])
    await town.trace.saw('loaderError')
    expect(town.trace.of('publish')).toHaveLength(1)
  })
})

describe('with a memory tier', () => {
  const remembering: FieldTownOptions = { ...options, cache: { memory: {} } }

  test('a value is answered from memory, until its tag is invalidated elsewhere', async () => {
    const town = await open(remembering)
    await town.ask(0, '{ it }')
    const hits = () => town.trace.of('memoryHit').length
    const { data, came } = await town.ask(0, '{ it }')
    expect([data, came, hits()]).toEqual([{ it: 'it 1' }, { 'Query.it': { hit: 1 } }, 1])
    await town.sites[1].cache.invalidate({ tags: ['it'] })
    await town.trace.saw('invalidate', 2)
    expect((await town.ask(0, '{ it }')).data).toEqual({ it: 'it 2' })
  })

  test('one that is not fresh any more is answered at once, and memory has the new one then', async () => {
    const town = await open(remembering)
    await town.ask(0, '{ made }')
    await aged(town, REVALIDATED)
    const { data, came } = await town.ask(0, '{ made }')
    expect([data, came]).toEqual([{ made: 'made 1, revived' }, { 'Query.made': { stale: 1 } }])
    await town.trace.saw('publish', 2)
    for (let asks = 1; asks <= 2; asks++) {
      expect((await town.ask(0, '{ made }')).data).toEqual({ made: 'made 2, revived' })
    }
    expect(town.trace.of('memoryHit').length).toBeGreaterThan(0)
  })
})

test('with earlyRefresh a fresh value is resolved anew before its end', async () => {
  const town = await open({ ...options, fields: { ...options.fields, earlyRefresh: { beta: 1000 } } })
  town.gate.shut()
  const asking = town.ask(0, '{ it }')
  await town.gate.holds(1)
  const heldAt = performance.now()
  // With the time that it takes.
  await expect.poll(() => performance.now() - heldAt).toBeGreaterThan(5)
  town.gate.open()
  await asking
  // The chance that decides whether this caller is early enough.
  const random = vi.spyOn(Math, 'random').mockReturnValue(1e-300)
  const { data, came } = await town.ask(1, '{ it }')
  random.mockRestore()
  expect([data, came]).toEqual([{ it: 'it 1' }, { 'Query.it': { hit: 1 } }])
  await town.trace.saw('publish', 2)
  expect((await town.ask(0, '{ it }')).data).toEqual({ it: 'it 2' })
})

test('with jitter values end earlier, by chance', async () => {
  const town = await open({ ...options, fields: { ...options.fields, jitter: 0.5 } })
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
  await town.ask(0, '{ it }')
  random.mockRestore()
  const { ttl = 0, age = 0 } = (await town.sites[0].cache.entry(lastKey(town))) ?? {}
  expect(ttl + age).toBe(45_000)
})
