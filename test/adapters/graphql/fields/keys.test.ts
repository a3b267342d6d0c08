import { buildSchema, GraphQLScalarType, graphql } from 'graphql'
import { describe, expect, test } from 'vitest'
import { applyCachedDirective, cachedDirectiveTypeDefs } from '../../../../src/adapters/graphql/directive.ts'
import { createCache, memoryStore } from '../../../../src/index.ts'
import { type Asking, type FieldContext, type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

/** Whether what is asked at the second site after the first comes from the store. */
async function shares(town: FieldTown, first: string, second: string, asking: readonly [Asking, Asking] = [{}, {}]) {
  await town.ask(0, first, asking[0])
  const before = town.runs.length
  const { errors, came } = await town.ask(1, second, asking[1])
  expect(errors).toBeUndefined()
  const [{ hit = 0 } = {}] = Object.values(came ?? {})
  expect(town.runs.length - before).toBe(hit > 0 ? 0 : 1)
  return hit > 0
}

describe('arguments', () => {
  const DAY = new GraphQLScalarType({
    name: 'Day',
    parseValue: (text) => new Date(`${text}T00:00:00Z`),
    parseLiteral: (node) => new Date(`${(node as { value: string }).value}T00:00:00Z`),
  })
  const options: FieldTownOptions = {
    typeDefs: `
      scalar Day
      scalar Price
      enum Sort { ASC DESC }
      input Filter { text: String, sort: Sort = ASC, inner: Filter, ids: [ID!] }
      type Query {
        find(first: Int = 10, after: String, filter: Filter, on: Day): String! @cached(maxAge: 60, scope: PUBLIC)
        price(of: Price): String! @cached(maxAge: 60, scope: PUBLIC)
        other(first: Int = 10): String! @cached(maxAge: 60, scope: PUBLIC)
      }`,
    resolvers: ({ run }) => ({
      Day: DAY,
      Price: new GraphQLScalarType({ name: 'Price', parseValue: () => new (class Price {})() }),
      Query: {
        find: async () => `find ${await run('find')}`,
        price: async () => `price ${await run('price')}`,
        other: async () => `other ${await run('other')}`,
      },
    }),
  }
  const variables = (query: string, values: Record<string, unknown>) => [query, { variables: values }] as const

  const SAME: readonly [name: string, first: readonly [string, Asking?], second: readonly [string, Asking?]][] = [
    ['a default, said and not said', ['{ find }'], ['{ find(first: 10) }']],
    ['in another order', ['{ find(first: 1, after: "x") }'], ['{ find(after: "x", first: 1) }']],
    ['a literal and a variable', ['{ find(first: 3) }'], variables('query ($n: Int) { find(first: $n) }', { n: 3 })],
    ['a variable that is not given', ['{ find }'], variables('query ($n: Int) { find(first: $n) }', {})],
    ['the default of a variable', ['{ find(first: 4) }'], ['query ($n: Int = 4) { find(first: $n) }']],
    ['an alias', ['{ find }'], ['{ here: find }']],
    ['another operation', ['query A { find }'], ['query B { __typename ...F } fragment F on Query { find }']],
    [
      'an input object in another order, with its defaults',
      ['{ find(filter: { text: "a", inner: { ids: [1] } }) }'],
      variables('query ($f: Filter) { find(filter: $f) }', {
        f: { inner: { sort: 'ASC', ids: ['1'] }, sort: 'ASC', text: 'a' },
      }),
    ],
    ['one in place of a list of it', ['{ find(filter: { ids: "1" }) }'], ['{ find(filter: { ids: ["1"] }) }']],
    [
      'a Date that a scalar makes',
      ['{ find(on: "2020-01-01") }'],
      variables('query ($d: Day) { find(on: $d) }', { d: '2020-01-01' }),
    ],
  ]
  test.each(SAME)('are the same: %s', async (_name, [first, a = {}], [second, b = {}]) => {
    expect(await shares(await open(options), first, second, [a, b])).toBe(true)
  })

  const DIFFERENT: readonly [name: string, first: string, second: string][] = [
    ['another value', '{ find(first: 1) }', '{ find(first: 2) }'],
    ['null and the default', '{ find }', '{ find(first: null) }'],
    ['a name and another', '{ find(after: "1") }', '{ find(filter: { text: "1" }) }'],
    ['an enum and a text', '{ find(filter: { sort: DESC }) }', '{ find(filter: { text: "DESC" }) }'],
    ['inside an input object', '{ find(filter: { inner: { text: "a" } }) }', '{ find(filter: { text: "a" }) }'],
    ['the order of a list', '{ find(filter: { ids: [1, 2] }) }', '{ find(filter: { ids: [2, 1] }) }'],
    ['a list that could be another', '{ find(filter: { ids: ["1,2"] }) }', '{ find(filter: { ids: [1, 2] }) }'],
    ['another Date', '{ find(on: "2020-01-01") }', '{ find(on: "2020-01-02") }'],
    ['another field', '{ find }', '{ other }'],
  ]
  test.each(DIFFERENT)('are not the same: %s', async (_name, first, second) => {
    expect(await shares(await open(options), first, second)).toBe(false)
  })

  test('that can not be in a key, such as an instance of a class, are told, and the field is resolved', async () => {
    const town = await open(options)
    for (const site of [0, 1] as const) {
      const asking = { variables: { p: 1 } }
      const { data, errors, came } = await town.ask(site, 'query ($p: Price) { price(of: $p) }', asking)
      expect([data, errors]).toEqual([{ price: `price ${site + 1}` }, undefined])
      expect(came).toEqual({ 'Query.price': { uncached: 1 } })
    }
    const [told, ...more] = town.trace.of('bypass')
    expect(told).toMatchObject({ what: 'field Query.price', reason: expect.stringContaining('an instance of Price') })
    expect(more).toHaveLength(1)
  })

  test('that are huge are told, and the field is resolved', async () => {
    const town = await open(options)
    const asking = { variables: { a: 'x'.repeat(70_000) } }
    const { errors, came } = await town.ask(0, 'query ($a: String) { find(after: $a) }', asking)
    expect([errors, came]).toEqual([undefined, { 'Query.find': { uncached: 1 } }])
    expect(town.trace.of('bypass')).toHaveLength(1)
  })

  test('are in no key, event or name in Redis', async () => {
    const town = await open(options)
    await town.hit('{ find(after: "very secret") }')
    expect(JSON.stringify(town.trace.events)).not.toContain('secret')
    expect(town.trace.of('publish')[0]?.key).toMatch(/^\["field","Query.find","[\w-]{43}"\]$/)
  })
})

describe('the parent', () => {
  const parents = (cached: object, objects: readonly object[], types = ''): FieldTownOptions => ({
    typeDefs: `
      type Item { id: ID, sku: String, text: String! }
      ${types}
      type Query { item(at: Int!): Item, items: [Item!]! }`,
    resolvers: ({ run }) => ({
      Query: { item: (_: unknown, { at }: { at: number }) => objects[at], items: () => objects },
      Item: {
        id: () => 'of the field',
        text: {
          extensions: { cached: { maxAge: 60, scope: 'PUBLIC', ...cached } },
          resolve: async () => `text ${await run('text')}`,
        },
      },
    }),
  })
  const item = (at: number) => `{ item(at: ${at}) { text } }`

  const KEYS: readonly [name: string, cached: object, same: readonly object[], other: object][] = [
    ['its id', {}, [{ id: 1, x: 1 }, { id: 1 }], { id: 2 }],
    ['its id, a number, which is no text', {}, [{ id: 1 }, { id: 1 }], { id: '1' }],
    ['its id, a BigInt', {}, [{ id: 1n }, { id: 1n }], { id: 2n }],
    [
      'another field',
      { parentKey: 'sku' },
      [
        { id: 1, sku: 'a' },
        { id: 2, sku: 'a' },
      ],
      { id: 1, sku: 'b' },
    ],
    [
      'a function',
      { parentKey: ({ a, b }: { a: string; b: string }) => `${a} ${b}` },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      { a: 2, b: 1 },
    ],
    ['its id, of an instance of a class', {}, [Object.assign(new Date(), { id: 'x' }), { id: 'x' }], { id: 'y' }],
  ]
  test.each(KEYS)('is identified by %s', async (_name, cached, same, other) => {
    const town = await open(parents(cached, [...same, other]))
    expect(await shares(town, item(0), item(1))).toBe(true)
    expect(await shares(town, item(0), item(2))).toBe(false)
  })

  test('of another type with the same id is another one', async () => {
    const town = await open({
      typeDefs: `
        type A { id: ID!, text: String! @cached(scope: PUBLIC) }
        type B { id: ID!, text: String! @cached(scope: PUBLIC) }
        type Query { a: A!, b: B! }`,
      resolvers: ({ run }) => {
        const text = async () => `text ${await run('text')}`
        return { Query: { a: () => ({ id: 1 }), b: () => ({ id: 1 }) }, A: { text }, B: { text } }
      },
    })
    expect(await shares(town, '{ a { text } }', '{ b { text } }')).toBe(false)
  })

  const LACKING: readonly [name: string, cached: object, parent: object, reason: string][] = [
    ['nothing', {}, {}, 'undefined'],
    ['null', {}, { id: null }, 'null'],
    ['an empty text', {}, { id: '' }, 'string'],
    ['a number that is none', {}, { id: Number.NaN }, 'number'],
    ['a method', {}, { id: () => 1 }, 'function'],
    ['an object', { parentKey: () => ({ a: 1 }) }, {}, 'object'],
  ]
  test.each(LACKING)(
    'that has %s to be identified by is told, and the field is resolved',
    async (_n, cached, parent, reason) => {
      const town = await open(parents(cached, [parent]))
      for (const site of [0, 1] as const) {
        const { data, errors, came } = await town.ask(site, item(0))
        expect([data, errors]).toEqual([{ item: { text: `text ${site + 1}` } }, undefined])
        expect(came).toEqual({ 'Item.text': { uncached: 1 } })
      }
      const what = 'field Item.text'
      const told = {
        type: 'bypass',
        what,
        reason: expect.stringContaining(`its parent is identified by ${reason}, not by a text`),
      }
      expect(town.trace.of('bypass')).toEqual([told, told])
    },
  )

  const FAILING: readonly [name: string, parentKey: () => unknown, reason: string][] = [
    [
      'throws',
      () => {
        throw new Error('no key')
      },
      'no key',
    ],
    [
      'answers later',
      async () => {
        throw new Error('late')
      },
      'parentKey returned a promise: it must answer at once',
    ],
  ]
  test.each(FAILING)('whose parentKey %s is told, and the field is resolved', async (_name, parentKey, reason) => {
    const town = await open(parents({ parentKey }, [{ id: 1 }]))
    const { data, came } = await town.ask(0, item(0))
    expect([data, came]).toEqual([{ item: { text: 'text 1' } }, { 'Item.text': { uncached: 1 } }])
    expect(town.trace.of('bypass')).toEqual([{ type: 'bypass', what: 'field Item.text', reason }])
  })

  test('of one list may lack it: the others are cached', async () => {
    const town = await open(parents({}, [{ id: 1 }, {}, { id: 2 }]))
    await town.ask(0, '{ items { text } }')
    const { came } = await town.ask(1, '{ items { text } }')
    expect(came).toEqual({ 'Item.text': { hit: 2, uncached: 1 } })
  })
})

describe('what varies', () => {
  const varied = (vary: unknown, more: Partial<FieldTownOptions> = {}): FieldTownOptions => ({
    typeDefs: 'type Query { hello: String! }',
    resolvers: ({ run }) => ({
      Query: {
        hello: {
          extensions: { cached: { maxAge: 60, scope: 'PUBLIC', vary } },
          resolve: async (_parent: unknown, _args: unknown, { language }: FieldContext) =>
            `${language} ${await run('hello')}`,
        },
      },
    }),
    ...more,
  })
  const en: Asking = { language: 'en', user: 'a' }
  const alsoEn: Asking = { language: 'en', user: 'b' }
  const de: Asking = { language: 'de', user: 'a' }

  const WAYS: readonly [name: string, vary: unknown][] = [
    ['a path', ['language']],
    ['a function', ({ language }: FieldContext) => ({ language })],
  ]
  test.each(WAYS)('by %s is part of the key', async (_name, vary) => {
    const town = await open(varied(vary))
    expect(await shares(town, '{ hello }', '{ hello }', [en, alsoEn])).toBe(true)
    expect(await shares(town, '{ hello }', '{ hello }', [alsoEn, de])).toBe(false)
    expect((await town.ask(0, '{ hello }', de)).data).toEqual({ hello: 'de 2' })
  })

  test('in the depth of the context', async () => {
    const context = ({ request }: { request: Request }) => ({
      i18n: { language: request.headers.get('accept-language') },
    })
    const town = await open(varied(['i18n.language'], { yoga: { context } as never }))
    expect(await shares(town, '{ hello }', '{ hello }', [en, alsoEn])).toBe(true)
    expect(await shares(town, '{ hello }', '{ hello }', [en, de])).toBe(false)
  })

  test('what is swapped between two paths is not the same', async () => {
    const town = await open(varied(['user', 'language']))
    const swapped = [
      { user: 'x', language: 'y' },
      { user: 'y', language: 'x' },
    ] as const
    expect(await shares(town, '{ hello }', '{ hello }', swapped)).toBe(false)
  })

  const FAILING: readonly [name: string, vary: unknown, reason: string][] = [
    [
      'throws',
      () => {
        throw new Error('who knows')
      },
      'who knows',
    ],
    [
      'answers later',
      async () => {
        throw new Error('late')
      },
      'vary returned a promise: it must answer at once',
    ],
    ['gives nothing', () => undefined, 'vary gives undefined: null says none'],
    [
      'gives what can be in no key',
      () => new (class Tenant {})(),
      'key[3][0] is an instance of Tenant: put its id into the key',
    ],
    ['is a path to that', ['request'], 'an instance of '],
    [
      'is a path to nowhere',
      ['language', 'nobody.knows'],
      'it varies by nobody.knows, which the context does not have',
    ],
  ]
  test.each(FAILING)('what %s is told, and the field is resolved', async (_name, vary, reason) => {
    const town = await open(varied(vary))
    const { errors, came } = await town.ask(0, '{ hello }', en)
    expect([errors, came]).toEqual([undefined, { 'Query.hello': { uncached: 1 } }])
    expect(town.trace.of('bypass')).toEqual([
      { type: 'bypass', what: 'field Query.hello', reason: expect.stringContaining(reason) },
    ])
  })
})

test('another schema is another key', async () => {
  await using cache = createCache({ store: memoryStore(), ttl: 60_000 })
  const sourceOf = (type: string) =>
    `${cachedDirectiveTypeDefs} type Query { it: ${type} @cached(maxAge: 60, scope: PUBLIC) }`
  const ask = async (type: string, it: unknown) => {
    const schema = applyCachedDirective(buildSchema(sourceOf(type)), { cache })
    return { ...(await graphql({ schema, source: '{ it }', rootValue: { it } })).data }
  }
  expect(await ask('String', 'text')).toEqual({ it: 'text' })
  expect(await ask('Int', 1)).toEqual({ it: 1 })
  expect(await ask('String', 'other')).toEqual({ it: 'text' })
})

test('another version of the values is another key', async () => {
  const options: FieldTownOptions = {
    typeDefs: 'type Query { hello: String! @cached(scope: PUBLIC) }',
    resolvers: ({ run }) => ({ Query: { hello: async () => `hello ${await run('hello')}` } }),
  }
  expect(await shares(await open(options), '{ hello }', '{ hello }')).toBe(true)
  const cacheOf = (index: number) => ({ version: `v${index}` })
  expect(await shares(await open({ ...options, cacheOf }), '{ hello }', '{ hello }')).toBe(false)
})
