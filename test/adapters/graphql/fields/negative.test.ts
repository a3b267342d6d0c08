import { GraphQLError } from 'graphql'
import { describe, expect, test } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { aged, lastKey, REVALIDATED } from './aging.ts'
import { type FieldsOptions, type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

type Info = Parameters<typeof setCacheHint>[0]

interface Said {
  readonly fields?: FieldsOptions
  /** In the extensions of the field. */
  readonly cached?: object
  readonly type?: string
  readonly directive?: string
  readonly cache?: FieldTownOptions['cache']
}

/** A town whose `Query.it` gives that. */
function giving(give: (count: number, info: Info) => unknown, said: Said = {}): FieldTownOptions {
  const { fields = {}, cached = {}, type = 'String', directive = 'negativeMaxAge: 5', cache = {} } = said
  return {
    typeDefs: `
      type Query { it(id: ID): ${type} @cached(maxAge: 60, scope: PUBLIC, tags: ["it {args.id}"] ${directive}), around: String }`,
    resolvers: ({ run }) => ({
      Query: {
        it: {
          extensions: { cached },
          resolve: async (_parent: unknown, _args: unknown, _context: unknown, info: Info) =>
            give(await run('it'), info),
        },
      },
    }),
    fields,
    cache,
    yoga: { maskedErrors: false },
  }
}

/** ms that what was stored last was fresh at first. */
async function freshFor(town: FieldTown): Promise<number> {
  const { ttl = 0, age = 0 } = (await town.sites[0].cache.entry(lastKey(town))) ?? {}
  return ttl + age
}

describe('a negative value is fresh for', () => {
  const nothing = () => null
  const none = { directive: '' }
  const TTLS: readonly [name: string, give: (count: number, info: Info) => unknown, said: Said, ttl: number][] = [
    ['what the field says', nothing, {}, 5000],
    ['what the field says, before the options', nothing, { fields: { negativeTtl: 7000 } }, 5000],
    ['else what the options say', nothing, { ...none, fields: { negativeTtl: 7000 } }, 7000],
    ['else what the cache says', nothing, { ...none, cache: { negativeTtl: 8000 } }, 8000],
    ['else as long as any other', nothing, none, 60_000],
    ['that too where it is longer than of others', nothing, { directive: 'negativeMaxAge: 100' }, 100_000],
    ['that too where it is undefined', () => undefined, {}, 5000],
    [
      'less where its resolver says less',
      (_count, info) => {
        setCacheHint(info, { maxAge: 2 })
        return null
      },
      {},
      2000,
    ],
    ['not where something was found', () => 'it', {}, 60_000],
    ['not where an empty text was found', () => '', {}, 60_000],
    [
      'not where the cache has a function for it, which is of other values',
      () => 'it',
      { cache: { isNegative: () => true } },
      60_000,
    ],
  ]
  test.each(TTLS)('%s', async (_name, give, said, ttl) => {
    const town = await open(giving(give, said))
    await town.hit('{ it }')
    expect(await freshFor(town)).toBe(ttl)
  })
})

test.each([
  ['of the field', { cached: { isNegative: (list: string[]) => list.length === 0 } }],
  ['of the options', { fields: { isNegative: (list: unknown) => (list as string[]).length === 0 } }],
  [
    'of the field, which is given what the resolver gave',
    {
      cached: {
        isNegative: (list: string[]) => list.length === 0,
        serialize: (list: string[]) => ({ list }),
        revive: ({ list }: { list: string[] }) => list,
      },
    },
  ],
])('isNegative %s says what counts as one', async (_name, said: Said) => {
  const town = await open(giving((count) => (count === 1 ? [] : ['it']), { ...said, type: '[String]' }))
  await town.hit('{ it }')
  expect(await freshFor(town)).toBe(5000)
  await town.hit('{ it(id: 2) }')
  expect(await freshFor(town)).toBe(60_000)
})

test('isNegative that throws is told, and nothing is stored', async () => {
  const isNegative = () => {
    throw new Error('who knows')
  }
  const town = await open(giving(() => 'it', { cached: { isNegative } }))
  expect((await town.ask(0, '{ it }')).data).toEqual({ it: 'it' })
  expect(town.trace.of('policyError')[0]).toMatchObject({ option: 'isNegative', error: new Error('who knows') })
  expect(town.trace.of('publish')).toEqual([])
})

test('with 0 a negative value is for those who wait, and not stored', async () => {
  const town = await open(giving(() => null, { directive: 'negativeMaxAge: 0' }))
  town.gate.shut()
  const asking = [0, 1, 0, 1].map((site) => town.sites[site as 0 | 1].ask('{ it }'))
  await Promise.all([town.gate.holds(1), town.trace.saw('join', 2), town.trace.saw('follow')])
  town.gate.open()
  for (const { data, errors } of await Promise.all(asking)) expect([data, errors]).toEqual([{ it: null }, undefined])
  expect(town.runs).toHaveLength(1)
  await town.ask(0, '{ it }')
  expect([town.runs.length, town.trace.of('publish')]).toEqual([2, []])
})

test('null where none may be is not stored, however long a negative value is fresh', async () => {
  const town = await open(giving(() => null, { type: 'String!' }))
  for (let run = 1; run <= 2; run++) {
    expect((await town.ask(0, '{ it }')).errors).toHaveLength(1)
    expect(town.runs).toHaveLength(run)
  }
  expect(town.trace.of('publish')).toEqual([])
})

test('a negative value is never stale: after its end it is resolved as if it were not there', async () => {
  const fields = { negativeTtl: 30, staleWhileRevalidate: 600_000, staleIfError: 600_000 }
  const town = await open(giving((count) => (count === 1 ? null : `it ${count}`), { directive: '', fields }))
  await town.ask(0, '{ it }')
  await expect.poll(() => town.sites[0].cache.entry(lastKey(town))).toBeUndefined()
  const { data, came } = await town.ask(1, '{ it }')
  expect([data, came]).toEqual([{ it: 'it 2' }, { 'Query.it': { led: 1 } }])
})

test('a negative value takes the place of a stale one', async () => {
  const town = await open(giving((count) => (count === 1 ? 'it 1' : null)))
  await town.ask(0, '{ it }')
  await aged(town, REVALIDATED)
  expect((await town.ask(1, '{ it }')).data).toEqual({ it: 'it 1' })
  await town.trace.saw('publish', 2)
  const { data, came } = await town.ask(0, '{ it }')
  expect([data, came, await freshFor(town)]).toEqual([{ it: null }, { 'Query.it': { hit: 1 } }, 5000])
})

describe('an error', () => {
  const no = () => {
    throw new GraphQLError('no', { extensions: { code: 'NOT_FOUND' } })
  }

  test('is stored where errorTtl says so, and told to who asks', async () => {
    const town = await open(giving(no, { fields: { errorTtl: 60_000 } }))
    for (const site of [0, 1, 0] as const) {
      const { data, errors } = await town.ask(site, '{ it }')
      const told = [expect.objectContaining({ message: 'no', path: ['it'], extensions: { code: 'NOT_FOUND' } })]
      expect([data, errors]).toEqual([{ it: null }, told])
    }
    expect(town.runs).toHaveLength(1)
  })

  test.each(['field:Query.it', 'it 7'])('that is stored has the tag %s', async (tag) => {
    const town = await open(giving(no, { fields: { errorTtl: 60_000 } }))
    await town.ask(0, '{ it(id: 7) }')
    await town.sites[1].cache.invalidate({ tags: [tag] })
    await town.trace.saw('invalidate', 2)
    await town.ask(0, '{ it(id: 7) }')
    expect(town.runs).toHaveLength(2)
  })

  test('is stored for as long as a function of it says', async () => {
    const errorTtl = (error: unknown) => ((error as GraphQLError).extensions.code === 'NOT_FOUND' ? 60_000 : 0)
    const codes = ['INTERNAL_SERVER_ERROR', 'NOT_FOUND']
    const failing = (count: number) => {
      throw new GraphQLError('no', { extensions: { code: codes[count - 1] } })
    }
    const town = await open(giving(failing, { fields: { errorTtl } }))
    for (let asks = 0; asks < 4; asks++) await town.ask(1, '{ it }')
    expect(town.runs).toHaveLength(2)
  })

  test('that may not be shared is not stored, nor one in a list', async () => {
    const fields = { errorTtl: 60_000 }
    const forbidden = () => {
      throw new GraphQLError('no', { extensions: { code: 'FORBIDDEN' } })
    }
    for (const options of [
      giving(forbidden, { fields }),
      giving(() => ['it', new Error('no')], { fields, type: '[String]' }),
    ]) {
      const town = await open(options)
      for (let asks = 1; asks <= 2; asks++) {
        expect((await town.ask(1, '{ it }')).errors).toHaveLength(1)
        expect(town.runs).toHaveLength(asks)
      }
    }
  })
})
