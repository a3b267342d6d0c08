import { buildSchema, type GraphQLResolveInfo, graphql } from 'graphql'
import { describe, expect, test } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'
import { describeOwnDefinition } from './ownDefinition.ts'

const open = useFieldTown()

const options: FieldTownOptions = {
  typeDefs: `
    type Query {
      said: String! @cached(maxAge: 100, scope: PUBLIC)
      unsaid: String! @cached(scope: PUBLIC)
      hinted(maxAge: Float!): String! @cached(maxAge: 100, scope: PUBLIC)
      around: String! @cached(maxAge: 100, scope: PUBLIC)
      brief: String!
      forever: String!
    }`,
  resolvers({ run }) {
    const field = (name: string) => async () => `${name} ${await run(name)}`
    const cached = (maxAge: number, name: string) => ({
      extensions: { cached: { maxAge, scope: 'PUBLIC' } },
      resolve: field(name),
    })
    return {
      Query: {
        said: field('said'),
        unsaid: field('unsaid'),
        hinted(
          _parent: unknown,
          { maxAge }: { maxAge: number },
          _context: unknown,
          info: Parameters<typeof setCacheHint>[0],
        ) {
          setCacheHint(info, { maxAge })
          return field('hinted')()
        },
        async around(_parent: unknown, _args: unknown, contextValue: unknown, { schema }: GraphQLResolveInfo) {
          return String((await graphql({ schema, source: '{ said }', contextValue })).data?.said)
        },
        brief: cached(0.05, 'brief'),
        forever: cached(Number.POSITIVE_INFINITY, 'forever'),
      },
    }
  },
}

/** What the last value that was stored is stored as. */
async function stored({ trace, sites }: FieldTown) {
  const key: readonly unknown[] = JSON.parse(trace.of('publish').at(-1)?.key ?? '[]')
  return { key, entry: await sites[0].cache.entry(key) }
}

describeOwnDefinition({ buildSchema, graphql })

describe('a value is fresh for', () => {
  const FRESH: readonly [name: string, query: string, ttl: number, more: Partial<FieldTownOptions>][] = [
    ['what the field says', '{ said }', 100_000, { fields: { ttl: 5000 }, cache: { ttl: 7000 } }],
    ['else what the options say', '{ unsaid }', 5000, { fields: { ttl: 5000 }, cache: { ttl: 7000 } }],
    ['else what the cache says', '{ unsaid }', 7000, { cache: { ttl: 7000 } }],
    ['else a minute', '{ unsaid }', 60_000, {}],
    [
      'a minute where the cache has a function, which is of other values',
      '{ unsaid }',
      60_000,
      { cache: { ttl: () => 1 } },
    ],
    ['what its resolver says, if that is less', '{ hinted(maxAge: 2.5) }', 2500, {}],
    ['not what its resolver says, if that is more', '{ hinted(maxAge: 1000) }', 100_000, {}],
    ['ever', '{ forever }', Number.POSITIVE_INFINITY, {}],
  ]
  test.each(FRESH)('%s', async (_name, query, ttl, more) => {
    const town = await open({ ...options, ...more })
    await town.hit(query)
    const { ttl: left = 0, age = 0 } = (await stored(town)).entry ?? {}
    expect(left + age).toBe(ttl)
  })
})

test('a value that its resolver says is not fresh is for those who wait, and not stored', async () => {
  const town = await open(options)
  town.gate.shut()
  const asking = [0, 1, 0, 1].map((site) => town.sites[site as 0 | 1].ask('{ hinted(maxAge: 0) }'))
  await Promise.all([town.gate.holds(1), town.trace.saw('join', 2), town.trace.saw('follow')])
  town.gate.open()
  for (const { data } of await Promise.all(asking)) expect(data).toEqual({ hinted: 'hinted 1' })
  expect((await town.ask(0, '{ hinted(maxAge: 0) }')).data).toEqual({ hinted: 'hinted 2' })
  expect(town.trace.of('publish')).toEqual([])
})

test('when it is not fresh any more it is resolved anew', async () => {
  const town = await open(options)
  expect((await town.ask(0, '{ brief }')).data).toEqual({ brief: 'brief 1' })
  await expect.poll(async () => (await town.ask(1, '{ brief }')).data).toEqual({ brief: 'brief 2' })
})

test('what is stored in its place, and is none of ours, is not given to anybody', async () => {
  const town = await open(options)
  await town.ask(0, '{ said }')
  const { key } = await stored(town)
  const STRANGE = [
    null,
    'said 0',
    [],
    {},
    { unshared: true },
    { value: 'said 0', ttl: '5' },
    { value: 'said 0', tags: [1] },
    { value: 'said 0', clock: '5' },
    { value: 'said 0', since: '5' },
  ]
  for (const strange of STRANGE) {
    await town.sites[1].cache.set(key, strange, { ttl: 60_000 })
    const { data, errors, came } = await town.ask(0, '{ said }')
    expect([data, errors]).toEqual([{ said: `said ${town.runs.length}` }, undefined])
    expect(came).toEqual({ 'Query.said': { uncached: 1 } })
  }
  expect(town.runs).toHaveLength(1 + STRANGE.length)
  // Nor where it is asked for by the resolver of another one.
  expect((await town.ask(0, '{ around }')).data).toEqual({ around: `said ${town.runs.length}` })
})
