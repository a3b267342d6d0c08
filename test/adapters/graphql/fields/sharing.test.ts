import { type GraphQLResolveInfo, graphql } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { type RedisServer, startRedis } from '../../../redis/server.ts'
import { type FieldContext, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

const session = ({ user }: FieldContext) => user

const options: FieldTownOptions = {
  typeDefs: `
    type Item { id: ID, price: String! @cached(maxAge: 60, scope: PUBLIC) }
    type Query {
      slow: String! @cached(maxAge: 60, scope: PUBLIC)
      mine: String! @cached(maxAge: 60, scope: PRIVATE)
      other: String!
      items: [Item!]!
      item: Item!
    }
    type Mutation { change: Item! }
    type Subscription { changes: Item! }`,
  resolvers: ({ run }) => ({
    Query: {
      slow: async () => `slow ${await run('slow')}`,
      mine: async () => `mine ${await run('mine')}`,
      other: () => 'other',
      items: () => [{ id: 1 }, { id: 2 }, {}, { id: 1 }],
      item: () => ({ id: 1 }),
    },
    Item: { price: async () => `price ${await run('price')}` },
    Mutation: { change: () => ({ id: 1 }) },
    Subscription: {
      changes: {
        async *subscribe() {
          yield { changes: { id: 1 } }
          yield { changes: { id: 1 } }
        },
      },
    },
  }),
  fields: { session },
}

test('20 requests at once to two servers run the resolver once', async () => {
  const town = await open(options)
  town.gate.shut()
  const queries = ['{ slow }', 'query Named { slow }', '{ other slow }', '{ slow __typename }']
  const asking = Array.from({ length: 20 }, (_, i) => {
    const site = town.sites[(i % 2) as 0 | 1]
    return site.ask(queries[i % queries.length] as string)
  })
  await Promise.all([town.gate.holds(1), town.trace.saw('join', 18), town.trace.saw('follow')])
  town.gate.open()
  const answers = await Promise.all(asking)
  expect(answers.map(({ data }) => data?.slow)).toEqual(answers.map(() => 'slow 1'))
  expect(town.runs).toEqual(['slow'])
  const came = answers.map(({ came }) => came?.['Query.slow'])
  expect(came.filter((one) => one?.led === 1)).toHaveLength(1)
  expect(came.filter((one) => one?.followed === 1)).toHaveLength(19)
  expect(town.trace.of('lead')).toHaveLength(1)
})

test('an operation that asks for a value twice resolves it once', async () => {
  const town = await open(options)
  const { data, came } = await town.ask(0, '{ a: slow b: slow c: slow }')
  expect(data).toEqual({ a: 'slow 1', b: 'slow 1', c: 'slow 1' })
  expect(came).toEqual({ 'Query.slow': { led: 1, followed: 2 } })
})

describe('metadata', () => {
  test('counts by coordinate where values came from', async () => {
    const town = await open(options)
    expect((await town.ask(0, '{ other }')).came).toEqual({})
    expect((await town.ask(0, '{ mine item { price } }')).came).toEqual({
      'Query.mine': { uncached: 1 },
      'Item.price': { led: 1 },
    })
    expect((await town.ask(1, '{ mine items { price } }', { user: 'ann' })).came).toEqual({
      'Query.mine': { led: 1 },
      'Item.price': { hit: 2, led: 1, uncached: 1 },
    })
  })

  test('is not there unless it is wanted', async () => {
    const town = await open({ ...options, fields: { session, includeExtensionMetadata: false } })
    expect(JSON.parse((await town.ask(0, '{ slow }')).text)).toEqual({ data: { slow: 'slow 1' } })
  })
})

test('what a mutation or subscription gives is resolved, and stays as it is in the store', async () => {
  const town = await open(options)
  const query = '{ item { price } }'
  await town.ask(0, query)
  for (const count of [2, 3]) {
    const { data, came } = await town.ask(1, 'mutation { change { price } }')
    expect([data, came]).toEqual([{ change: { price: `price ${count}` } }, { 'Item.price': { uncached: 1 } }])
  }
  const response = await fetch(`${town.sites[1].url}/graphql?query=subscription{changes{price}}`, {
    headers: { accept: 'text/event-stream' },
  })
  expect((await response.text()).match(/price \d/g)).toEqual(['price 4', 'price 5'])
  expect((await town.ask(1, query)).data).toEqual({ item: { price: 'price 1' } })
})

describe('a field whose resolver executes an operation', () => {
  const inner =
    (document: string) => async (_parent: unknown, _args: unknown, contextValue: unknown, info: GraphQLResolveInfo) => {
      const { data, errors } = await graphql({ schema: info.schema, source: document, contextValue })
      if (errors?.[0] !== undefined) throw errors[0]
      return JSON.stringify(data)
    }
  const nested: FieldTownOptions = {
    typeDefs: `
      type Query {
        outer: String! @cached(maxAge: 60, scope: PUBLIC)
        inner: String! @cached(maxAge: 5, scope: PUBLIC, tags: ["inner"])
        hinted: String!
        ofPrivate: String! @cached(maxAge: 60, scope: PUBLIC)
        mine: String! @cached(maxAge: 60, scope: PRIVATE)
        itself: String! @cached(maxAge: 60, scope: PUBLIC)
        ring(at: Int!): String! @cached(maxAge: 60, scope: PUBLIC)
      }`,
    resolvers: ({ run }) => ({
      Query: {
        outer: inner('{ inner hinted }'),
        inner: async () => `inner ${await run('inner')}`,
        hinted(_parent: unknown, _args: unknown, _context: unknown, info: GraphQLResolveInfo) {
          setCacheHint(info, { maxAge: 50 })
          return 'hinted'
        },
        ofPrivate: inner('{ mine }'),
        mine: async (_parent: unknown, _args: unknown, { user }: FieldContext) =>
          `mine ${await run('mine')} of ${user}`,
        async itself(_parent: unknown, _args: unknown, context: unknown, info: GraphQLResolveInfo) {
          const count = await run('itself')
          return count > 1 ? 'inside' : inner('{ itself }')(_parent, _args, context, info)
        },
        async ring(_parent: unknown, { at }: { at: number }, context: object, info: GraphQLResolveInfo) {
          await run('ring')
          if ('inside' in context) return `inside ${at}`
          return inner(`{ ring(at: ${3 - at}) }`)(_parent, {}, { ...context, inside: true }, info)
        },
      },
    }),
    fields: { session },
  }

  test('has the tags of what it is made of, and is no fresher', async () => {
    const town = await open(nested)
    const { data } = await town.hit('{ outer }')
    expect(data).toEqual({ outer: '{"inner":"inner 1","hinted":"hinted"}' })
    await town.sites[1].cache.invalidate({ tags: ['inner'] })
    await town.trace.saw('invalidate', 2)
    expect((await town.ask(0, '{ outer }')).data).toEqual({ outer: '{"inner":"inner 2","hinted":"hinted"}' })
    const key = town.trace.of('publish').find(({ key }) => key.includes('Query.outer'))?.key ?? '""'
    const entry = await town.sites[0].cache.entry(JSON.parse(key))
    expect(entry?.tags).toEqual(['field:Query.outer', 'field:Query.inner', 'inner'])
    expect(entry?.ttl).toBeLessThanOrEqual(5000)
  })

  test('is for nobody else where something of it is private', async () => {
    const town = await open(nested)
    for (const [site, user, count] of [
      [0, 'ann', 1],
      [1, 'bob', 2],
      // It is known by now that nobody waits for it: what is private of it is had from the cache.
      [1, 'ann', 3],
      [0, 'ann', 3],
    ] as const) {
      const { data } = await town.ask(site, '{ ofPrivate }', { user })
      expect(data).toEqual({ ofPrivate: `{"mine":"mine ${count} of ${user}"}` })
    }
    expect(town.trace.of('publish').some(({ key }) => key.includes('ofPrivate'))).toBe(false)
  })

  test('does not wait for itself', async () => {
    const town = await open(nested)
    expect((await town.ask(0, '{ itself }')).data).toEqual({ itself: '{"itself":"inside"}' })
    expect(town.runs).toHaveLength(2)
  })

  test.each([
    ['one server', 0],
    ['two servers', 1],
  ] as const)('does not wait for one that waits for it, at %s', async (_name, other) => {
    const town = await open(nested)
    town.gate.shut()
    const asking = [town.sites[0].ask('{ ring(at: 1) }'), town.sites[other].ask('{ ring(at: 2) }')]
    await town.gate.holds(2)
    town.gate.open()
    expect((await Promise.all(asking)).map(({ data }) => data)).toEqual([
      { ring: '{"ring":"inside 2"}' },
      { ring: '{"ring":"inside 1"}' },
    ])
    expect([town.trace.of('follow'), town.trace.of('join')]).toEqual([[], []])
  })

  test('has what is stored of it', async () => {
    const town = await open(nested)
    await town.ask(0, '{ ring(at: 2) inner }')
    expect((await town.ask(1, '{ outer ring(at: 1) }')).data).toEqual({
      outer: '{"inner":"inner 2","hinted":"hinted"}',
      ring: '{"ring":"{\\"ring\\":\\"inside 1\\"}"}',
    })
  })
})

test('a cache that is switched off, or closed, resolves', async () => {
  let enabled = true
  const town = await open({ ...options, cache: { enabled: () => enabled } })
  await town.ask(0, '{ slow }')
  enabled = false
  expect((await town.ask(1, '{ slow }')).came).toEqual({ 'Query.slow': { uncached: 1 } })
  enabled = true
  expect((await town.ask(1, '{ slow }')).came).toEqual({ 'Query.slow': { hit: 1 } })
  await town.sites[1].cache.close()
  const { data, errors } = await town.sites[1].ask('{ slow }')
  expect([data, errors]).toEqual([{ slow: 'slow 3' }, undefined])
})

describe('while Redis is away', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  test('fields are resolved, once at each server at a time, and shared again when it is back', async () => {
    const town = await open({ ...options, redis: redis.url, cache: { breaker: { retryAfter: 1 } } })
    await town.ask(0, '{ slow items { price } }')
    await redis.kill()
    town.runs.splice(0)
    const joined = town.trace.of('join').length

    town.gate.shut()
    const asking = [0, 0, 0, 1, 1, 1].map((site) => town.sites[site as 0 | 1].ask('{ slow items { price } }'))
    // At each server one run for each of three keys, and one by each request for the item without; the others wait for those.
    await Promise.all([town.gate.holds(12), town.trace.saw('join', joined + 18)])
    town.gate.open()
    for (const { data, errors } of await Promise.all(asking)) {
      expect(errors).toBeUndefined()
      expect(data).toEqual({
        slow: expect.stringMatching(/^slow \d+$/),
        items: Array.from({ length: 4 }, () => ({ price: expect.stringMatching(/^price \d+$/) })),
      })
    }
    expect(town.runs).toHaveLength(12)
    expect(town.trace.of('storeFault').length).toBeGreaterThan(0)

    await redis.restart()
    let came: unknown
    while (JSON.stringify(came) !== '{"Query.slow":{"hit":1}}') {
      await town.sites[0].ask('{ slow }')
      came = (await town.sites[1].ask('{ slow }')).came
    }
  })
})
