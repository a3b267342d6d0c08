import { GraphQLScalarType } from 'graphql'
import { describe, expect, test, vi } from 'vitest'
import { type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
  text() {
    return `${this.cents / 100} EUR`
  }
}

/** Says what it is given: what a value is, and not only what becomes of it. */
const SHOWN = new GraphQLScalarType({
  name: 'Shown',
  serialize(value) {
    if (value instanceof Date) return `Date ${value.toISOString()}`
    if (value instanceof Map) return `Map ${JSON.stringify([...value])}`
    if (value instanceof Set) return `Set ${JSON.stringify([...value])}`
    if (value instanceof Money) return `Money ${value.text()}`
    return typeof value === 'bigint' ? `bigint ${value}` : `${typeof value} ${JSON.stringify(value)}`
  },
})

/** A town whose `Query.it`, of this type, is what `give` gives. */
const giving = (
  type: string,
  give: (count: number) => unknown,
  more: Partial<FieldTownOptions> & { readonly types?: string; readonly of?: Record<string, unknown> } = {},
): FieldTownOptions => ({
  typeDefs: `scalar Shown enum Colour { RED GREEN } ${more.types ?? ''} type Query { it(n: Int): ${type} @cached(maxAge: 60, scope: PUBLIC) }`,
  resolvers: ({ run }) => ({
    Shown: SHOWN,
    Colour: { RED: 1, GREEN: new Date(0) },
    Query: { it: async (_parent: unknown, { n }: { n?: number }) => give(n ?? (await run('it'))) },
    ...more.of,
  }),
  ...more,
})

const shown: readonly [name: string, value: unknown, text: string][] = [
  ['a text', 'é \u0000"', 'string "é \\u0000\\""'],
  ['a number', -0, 'number 0'],
  ['a boolean', false, 'boolean false'],
  ['plain data', { a: [1, { b: null }], c: '' }, 'object {"a":[1,{"b":null}],"c":""}'],
  ['a Date', new Date(86_400_000), 'Date 1970-01-02T00:00:00.000Z'],
  ['a Map', new Map([['a', 1]]), 'Map [["a",1]]'],
  ['a Set', new Set(['a', 1]), 'Set ["a",1]'],
  ['a BigInt', 2n ** 80n, `bigint ${2n ** 80n}`],
]

describe('comes back from the other server as it was', () => {
  test.each(shown)('%s', async (_name, value, text) => {
    const town = await open(giving('Shown', () => value))
    expect((await town.hit('{ it }')).data).toEqual({ it: text })
    expect(town.runs).toEqual(['it'])
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
  ])('%s, which is a value as any other', async (_name, value) => {
    const town = await open(giving('Shown', () => value))
    const answer = await town.hit('{ it }')
    expect([answer.data, answer.came]).toEqual([{ it: null }, { 'Query.it': { hit: 1 } }])
    expect(town.runs).toEqual(['it'])
  })

  test('a list, also in a list, with null and undefined in it', async () => {
    const town = await open(giving('[[Shown]]', () => [[1n, null], null, [], [undefined]]))
    expect((await town.hit('{ it }')).data).toEqual({ it: [['bigint 1', null], null, [], [null]] })
  })

  test('a list of promises, also in a list', async () => {
    const town = await open(
      giving('[[Shown]]', (count) => [Promise.resolve([Promise.resolve(count), 2]), [Promise.resolve(3)], [4]]),
    )
    expect((await town.hit('{ it }')).data).toEqual({ it: [['number 1', 'number 2'], ['number 3'], ['number 4']] })
  })

  test('a Set as a list', async () => {
    const town = await open(giving('[Shown]', () => new Set([1, 'two'])))
    expect((await town.hit('{ it }')).data).toEqual({ it: ['number 1', 'string "two"'] })
  })

  test('internal values of an enum', async () => {
    const town = await open(giving('[Colour!]', () => [1, 1]))
    expect((await town.hit('{ it }')).data).toEqual({ it: ['RED', 'RED'] })
  })

  test('an object, of which each request reads what it wants', async () => {
    const types = 'type Shop { name: String, open: Shown, owner: Owner } type Owner { name(loud: Boolean): String }'
    const of = { Owner: { name: (owner: { n: string }, { loud = false }) => (loud ? owner.n.toUpperCase() : owner.n) } }
    const give = () => ({ name: 'Corner', open: new Date(0), owner: { n: 'Ann' } })
    const town = await open(giving('Shop', give, { types, of }))
    await town.ask(0, '{ it(n: 1) { name } }')
    const other = await town.ask(1, '{ it(n: 1) { open owner { name(loud: true) } } }')
    expect(other.data).toEqual({ it: { open: 'Date 1970-01-01T00:00:00.000Z', owner: { name: 'ANN' } } })
    expect(other.came).toEqual({ 'Query.it': { hit: 1 } })
  })

  test('interfaces and unions, by __typename or by what tells types apart', async () => {
    const types = `
      interface Node { id: ID! }
      type Cat implements Node { id: ID!, lives: Int }
      type Dog implements Node { id: ID!, tricks: [String!] }
      union Pet = Cat | Dog`
    const of = { Pet: { __resolveType: (pet: object) => ('lives' in pet ? 'Cat' : 'Dog') } }
    const give = () => [
      { __typename: 'Cat', id: 1, lives: 9 },
      { __typename: 'Dog', id: 2, tricks: ['sit'] },
    ]
    const expected = {
      it: [
        { __typename: 'Cat', lives: 9 },
        { __typename: 'Dog', tricks: ['sit'] },
      ],
    }
    for (const type of ['[Node!]!', '[Pet!]!']) {
      const town = await open(giving(type, give, { types, of: type.includes('Pet') ? of : {} }))
      const { data } = await town.hit('{ it { __typename ... on Cat { lives } ... on Dog { tricks } } }')
      expect(data).toEqual(expected)
    }
  })

  test('a connection', async () => {
    const types = `
      type Item { id: ID! }
      type Edge { cursor: String!, node: Item! }
      type Page { hasNextPage: Boolean! }
      type Items { edges: [Edge!]!, pageInfo: Page! }`
    const connection = { edges: [{ cursor: 'x', node: { id: '7' } }], pageInfo: { hasNextPage: true } }
    const town = await open(giving('Items!', () => connection, { types }))
    const { data } = await town.hit('{ it { edges { cursor node { id } } pageInfo { hasNextPage } } }')
    expect(data).toEqual({ it: connection })
  })
})

const UNFIT: readonly [name: string, value: () => unknown, reason: string, path: string, text: unknown][] = [
  ['an instance of a class', () => new Money(250), 'an instance of Money', '', 'Money 2.5 EUR'],
  ['one inside', () => ({ a: [new Money(1)] }), 'an instance of Money', '.a[0]', 'object {"a":[{"cents":1}]}'],
  [
    'a getter',
    () => ({
      get a() {
        return 1
      },
    }),
    'an accessor',
    '.a',
    'object {"a":1}',
  ],
  ['a method', () => ({ a() {} }), 'a function', '.a', 'object {}'],
  ['a promise inside', () => ({ a: Promise.resolve(1) }), 'a promise', '.a', 'object {"a":{}}'],
]

describe('is resolved by each, and said once by coordinate:', () => {
  test.each(UNFIT)('%s', async (_name, value, reason, path, text) => {
    const town = await open(giving('Shown', value))
    for (const site of [0, 0, 1, 1] as const) {
      const { data, errors, came } = await town.ask(site, '{ it }')
      expect([data, errors, came]).toEqual([{ it: text }, undefined, { 'Query.it': { uncached: 1 } }])
    }
    expect(town.runs).toHaveLength(4)
    const said = { shape: 'field Query.it', reason, path }
    expect(town.trace.of('uncacheable')).toEqual([expect.objectContaining(said), expect.objectContaining(said)])
  })

  test('an async iterable, which only one can read', async () => {
    const town = await open(
      giving('[Shown]', async function* () {
        yield 1
        yield 2
      }),
    )
    const answers = await Promise.all([0, 0, 1, 1].map((site) => town.sites[site as 0 | 1].ask('{ it(n: 1) }')))
    for (const { data, errors } of answers) {
      expect([data, errors]).toEqual([{ it: ['number 1', 'number 2'] }, undefined])
    }
    expect(town.trace.of('uncacheable').every((event) => event.reason === 'an async iterable')).toBe(true)
    expect(town.trace.of('publish')).toEqual([])
  })
})

test('a value that can not be kept asks nothing of Redis for a while; others of its field do', async () => {
  const town = await open(giving('Shown', (n) => (n === 0 ? new Money(1) : 'plain')))
  await town.ask(0, '{ it(n: 0) }')
  const before = town.trace.events.length
  expect((await town.ask(0, '{ it(n: 0) }')).came).toEqual({ 'Query.it': { uncached: 1 } })
  expect(town.trace.events.slice(before).filter((event) => 'key' in event && event.key !== 'nothing')).toEqual([])
  expect((await town.hit('{ it(n: 1) }')).data).toEqual({ it: 'string "plain"' })
})

test('and then it is tried again, and nothing more is said', async () => {
  let fits = false
  const town = await open(giving('Shown', () => (fits ? 'plain' : new Money(1))))
  await town.ask(0, '{ it }')
  const { now } = performance
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 11_000)
  try {
    await town.ask(0, '{ it }')
    expect([town.trace.of('lead').length, town.trace.of('uncacheable').length]).toEqual([2, 1])
    fits = true
    clock.mockImplementation(() => now.call(performance) + 22_000)
    expect((await town.ask(0, '{ it }')).came).toEqual({ 'Query.it': { led: 1 } })
  } finally {
    clock.mockRestore()
  }
})

test('with strict a field fails whose value can not be kept, and says where and what to do', async () => {
  const town = await open(
    giving('Shown', () => ({ prices: [new Money(1)] }), { fields: { strict: true }, yoga: { maskedErrors: false } }),
  )
  for (const site of [0, 1] as const) {
    const { data, errors } = await town.ask(site, '{ it }')
    expect([data, errors?.map(({ message }) => message)]).toEqual([
      { it: null },
      [
        "@cached of Query.it: its value can't be kept: its .prices[0] is an instance of Money. Return plain data, or say in the extensions of the field how to serialize and revive it",
      ],
    ])
  }
})

describe('a member of a list that fails', () => {
  const cases: readonly [name: string, give: () => unknown[]][] = [
    ['as a promise', () => [1, Promise.reject(new Error('no')), 3]],
    ['as an error', () => [1, new Error('no'), 3]],
    ['as a promise of an error', () => [1, Promise.resolve(new Error('no')), 3]],
  ]
  test.each(cases)('%s fails alone, and the list is for nobody else', async (_name, give) => {
    const town = await open(giving('[Shown]', give, { yoga: { maskedErrors: false } }))
    for (const site of [0, 1, 0] as const) {
      const { data, errors, came } = await town.ask(site, '{ it }')
      expect(data).toEqual({ it: ['number 1', null, 'number 3'] })
      expect(errors).toEqual([expect.objectContaining({ message: 'no', path: ['it', 1] })])
      expect(came).toEqual({ 'Query.it': { uncached: 1 } })
    }
    expect([town.runs.length, town.trace.of('publish'), town.trace.of('uncacheable')]).toEqual([3, [], []])
  })
})

describe('with serialize and revive', () => {
  const serialised = (serialize: (value: never) => unknown, revive: (kept: never) => unknown) =>
    open({
      typeDefs: 'scalar Shown type Query { it: Shown }',
      resolvers: ({ run }) => ({
        Shown: SHOWN,
        Query: {
          it: {
            extensions: { cached: { maxAge: 60, scope: 'PUBLIC', serialize, revive } },
            resolve: async () => new Money(100 * (await run('it'))),
          },
        },
      }),
    })

  test('an instance of a class is one again, for hits and for those who wait', async () => {
    const town = await serialised(
      ({ cents }: Money) => cents,
      (cents: number) => new Money(cents),
    )
    town.gate.shut()
    const asking = [0, 0, 1, 1].map((site) => town.sites[site as 0 | 1].ask('{ it }'))
    await Promise.all([town.gate.holds(1), town.trace.saw('join', 2), town.trace.saw('follow')])
    town.gate.open()
    for (const { data } of await Promise.all(asking)) expect(data).toEqual({ it: 'Money 1 EUR' })
    expect((await town.hit('{ it }')).data).toEqual({ it: 'Money 1 EUR' })
    expect(town.runs).toEqual(['it'])
  })

  const FAILING: readonly [name: string, serialize: (value: never) => unknown, error: string][] = [
    [
      'throws',
      () => {
        throw new Error('not today')
      },
      'not today',
    ],
    [
      'answers later',
      async () => {
        throw new Error('late')
      },
      'serialize returned a promise: it must answer at once',
    ],
  ]
  test.each(FAILING)('a serialize that %s is told, and each resolves the field', async (_name, serialize, message) => {
    const town = await serialised(serialize, (cents: number) => new Money(cents))
    for (const site of [0, 1] as const)
      expect((await town.ask(site, '{ it }')).came).toEqual({ 'Query.it': { uncached: 1 } })
    expect(town.runs).toHaveLength(2)
    const told = { option: 'serialize', error: expect.objectContaining({ message }) }
    expect(town.trace.of('policyError')).toEqual([expect.objectContaining(told), expect.objectContaining(told)])
  })

  const UNREVIVED: readonly [name: string, revive: (kept: never) => unknown, error: string][] = [
    [
      'throws',
      () => {
        throw new Error('what is this')
      },
      'what is this',
    ],
    [
      'answers later',
      async () => {
        throw new Error('late')
      },
      'revive returned a promise: it must answer at once',
    ],
  ]
  test.each(UNREVIVED)('a revive that %s is told, and the field is resolved', async (_name, revive, message) => {
    const town = await serialised(({ cents }: Money) => cents, revive)
    expect((await town.ask(0, '{ it }')).data).toEqual({ it: 'Money 1 EUR' })
    const { data, errors, came } = await town.ask(1, '{ it }')
    expect([data, errors, came]).toEqual([{ it: 'Money 2 EUR' }, undefined, { 'Query.it': { uncached: 1 } }])
    expect(town.trace.of('policyError')).toEqual([
      expect.objectContaining({ option: 'revive', error: expect.objectContaining({ message }) }),
    ])
  })

  test('what serialize makes must be plain too', async () => {
    const town = await serialised(
      (money: Money) => ({ money }),
      ({ money }: { money: Money }) => money,
    )
    expect((await town.ask(0, '{ it }')).data).toEqual({ it: 'Money 1 EUR' })
    expect(town.trace.of('uncacheable')).toEqual([
      expect.objectContaining({ shape: 'field Query.it', reason: 'an instance of Money', path: '.money' }),
    ])
  })
})
