import { type GraphQLResolveInfo, graphql } from 'graphql'
import { describe, expect, test } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { type Asking, type FieldContext, type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

/** Of both servers. */
const book = { id: 7, title: 'x' }

type Info = Parameters<typeof setCacheHint>[0]

const options: FieldTownOptions = {
  typeDefs: `
    type Book { id: ID!, title: String!, reviews: [String!]! @cached(maxAge: 30, scope: PUBLIC, tags: ["reviews of {parent.id}"]) }
    type Query {
      rates: String! @cached(maxAge: 60, scope: PUBLIC, tags: ["rates"])
      mine: String! @cached(maxAge: 60, scope: PRIVATE)
      hinted(maxAge: Float, scope: String): String! @cached(maxAge: 60, scope: PUBLIC)
      policy: String! @cached(maxAge: 60, scope: PUBLIC) @cacheControl(maxAge: 20)
      long: String! @cached(maxAge: 20, scope: PUBLIC) @cacheControl(maxAge: 500)
      untold: String! @cached(maxAge: 60, scope: PUBLIC)
      fails: String @cached(maxAge: 60, scope: PRIVATE)
      plain: String!
      book: Book
      ofRates: String! @cached(maxAge: 60, scope: PUBLIC)
      unfit: Box! @cached(maxAge: 5, scope: PUBLIC)
    }
    type Box { width: Int! }
    type Mutation { rename(title: String!): Book }`,
  resolvers: ({ run }) => {
    const field = (name: string) => async () => `${name} ${await run(name)}`
    return {
      Query: {
        rates: field('rates'),
        policy: field('policy'),
        long: field('long'),
        untold: {
          extensions: {
            cached: {
              tags: () => {
                throw new Error('no tags')
              },
            },
          },
          resolve: field('untold'),
        },
        mine: async (_parent: unknown, _args: unknown, { user }: FieldContext) =>
          `mine ${await run('mine')} of ${user}`,
        async hinted(
          _parent: unknown,
          { maxAge, scope }: { maxAge?: number; scope?: 'PRIVATE' },
          { user }: FieldContext,
          info: Info,
        ) {
          setCacheHint(info, { ...(maxAge === undefined ? {} : { maxAge }), ...(scope === undefined ? {} : { scope }) })
          return `hinted ${await run('hinted')} of ${user}`
        },
        async fails(_parent: unknown, _args: unknown, { user }: FieldContext) {
          await run('fails')
          throw new Error(`secret of ${user}`)
        },
        plain: field('plain'),
        book: () => book,
        async ofRates(_parent: unknown, _args: unknown, contextValue: unknown, info: GraphQLResolveInfo) {
          const { data } = await graphql({ schema: info.schema, source: '{ rates }', contextValue })
          return String(data?.rates)
        },
        unfit: () =>
          new (class Box {
            readonly width = 1
          })(),
      },
      Book: { reviews: async () => [`review ${await run('reviews')}`] },
      Mutation: { rename: (_parent: unknown, { title }: { title: string }) => ({ ...book, title }) },
    }
  },
  fields: { session: ({ user }) => user },
  responses: {},
}

interface Said {
  readonly hit: boolean
  readonly didCache?: boolean
  readonly ttl?: number
}

/** What the cache of whole responses says of an answer. */
async function asked(town: FieldTown, site: 0 | 1, query: string, asking?: Asking) {
  const answer = await town.ask(site, query, asking)
  const { extensions } = JSON.parse(answer.text) as { extensions: { responseCache: Said } }
  return { ...answer, ...extensions.responseCache }
}

describe('a response that has the value of a cached field', () => {
  test.each(['rates', 'field:Query.rates'])('has its tag %s: one invalidation is of both', async (tag) => {
    const town = await open(options)
    await town.ask(0, '{ rates plain }')
    expect(await asked(town, 1, '{ rates plain }')).toMatchObject({ hit: true })
    await town.sites[1].cache.invalidate({ tags: [tag] })
    await town.trace.saw('invalidate', 2)
    const { hit, data } = await asked(town, 0, '{ rates plain }')
    expect([hit, data]).toEqual([false, { plain: 'plain 3', rates: 'rates 4' }])
  })

  test('has its tags also where the value was stored before, or is resolved for another request', async () => {
    const town = await open(options)
    await town.ask(0, '{ rates }')
    expect(await asked(town, 1, '{ a: rates }')).toMatchObject({ hit: false, came: { 'Query.rates': { hit: 1 } } })
    await town.sites[0].cache.invalidate({ tags: ['rates'] })
    await town.trace.saw('invalidate', 2)
    expect(await asked(town, 1, '{ a: rates }')).toMatchObject({ hit: false, data: { a: 'rates 2' } })

    await town.sites[0].cache.invalidate({ tags: ['rates'] })
    await town.trace.saw('invalidate', 4)
    town.gate.shut()
    const leading = town.ask(0, '{ rates }')
    await town.gate.holds(1)
    const following = town.ask(1, '{ a: rates }')
    await town.trace.saw('follow')
    town.gate.open()
    const [{ data }, { came }] = await Promise.all([leading, following])
    expect([data, came]).toEqual([{ rates: 'rates 3' }, { 'Query.rates': { followed: 1 } }])
    await town.sites[0].cache.invalidate({ tags: ['rates'] })
    await town.trace.saw('invalidate', 6)
    expect(await asked(town, 0, '{ a: rates }')).toMatchObject({ hit: false, data: { a: 'rates 4' } })
  })

  test('has the tags of what a stored one is made of', async () => {
    const town = await open(options)
    await town.ask(0, '{ ofRates }')
    expect(await asked(town, 1, '{ a: ofRates }')).toMatchObject({
      didCache: true,
      came: { 'Query.ofRates': { hit: 1 } },
    })
    await town.sites[1].cache.invalidate({ tags: ['rates'] })
    await town.trace.saw('invalidate', 2)
    expect(await asked(town, 0, '{ a: ofRates }')).toMatchObject({ hit: false, data: { a: 'rates 2' } })
  })

  test('has the tags of fields of its objects', async () => {
    const town = await open(options)
    const query = '{ book { title reviews } }'
    await town.ask(0, query)
    await town.sites[1].cache.invalidate({ tags: ['reviews of 7'] })
    await town.trace.saw('invalidate', 2)
    expect(await asked(town, 0, query)).toMatchObject({ hit: false, came: { 'Book.reviews': { led: 1 } } })
  })

  test.each<[query: string, ttl: number]>([
    ['{ plain }', 600_000],
    ['{ rates }', 60_000],
    ['{ rates plain book { reviews } }', 30_000],
    ['{ hinted(maxAge: 5) }', 5000],
    ['{ hinted(maxAge: 1.5) rates }', 1500],
    // What a resolver says is less than what the field says, or counts for the response only.
    ['{ hinted(maxAge: 100) }', 60_000],
    ['{ policy }', 20_000],
    ['{ long }', 20_000],
  ])('is no fresher than it: %s for %i ms', async (query, ttl) => {
    const town = await open(options)
    expect(await asked(town, 0, query)).toMatchObject({ hit: false, didCache: true, ttl })
  })

  test('is no fresher than what a stored one has left', async () => {
    const town = await open(options)
    await town.ask(0, '{ hinted(maxAge: 5) }')
    const { came, ttl = 0 } = await asked(town, 1, '{ hinted(maxAge: 5) plain }')
    expect(came).toEqual({ 'Query.hinted': { hit: 1 } })
    expect(ttl).toBeGreaterThan(0)
    expect(ttl).toBeLessThan(5000)
  })

  test('is no fresher than one that can not be kept may be', async () => {
    const town = await open(options)
    for (const query of ['{ unfit { width } }', '{ a: unfit { width } }']) {
      expect(await asked(town, 0, query)).toMatchObject({ ttl: 5000, came: { 'Query.unfit': { uncached: 1 } } })
    }
  })

  test('is not stored where the resolver says that it is not fresh', async () => {
    const town = await open(options)
    for (const site of [0, 1] as const) {
      const { didCache, came } = await asked(town, site, '{ hinted(maxAge: 0) }')
      expect([didCache, came]).toEqual([false, { 'Query.hinted': { uncached: 1 } }])
    }
    expect(town.runs).toHaveLength(2)
  })

  test('is not stored where nobody knows how to invalidate it', async () => {
    const town = await open(options)
    for (const site of [0, 1] as const) expect(await asked(town, site, '{ untold }')).toMatchObject({ didCache: false })
    expect(town.runs).toHaveLength(2)
  })

  test('with requirePolicy needs one besides: @cached says nothing of responses', async () => {
    const town = await open({ ...options, responses: { requirePolicy: true } })
    expect(await asked(town, 0, '{ rates }')).toMatchObject({ didCache: false, came: { 'Query.rates': { led: 1 } } })
    expect(await asked(town, 1, '{ rates }')).toMatchObject({ hit: false, came: { 'Query.rates': { hit: 1 } } })
    expect(await asked(town, 0, '{ long }')).toMatchObject({ didCache: true, ttl: 20_000 })
  })
})

describe('where a session is asked for by the fields, and not by the responses', () => {
  const shared: FieldTownOptions = { ...options, responses: { session: () => null } }
  const PRIVATE: readonly [query: string, outcome: string][] = [
    ['{ mine }', 'led'],
    ['{ plain mine }', 'led'],
    ['{ hinted(scope: "PRIVATE") }', 'uncached'],
  ]
  test.each(PRIVATE)('a response with a PRIVATE value is of nobody else: %s', async (query, outcome) => {
    const town = await open(shared)
    for (const user of ['ann', 'bob', 'cid']) {
      const { didCache, text, came } = await asked(town, 0, query, { user })
      expect(text).toContain(`of ${user}`)
      expect(didCache).toBe(false)
      expect(Object.values(came ?? {})).toEqual([{ [outcome]: 1 }])
    }
    // Also where the value comes from the store.
    const { didCache, text } = await asked(town, 1, query, { user: 'ann' })
    expect([didCache, text.includes('of ann')]).toEqual([false, true])
  })

  test('nor is one with its error told to others', async () => {
    const town = await open({ ...shared, yoga: { maskedErrors: false } })
    town.gate.shut()
    const users = ['ann', 'bob', 'cid', 'dan']
    const asking = users.map((user, i) => town.sites[(i % 2) as 0 | 1].ask('{ fails }', { user }))
    await town.gate.holds(1)
    town.gate.open()
    for (const [i, { errors }] of (await Promise.all(asking)).entries()) {
      expect(errors?.map(({ message }) => message)).toEqual([`secret of ${users[i]}`])
    }
  })
})

test('a response with a PRIVATE value is kept for its session', async () => {
  const town = await open(options)
  for (const user of ['ann', 'bob']) {
    const query = '{ mine plain }'
    const first = await asked(town, 0, query, { user })
    expect(first).toMatchObject({ hit: false, didCache: true })
    expect(await asked(town, 1, query, { user })).toMatchObject({ hit: true, data: first.data })
  }
})

test('a mutation invalidates cached fields by the entities that it returns', async () => {
  const typeDefs = options.typeDefs.replace('book: Book\n', 'book: Book @cached(scope: PUBLIC, entities: true)\n')
  const town = await open({ ...options, typeDefs })
  await town.ask(0, '{ book { title } }')
  expect(await asked(town, 1, '{ a: book { title } }')).toMatchObject({
    hit: false,
    came: { 'Query.book': { hit: 1 } },
  })
  await town.ask(1, 'mutation { rename(title: "y") { id } }')
  expect(await asked(town, 0, '{ book { title } }')).toMatchObject({ hit: false, came: { 'Query.book': { led: 1 } } })
  expect(await asked(town, 1, '{ a: book { title } }')).toMatchObject({
    hit: false,
    came: { 'Query.book': { hit: 1 } },
  })
})

test('a response from the cache resolves nothing', async () => {
  const town = await open(options)
  await town.ask(0, '{ rates }')
  const { hit, came } = await asked(town, 1, '{ rates }')
  // What the fields said was of the request that ran.
  expect([hit, came, town.runs]).toEqual([true, {}, ['rates']])
})
