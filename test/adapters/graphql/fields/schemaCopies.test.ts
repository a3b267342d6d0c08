import {
  buildSchema,
  defaultFieldResolver,
  execute,
  GraphQLEnumType,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  GraphQLUnionType,
  isObjectType,
  lexicographicSortSchema,
  parse,
  printSchema,
  validateSchema,
} from 'graphql'
import { createSchema, createYoga } from 'graphql-yoga'
import { afterEach, describe, expect, inject, test } from 'vitest'
import {
  applyCachedDirective,
  cachedDirectiveTypeDefs,
  useCachedFields,
} from '../../../../src/adapters/graphql/directive.ts'
import { type Cache, createCache } from '../../../../src/index.ts'
import { redisStore } from '../../../../src/stores/redis/index.ts'
import { testNamespace } from '../../../redis/namespace.ts'
import { serveHttp } from '../../http.ts'
import { traceOf } from '../../trace.ts'
import { PATIENT } from '../market.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
})

function newCache(namespace = testNamespace('schemas')): Cache {
  const cache = createCache({ store: redisStore(inject('redisUrl')), namespace, ...PATIENT })
  open.push(cache)
  return cache
}

/** A schema of everything that there is in schemas. */
function richSchema(runs: string[]): GraphQLSchema {
  const unit = new GraphQLEnumType({ name: 'Unit', values: { PIECE: { value: 1 }, BOX: { value: 12 } } })
  const cents = new GraphQLScalarType<number, string>({
    name: 'Cents',
    specifiedByURL: 'https://cents.example',
    serialize: (value) => `${value}c`,
    parseValue: (value) => Number.parseInt(String(value), 10),
  })
  const filter = new GraphQLInputObjectType({
    name: 'Filter',
    fields: {
      unit: { type: unit, defaultValue: 12 },
      upTo: { type: cents, extensions: { own: 'field' } },
    },
    extensions: { own: 'input' },
  })
  const named = new GraphQLInterfaceType({
    name: 'Named',
    fields: { name: { type: GraphQLString } },
    resolveType: (value) => (value.country === undefined ? 'Product' : 'Maker'),
  })
  const product = new GraphQLObjectType({
    name: 'Product',
    description: 'What is sold.',
    interfaces: [named],
    isTypeOf: (value) => (value as { price?: number }).price !== undefined,
    fields: () => ({
      name: { type: GraphQLString, deprecationReason: 'Have none.' },
      unit: { type: unit },
      price: { type: cents },
      maker: { type: maker },
    }),
    extensions: { own: 'type' },
  })
  const maker: GraphQLObjectType = new GraphQLObjectType({
    name: 'Maker',
    interfaces: [named],
    isTypeOf: (value) => (value as { country?: string }).country !== undefined,
    fields: {
      name: { type: GraphQLString },
      country: { type: GraphQLString },
      products: { type: new GraphQLList(product) },
    },
  })
  const any = new GraphQLUnionType({ name: 'Any', types: [product, maker] })
  const pen = (unit: number) => ({ name: 'pen', unit, price: 250, maker: { name: 'Pens Ltd.', country: 'IS' } })
  return new GraphQLSchema({
    description: 'All of it.',
    query: new GraphQLObjectType({
      name: 'Root',
      fields: {
        all: {
          type: new GraphQLNonNull(new GraphQLList(any)),
          args: { filter: { type: filter, defaultValue: { unit: 1 } }, first: { type: GraphQLInt, defaultValue: 2 } },
          extensions: { cached: { maxAge: 60, scope: 'PUBLIC' }, own: 'field' },
          resolve: (_parent, { filter, first }) => {
            runs.push(JSON.stringify({ filter, first }))
            return [pen(filter.unit), pen(filter.unit).maker]
          },
        },
        named: { type: named, resolve: () => pen(1) },
      },
    }),
    mutation: new GraphQLObjectType({ name: 'Changes', fields: { sell: { type: product, resolve: () => pen(1) } } }),
    subscription: new GraphQLObjectType({
      name: 'News',
      fields: { sold: { type: product, async *subscribe() {}, resolve: () => pen(1) } },
    }),
    extensions: { own: 'schema' },
  })
}

const RICH = `{
  a: all { ...Any } b: all(filter: { unit: BOX, upTo: "3c" }, first: 1) { ...Any } c: all(filter: {}) { ...Any } named { name }
}
fragment Any on Any { __typename ... on Named { name } ... on Product { unit price maker { country } } }`

async function run(schema: GraphQLSchema, query = RICH): Promise<Record<string, unknown>> {
  const { data, errors } = await execute({ schema, document: parse(query), contextValue: {} })
  expect(errors).toBeUndefined()
  return data as Record<string, unknown>
}

describe('applyCachedDirective', () => {
  test('leaves the given schema as it is', async () => {
    const runs: string[] = []
    const schema = richSchema(runs)
    const before = snapshotOf(schema)
    const copy = applyCachedDirective(schema, { cache: newCache() })
    expect(copy).not.toBe(schema)
    expect(snapshotOf(schema)).toEqual(before)
    await run(copy)
    await run(schema)
    await run(schema)
    expect(runs).toHaveLength(3 + 3 + 3)
  })

  test('gives one that is the same in all else', async () => {
    const runs: string[] = []
    const schema = richSchema(runs)
    const cache = newCache()
    const trace = traceOf(cache)
    const copy = applyCachedDirective(schema, { cache })
    expect(printSchema(copy)).toBe(printSchema(schema))
    expect(validateSchema(copy)).toEqual([])
    const given = snapshotOf(schema)
    const made = snapshotOf(copy)
    const changed = Object.keys(made.fields).filter(
      (name) => made.fields[name]?.resolve !== given.fields[name]?.resolve,
    )
    expect(changed).toEqual(['Root.all'])
    expect(made.extensions).toEqual({
      ...given.extensions,
      'Root.all': { ...given.extensions['Root.all'], cachedBy: 'atomcache' },
    })
    const first = await run(copy)
    await trace.saw('publish', 3)
    expect(first).toEqual(await run(schema))
    runs.length = 0
    expect(await run(copy)).toEqual(first)
    expect(runs).toEqual([])
  })

  test('gives back a schema in which nothing is cached', () => {
    const schema = createSchema({
      typeDefs: `${cachedDirectiveTypeDefs} type Query { plain: String }`,
    }) as GraphQLSchema
    expect(applyCachedDirective(schema, { cache: newCache() })).toBe(schema)
  })

  test('leaves it to the given schema whether it is to be validated', async () => {
    const typeDefs = `${cachedDirectiveTypeDefs} type Query { __it: String @cached(maxAge: 60, scope: PUBLIC) }`
    const [given, refused] = [true, false].map((assumeValid) =>
      applyCachedDirective(buildSchema(typeDefs, { assumeValid, assumeValidSDL: true }), { cache: newCache() }),
    ) as [GraphQLSchema, GraphQLSchema]
    expect(await run(given, '{ __it }')).toEqual({ __it: null })
    expect(validateSchema(refused)).toMatchObject([{ message: expect.stringContaining('__it') }])
  })

  const again: { how: string; transform(schema: GraphQLSchema): GraphQLSchema }[] = [
    { how: 'as it is', transform: (schema) => schema },
    { how: 'sorted', transform: lexicographicSortSchema },
    { how: 'copied', transform: (schema) => new GraphQLSchema(schema.toConfig()) },
    {
      how: 'with other resolvers around its own',
      transform(schema) {
        const copy = lexicographicSortSchema(schema)
        for (const field of Object.values(copy.getQueryType()?.getFields() ?? {})) {
          const { resolve = defaultFieldResolver } = field
          field.resolve = (...given) => resolve(...given)
        }
        return copy
      },
    },
  ]
  test.each(again)('does not wrap a field twice in a schema that it made, $how', async ({ transform }) => {
    const cache = newCache()
    const trace = traceOf(cache)
    const schema = transform(applyCachedDirective(richSchema([]), { cache }))
    expect(applyCachedDirective(schema, { cache })).toBe(schema)
    const before = await run(schema)
    await trace.saw('publish', 3)
    expect(await run(schema)).toEqual(before)
    expect(['hit', 'miss', 'publish', 'alone'].map((type) => trace.of(type as 'hit').length)).toEqual([3, 3, 3, 0])
  })
})

/** All that a schema is made of which a function could have changed. */
function snapshotOf(schema: GraphQLSchema) {
  const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'))
  const fields = types.flatMap((type) =>
    isObjectType(type)
      ? Object.values(type.getFields()).map(({ name, resolve, subscribe }) => [
          `${type.name}.${name}`,
          { resolve, subscribe },
        ])
      : [],
  )
  const extended = types.flatMap((type) => [
    [type.name, { ...type.extensions }],
    ...('getFields' in type
      ? Object.values(type.getFields()).map(({ name, extensions }) => [`${type.name}.${name}`, { ...extensions }])
      : []),
  ])
  return {
    printed: printSchema(schema),
    fields: Object.fromEntries(fields) as Record<string, { resolve: unknown; subscribe: unknown }>,
    extensions: Object.fromEntries([...extended, ['', { ...schema.extensions }]]) as Record<string, object>,
  }
}

describe('Yoga', () => {
  const typeDefs = `${cachedDirectiveTypeDefs} type Query { it: String @cached(maxAge: 60, scope: PUBLIC) }`
  const refused = `${cachedDirectiveTypeDefs} type Query { it: String @cached(maxAge: 60) }`

  function schemaOf(runs: string[], types = typeDefs) {
    const it = () => `it ${runs.push('it')}`
    return createSchema({ typeDefs: types, resolvers: { Query: { it } } }) as GraphQLSchema
  }

  async function serve(schema: unknown, cache: Cache, before: readonly object[] = [], after: readonly object[] = []) {
    const plugins = [...before, useCachedFields({ cache, includeExtensionMetadata: true }), ...after]
    const server = await serveHttp(createYoga({ schema: schema as never, logging: false, plugins: plugins as never[] }))
    open.push(server)
    return async (tenant = 'a') => {
      const headers = { 'content-type': 'application/json', tenant }
      const body = JSON.stringify({ query: '{ it }' })
      const { data, errors, extensions } = (await (
        await fetch(`${server.url}/graphql`, { method: 'POST', headers, body })
      ).json()) as { data: { it: string }; errors: unknown; extensions: { cachedFields: object } }
      expect(errors).toBeUndefined()
      return [data.it, extensions.cachedFields]
    }
  }

  const LED = { 'Query.it': { led: 1 } }
  const HIT = { 'Query.it': { hit: 1 } }

  test('with a schema that is promised', async () => {
    const runs: string[] = []
    const cache = newCache()
    const trace = traceOf(cache)
    const ask = await serve(Promise.resolve(schemaOf(runs)), cache)
    expect(await ask()).toEqual(['it 1', LED])
    await trace.saw('publish')
    expect(await ask()).toEqual(['it 1', HIT])
  })

  test('with a schema for each tenant', async () => {
    const runs: string[] = []
    const cache = newCache()
    const trace = traceOf(cache)
    const plain = `${cachedDirectiveTypeDefs} type Query { it: String }`
    const schemas: Record<string, GraphQLSchema> = { a: schemaOf(runs), b: schemaOf(runs, plain) }
    const ask = await serve(({ request }: { request: Request }) => schemas[request.headers.get('tenant') ?? ''], cache)
    expect(await ask('a')).toEqual(['it 1', LED])
    await trace.saw('publish')
    expect(await ask('b')).toEqual(['it 2', {}])
    expect(await ask('a')).toEqual(['it 1', HIT])
    expect(await ask('b')).toEqual(['it 3', {}])
  })

  test('with a new schema for each request', async () => {
    const runs: string[] = []
    const cache = newCache()
    const trace = traceOf(cache)
    const ask = await serve(() => schemaOf(runs), cache)
    expect(await ask()).toEqual(['it 1', LED])
    await trace.saw('publish')
    for (let i = 0; i < 3; i++) expect(await ask()).toEqual(['it 1', HIT])
  })

  test('next to a plugin that transforms the schema, before and after', async () => {
    for (const side of ['before', 'after']) {
      const runs: string[] = []
      const cache = newCache()
      const trace = traceOf(cache)
      const transforming = {
        onSchemaChange({
          schema,
          replaceSchema,
        }: {
          schema: GraphQLSchema
          replaceSchema(schema: GraphQLSchema): void
        }) {
          if (schema.extensions.sorted === true) return
          const sorted = lexicographicSortSchema(schema)
          sorted.extensions = { sorted: true }
          replaceSchema(sorted)
        },
      }
      const ask = await serve(schemaOf(runs), cache, ...(side === 'before' ? [[transforming]] : [[], [transforming]]))
      expect(await ask()).toEqual(['it 1', LED])
      await trace.saw('publish')
      expect(await ask()).toEqual(['it 1', HIT])
      expect(['hit', 'miss'].map((type) => trace.of(type as 'hit').length)).toEqual([1, 1])
    }
  })

  test('refuses a bad schema when it is made, and serves a later one without the cache, and says so', async () => {
    const runs: string[] = []
    const cache = newCache()
    const trace = traceOf(cache)
    const plugins = [useCachedFields({ cache })] as never[]
    expect(() => createYoga({ schema: schemaOf(runs, refused) as never, plugins })).toThrow(
      /Query\.it: it has no scope/,
    )
    const ask = await serve(() => schemaOf(runs, refused), cache)
    expect(await ask()).toEqual(['it 1', {}])
    expect(await ask()).toEqual(['it 2', {}])
    expect(trace.of('bypass')).toMatchObject([{ reason: expect.stringContaining('it has no scope') }, {}])
  })
})
