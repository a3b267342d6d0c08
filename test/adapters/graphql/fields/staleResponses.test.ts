import { type GraphQLResolveInfo, graphql } from 'graphql'
import { describe, expect, test } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { aged, IF_ERROR, REVALIDATED } from './aging.ts'
import { type Asking, type FieldContext, type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

const options: FieldTownOptions = {
  typeDefs: `
    type Query {
      it: String! @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC, tags: ["it"])
      fails: String! @cached(maxAge: 60, staleIfError: 600, scope: PUBLIC)
      turns: String! @cached(maxAge: 60, staleWhileRevalidate: 600, scope: PUBLIC)
      mine: String! @cached(maxAge: 60, scope: PRIVATE)
      slow: String!
      plain: String!
    }`,
  resolvers: ({ run }) => {
    let turns = 0
    return {
      Query: {
        it: async () => `it ${await run('it')}`,
        async fails() {
          if ((await run('fails')) > 1) throw new Error('down')
          return 'fails 1'
        },
        /** From its second run on it is of whoever asks, and fresh for a second. */
        async turns(_parent: unknown, _args: unknown, contextValue: FieldContext, info: GraphQLResolveInfo) {
          if (++turns === 1) return 'turns 1'
          setCacheHint(info, { scope: 'PRIVATE', maxAge: 1 })
          await graphql({ schema: info.schema, source: '{ mine }', contextValue })
          return `turns ${turns} for ${contextValue.user}`
        },
        mine: (_parent: unknown, _args: unknown, { user }: FieldContext) => `of ${user}`,
        slow: async () => `slow ${await run('slow')}`,
        plain: () => 'plain',
      },
    }
  },
  fields: { session: ({ user }) => user },
  responses: { session: () => null },
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

/** The key of the value of the field that was stored last. */
function keyOf({ trace }: FieldTown, field: string): readonly unknown[] {
  const keys = trace.of('publish').map(({ key }) => JSON.parse(key) as unknown[])
  return keys.findLast((key) => key[0] === 'field' && key[1] === `Query.${field}`) ?? []
}

describe('a response that has a stale value', () => {
  test('is not stored; the next one is, with the new value', async () => {
    const town = await open(options)
    await town.ask(0, '{ it }')
    await aged(town, REVALIDATED, keyOf(town, 'it'))
    const published = town.trace.of('publish').length
    const stale = await asked(town, 1, '{ a: it plain }')
    expect(stale).toMatchObject({
      hit: false,
      didCache: false,
      data: { a: 'it 1' },
      came: { 'Query.it': { stale: 1 } },
    })
    await town.trace.saw('publish', published + 1)
    for (const [site, hit] of [
      [0, false],
      [1, true],
    ] as const) {
      expect(await asked(town, site, '{ a: it plain }')).toMatchObject({ hit, data: { a: 'it 2' } })
    }
    expect(town.runs).toEqual(['it', 'it'])
  })

  test('in the place of an error is not stored', async () => {
    const town = await open(options)
    await town.ask(0, '{ fails }')
    await aged(town, IF_ERROR, keyOf(town, 'fails'))
    for (const site of [0, 1] as const) {
      const { data, errors, didCache, came } = await asked(town, site, '{ a: fails }')
      expect([data, errors, didCache]).toEqual([{ a: 'fails 1' }, undefined, false])
      expect(came).toEqual({ 'Query.fails': { stale: 1 } })
    }
  })

  test('is told nothing of what is resolved behind it: it is for all who wait, whose that turns out to be', async () => {
    const town = await open(options)
    await town.ask(0, '{ turns }', { user: 'ann' })
    await aged(town, REVALIDATED, keyOf(town, 'turns'))
    town.gate.shut()
    const query = '{ turns slow }'
    const leading = town.sites[0].ask(query, { user: 'bob' })
    await Promise.all([town.gate.holds(1), town.trace.saw('stale')])
    const following = town.sites[1].ask(query, { user: 'cid' })
    // What was resolved behind it is for nobody else.
    await Promise.all([town.trace.saw('follow'), town.trace.saw('share')])
    town.gate.open()
    for (const { data } of await Promise.all([leading, following])) {
      expect(data).toEqual({ turns: 'turns 1', slow: 'slow 1' })
    }
    expect(town.runs).toEqual(['slow'])
  })
})

test('a response that waited for the new value has what that says', async () => {
  const town = await open(options)
  await town.ask(0, '{ turns }', { user: 'ann' })
  await town.sites[1].cache.invalidate({ tags: ['field:Query.turns'] })
  await town.trace.saw('invalidate', 2)
  for (const user of ['bob', 'cid']) {
    const { data, didCache } = await asked(town, 0, '{ a: turns }', { user })
    expect([String(data?.a).endsWith(`for ${user}`), didCache]).toEqual([true, false])
  }
})
