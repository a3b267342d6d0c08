import type { GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { buildSchema, GraphQLObjectType, GraphQLString, getOperationAST, parse, GraphQLSchema as Schema } from 'graphql'
import { describe, expect, inject, test } from 'vitest'
import { cacheControlTypeDefs, setCacheHint } from '../../../src/adapters/graphql/envelop.ts'
import { memoryStore } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../trace.ts'
import { bakery } from './bakery.ts'
import { isCached, PATIENT, settled } from './market.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

/** ms by default, and where a policy is required; 0 for what is not cached. The usual ttl is 60,000. */
const AGES: readonly [query: string, ttl: number, required: number][] = [
  ['{ plain }', 60_000, 0],
  ['{ __typename }', 60_000, 0],
  ['{ short }', 10_000, 10_000],
  ['{ short plain }', 10_000, 0],
  ['{ never }', 0, 0],
  ['{ typed { name } }', 30_000, 30_000],
  ['{ typed { __typename } }', 30_000, 30_000],
  ['{ typed { low } }', 5000, 5000],
  ['{ typeds { name } }', 30_000, 30_000],
  ['{ none { name } }', 30_000, 30_000],
  // What is said at the field replaces what is said at the type.
  ['{ field { name } }', 600_000, 600_000],
  ['{ field { low } }', 5000, 5000],
  ['{ agedField { name } }', 600_000, 600_000],
  // But not `inheritMaxAge`.
  ['{ inherited { name } }', 30_000, 30_000],
  // What has no parent has nothing to inherit.
  ['{ bareInherits { name } }', 60_000, 0],
  ['{ bare { name } }', 60_000, 0],
  ['{ bareAged { name } }', 50_000, 50_000],
  ['{ typed { bare { name } } }', 30_000, 0],
  ['{ typed { inner { name } } }', 30_000, 30_000],
  ['{ typed { heir { name } } }', 30_000, 30_000],
  ['{ aged(is: "Bare") { name } }', 20_000, 20_000],
  ['{ aged(is: "Typed") { name } }', 20_000, 20_000],
  ['{ either { __typename } }', 25_000, 25_000],
  ['{ loose(is: "Typed") { __typename } }', 30_000, 0],
  ['{ extended { name } }', 15_000, 15_000],
  // At run time: in place of what the schema says of the field, or of its type.
  ['{ hinted }', 100_000, 100_000],
  ['{ hinted(maxAge: 200) }', 200_000, 200_000],
  ['{ hinted(maxAge: 1.5) }', 1500, 1500],
  ['{ hinted(maxAge: 0) }', 0, 0],
  ['{ free(maxAge: 200) }', 200_000, 200_000],
  ['{ a: hinted(maxAge: 50) b: hinted(maxAge: 20) }', 20_000, 20_000],
  ['{ hintedTyped(maxAge: 200) { name } }', 200_000, 200_000],
  ['{ hintedTyped(maxAge: 200) { low } }', 5000, 5000],
  ['{ hintedTyped(scope: "PUBLIC") { name } }', 30_000, 30_000],
  ['{ short rows { value(maxAge: 3) } }', 3000, 0],
  ['{ short rows { cells { value(maxAge: 2) } } }', 2000, 0],
]

/** Not for everybody, or for everybody. */
const SCOPES: readonly [query: string, isPublic: boolean][] = [
  ['{ mine }', false],
  ['{ own { name } }', false],
  ['{ ownless { name } }', false],
  ['{ ownForAll { name } }', true],
  ['{ loose(is: "Own") { __typename } }', false],
  ['{ loose(is: "Typed") { ... on Own { name } } }', true],
  ['{ loose(is: "Vault") { ... on Secret { pin } } }', false],
  ['{ loose(is: "Vault") { ... on Vault { pin } } }', false],
  ['{ loose(is: "Vault") { __typename } }', true],
  ['{ hinted(scope: "PRIVATE") }', false],
  ['{ hinted(scope: "PUBLIC") }', true],
  ['{ hinted(scope: "PRIVATE", maxAge: 1000) }', false],
  ['{ hintedOwn(scope: "PUBLIC") { name } }', true],
  ['{ hintedOwn { name } }', false],
  ['{ rows { cells { value(scope: "PRIVATE") } } }', false],
]

const codeFirst = () => {
  const said = (cacheControl: object) => ({ type: GraphQLString, resolve: () => 'x', extensions: { cacheControl } })
  const fields = {
    short: said({ maxAge: 10 }),
    mine: said({ scope: 'PRIVATE' }),
    nothing: said({ maxAge: null, scope: undefined }),
  }
  return new Schema({ query: new GraphQLObjectType({ name: 'Query', fields }) })
}

const FRAMEWORKS = [
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
]

describe.each(FRAMEWORKS)('@cacheControl and hints of resolvers, in $framework', ({ serve }) => {
  const openTown = useTown(serve, () => redisStore(inject('redisUrl')))
  const open = (options: object = {}, more: object = {}) =>
    openTown({ schema: bakery, options, cache: PATIENT, ...more })
  const metadata = { includeExtensionMetadata: true }
  const kept = (ttl: number) => (ttl === 0 ? { hit: false, didCache: false } : { hit: false, didCache: true, ttl })

  test('ages', async () => {
    const { shops } = await open(metadata)
    for (const [query, ttl] of AGES) {
      expect({ query, ...(await shops[0].ask(query)).body.extensions }).toEqual({ query, responseCache: kept(ttl) })
    }
  })

  test('ages where a policy is required', async () => {
    const { shops } = await open({ ...metadata, requirePolicy: true })
    for (const [query, , ttl] of AGES) {
      expect({ query, ...(await shops[0].ask(query)).body.extensions }).toEqual({ query, responseCache: kept(ttl) })
    }
  })

  test('options and hints: the least counts; an option is a policy', async () => {
    const ttlPerSchemaCoordinate = { 'Query.hinted': 40, Bare: 80, 'Query.short': 99_000, 'Query.plain': 70 }
    const { shops } = await open({ ...metadata, requirePolicy: true, ttlPerSchemaCoordinate })
    for (const [query, ttl] of [
      ['{ hinted(maxAge: 200) }', 40],
      ['{ bare { name } }', 80],
      ['{ short }', 10_000],
      ['{ plain }', 70],
    ] as const) {
      expect({ query, ...(await shops[0].ask(query)).body.extensions }).toEqual({ query, responseCache: kept(ttl) })
    }
  })

  test.each(SCOPES)('%s is for everybody: %s', async (query, isPublic) => {
    const town = await open()
    expect(await isCached(town, query)).toBe(isPublic)
    expect(await isCached(town, query, { user: 'ann' })).toBe(true)
  })

  test('extensions.cacheControl says the same', async () => {
    const town = await open(metadata, { schema: codeFirst })
    const said = async (query: string) => (await town.shops[0].ask(query)).body.extensions?.responseCache
    expect([await said('{ short }'), await said('{ nothing }'), await said('{ mine }')]).toEqual(
      [10_000, 60_000, 0].map(kept),
    )
  })

  test.each([
    ['maxAge: -1', '@cacheControl of Query.bad: maxAge must be at least 0 (s), got -1'],
    ['maxAge: 1.5e400', '@cacheControl of Query.bad: maxAge must be at least 0 (s), got "1.5e400"'],
    ['maxAge: "5"', '@cacheControl of Query.bad: maxAge must be at least 0 (s), got "5"'],
    ['scope: SECRET', `@cacheControl of Query.bad: scope must be 'PUBLIC' or 'PRIVATE', got "SECRET"`],
    [
      'maxAge: 5, inheritMaxAge: true',
      '@cacheControl of Query.bad: inheritMaxAge is in place of maxAge, not beside it',
    ],
    ['inheritMaxAge: 1', '@cacheControl of Query.bad: inheritMaxAge must be true or false, got 1'],
  ])('@cacheControl(%s) is refused when the server is made', async (said, message) => {
    await expect(open({}, { schema: () => badSchema(said) })).rejects.toThrow(message)
  })

  test.each([
    [{ maxage: 5 }, 'there is no "maxage", only maxAge, scope, inheritMaxAge'],
    [60, 'extensions.cacheControl must be an object, got 60'],
  ])('extensions.cacheControl %o is refused too', async (cacheControl, message) => {
    const query = new GraphQLObjectType({
      name: 'Query',
      fields: { a: { type: GraphQLString } },
      extensions: { cacheControl },
    })
    await expect(open({}, { schema: () => new Schema({ query }) })).rejects.toThrow(
      `@cacheControl of Query: ${message}`,
    )
  })

  test('a schema with a bad hint that comes later brings nothing down: what has the hint is not cached', async () => {
    const later = badSchema('maxAge: -1')
    const brings = { onEnveloped: ({ setSchema }: { setSchema(schema: GraphQLSchema): void }) => setSchema(later) }
    const town = await open({ ttlPerType: { Query: 5000 } }, { before: [brings] })
    const trace = traceOf(town.shops[0].cache)
    for (const user of [undefined, 'ann']) {
      const { body } = await town.shops[0].ask('{ bad good }', user === undefined ? {} : { user })
      expect(body).toEqual({ data: { bad: null, good: null } })
    }
    expect(trace.of('bypass')).toEqual([
      {
        type: 'bypass',
        what: 'what has a bad hint',
        reason: '@cacheControl of Query.bad: maxAge must be at least 0 (s), got -1',
      },
    ])
    expect(trace.of('publish')).toEqual([])
    await town.shops[0].ask('{ good }')
    await settled(town.shops[0].cache)
    expect(trace.of('publish')).toHaveLength(1)
  })
})

describe.each(FRAMEWORKS)('options about what the schema does not have, in $framework', ({ serve }) => {
  const open = useTown(serve, () => memoryStore())

  test.each([
    [{ ttlPerSchemaCoordinate: { 'Query.titel': 5 } }, 'ttlPerSchemaCoordinate: the schema has no field Query.titel'],
    [{ ttlPerType: { Queri: 5 } }, 'ttlPerType: the schema has no object, interface or union Queri'],
    [
      { scopePerSchemaCoordinate: { 'Query.good.bad': 'PRIVATE' } },
      'scopePerSchemaCoordinate: the schema has no field Query.good.bad',
    ],
    [{ ignoredTypes: ['String'] }, 'ignoredTypes: the schema has no object, interface or union String'],
    [{ idFields: ['uuid', 'key'] }, 'idFields: the schema has no type with a scalar field uuid or key'],
    [{ ttlPerType: { constructor: 5 } }, 'ttlPerType: the schema has no object, interface or union constructor'],
    [
      { scopePerSchemaCoordinate: { 'Query.toString': 'PRIVATE' } },
      'scopePerSchemaCoordinate: the schema has no field Query.toString',
    ],
  ])('%j are refused when the server is made', async (options, message) => {
    await expect(open({ options, schema: () => badSchema('maxAge: 5') })).rejects.toThrow(message)
  })

  test('are told once of a schema that comes later, and bring nothing down', async () => {
    const brings = {
      onEnveloped: ({ setSchema }: { setSchema(schema: GraphQLSchema): void }) => setSchema(later),
    }
    const later = buildSchema('type Query { good: String }')
    const options = { ttlPerSchemaCoordinate: { 'Query.bad': 5000 } }
    const town = await open({ options, before: [brings], schema: () => badSchema('maxAge: 5') })
    const trace = traceOf(town.shops[0].cache)
    for (const user of ['ann', 'bob']) {
      expect((await town.shops[0].ask('{ good }', { user })).body).toEqual({ data: { good: null } })
    }
    expect(trace.of('policyError')).toEqual([
      {
        type: 'policyError',
        key: 'Query.bad',
        option: 'ttlPerSchemaCoordinate',
        error: new TypeError('the schema has no field Query.bad'),
      },
    ])
  })
})

function badSchema(said: string): GraphQLSchema {
  return buildSchema(`${cacheControlTypeDefs} type Query { bad: String @cacheControl(${said}), good: String }`, {
    assumeValidSDL: true,
  })
}

const info = {
  path: { prev: undefined, key: 'a', typename: 'Query' },
  operation: getOperationAST(parse('{ a }')) as OperationDefinitionNode,
  schema: buildSchema('type Query { a: String }'),
}

test.each([
  [{}, { maxAge: -1 }, 'setCacheHint: maxAge must be at least 0 (s), got -1'],
  [{}, { maxAge: Number.NaN }, 'setCacheHint: maxAge must be at least 0 (s), got NaN'],
  [{}, { maxAge: '5' }, 'setCacheHint: maxAge must be at least 0 (s), got "5"'],
  [{}, { scope: 'private' }, `setCacheHint: scope must be 'PUBLIC' or 'PRIVATE', got "private"`],
  [{}, { inheritMaxAge: true }, 'setCacheHint: there is no "inheritMaxAge", only maxAge, scope'],
  [{}, undefined, 'setCacheHint takes a hint: { maxAge, scope }, got undefined'],
  [{}, [], 'setCacheHint takes a hint: { maxAge, scope }, got an array'],
])('setCacheHint in the context %o refuses %o', (_context, hint, message) => {
  expect(() => setCacheHint(info, hint as object)).toThrow(message)
})
