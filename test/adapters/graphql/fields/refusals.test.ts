import { type Plugin as EnvelopPlugin, envelop, useEngine, useSchema } from '@envelop/core'
import * as graphqlJs from 'graphql'
import { buildSchema, type GraphQLObjectType, type GraphQLSchema } from 'graphql'
import { createSchema, createYoga } from 'graphql-yoga'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import {
  applyCachedDirective,
  type CachedFieldsOptions,
  cachedDirectiveTypeDefs,
  useCachedFields,
} from '../../../../src/adapters/graphql/directive.ts'
import { type Cache, createCache } from '../../../../src/index.ts'
import { redisStore } from '../../../../src/stores/redis/index.ts'
import { testNamespace } from '../../../redis/namespace.ts'
import { traceOf } from '../../trace.ts'

let cache: Cache
beforeAll(() => {
  cache = createCache({ store: redisStore(inject('redisUrl')), namespace: testNamespace('refusals') })
})
afterAll(() => cache.close())

const build = (sdl: string, at?: string, cached?: unknown): GraphQLSchema => {
  const schema = buildSchema(cachedDirectiveTypeDefs + sdl)
  const [type = '', field = ''] = at?.split('.') ?? []
  const found = (schema.getType(type) as GraphQLObjectType | undefined)?.getFields()[field]
  if (found !== undefined) found.extensions = { cached } as never
  return schema
}

/** What is said where the schema is refused; by coordinate. */
function refusal(schema: GraphQLSchema, options: Partial<CachedFieldsOptions> = {}): string {
  try {
    applyCachedDirective(schema, { cache, ...options })
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  return ''
}

describe('a directive is refused', () => {
  const REFUSED: readonly [name: string, sdl: string, message: string, options?: Partial<CachedFieldsOptions>][] = [
    [
      'without a scope',
      'type Query { a: Int @cached(maxAge: 1) }',
      'Query.a: it has no scope: say PUBLIC (the same for everybody) or PRIVATE (of a session), or give defaultScope',
    ],
    [
      'with PRIVATE and no session',
      'type Query { a: Int @cached(scope: PRIVATE) }',
      'Query.a: its scope is PRIVATE, and there is no session: give session, a function of the context',
    ],
    [
      'with a default of PRIVATE and no session',
      'type Query { a: Int @cached }',
      'Query.a: its scope is PRIVATE, and there is no session: give session, a function of the context',
      { defaultScope: 'PRIVATE' },
    ],
    [
      'with another scope',
      'type Query { a: Int @cached(scope: SECRET) }',
      `Query.a: scope must be 'PUBLIC' or 'PRIVATE', got "SECRET"`,
    ],
    [
      'with a maxAge below 0',
      'type Query { a: Int @cached(scope: PUBLIC, maxAge: -1) }',
      'Query.a: maxAge must be greater than 0 (s), got -1',
    ],
    [
      'with a maxAge of 0',
      'type Query { a: Int @cached(scope: PUBLIC, maxAge: 0) }',
      'Query.a: maxAge must be greater than 0 (s), got 0',
    ],
    [
      'with a staleWhileRevalidate below 0',
      'type Query { a: Int @cached(scope: PUBLIC, staleWhileRevalidate: -1) }',
      'Query.a: staleWhileRevalidate must be at least 0 (s), got -1',
    ],
    [
      'with a staleIfError that is no number',
      'type Query { a: Int @cached(scope: PUBLIC, staleIfError: "60") }',
      'Query.a: staleIfError must be at least 0 (s), got "60"',
    ],
    [
      'with a negativeMaxAge below 0',
      'type Query { a: Int @cached(scope: PUBLIC, negativeMaxAge: -1) }',
      'Query.a: negativeMaxAge must be at least 0 (s), got -1',
    ],
    [
      'at a mutation',
      'type Query { b: Int } type Mutation { a: Int @cached(scope: PUBLIC) }',
      'Mutation.a: what a mutation does must be done each time: leave it out, and give the fields of queries tags',
    ],
    [
      'at a mutation of another name',
      'schema { query: Q mutation: M } type Q { b: Int } type M { a: Int @cached(scope: PUBLIC) }',
      'M.a: what a mutation does must be done each time: leave it out, and give the fields of queries tags',
    ],
    [
      'at a subscription',
      'type Query { b: Int } type Subscription { a: Int @cached(scope: PUBLIC) }',
      'Subscription.a: a subscription has events, not a value: leave it out',
    ],
    [
      'at an interface',
      'type Query { n: N } interface N { a: Int @cached(scope: PUBLIC) }',
      'N.a: resolvers are of objects: say it at the types that implement N',
    ],
    [
      'where the parent can not be told from others',
      'type Query { t: T } type T { a: Int @cached(scope: PUBLIC) }',
      'T.a: T has no field id that tells one from another: say parentKey, the name of one that does, or in the extensions a function of the parent',
    ],
    [
      'with a parentKey that is not there',
      'type Query { t: T } type T { id: ID, a: Int @cached(scope: PUBLIC, parentKey: "sku") }',
      'T.a: T has no field sku that tells one from another: say parentKey, the name of one that does, or in the extensions a function of the parent',
    ],
    [
      'with a parentKey that is an object',
      'type Query { t: T } type T { id: ID, self: T!, a: Int @cached(scope: PUBLIC, parentKey: "self") }',
      'T.a: T.self is T!, not a text or a number: say parentKey, the name of a field that is, or in the extensions a function of the parent',
    ],
    [
      'with an id that is a list',
      'type Query { t: T } type T { id: [ID], a: Int @cached(scope: PUBLIC) }',
      'T.a: T.id is [ID], not a text or a number: say parentKey, the name of a field that is, or in the extensions a function of the parent',
    ],
    [
      'with a parentKey at the query',
      'type Query { id: ID, a: Int @cached(scope: PUBLIC, parentKey: "id") }',
      'Query.a: Query has no parent: leave out parentKey',
    ],
    [
      'with an empty parentKey',
      'type Query { t: T } type T { a: Int @cached(scope: PUBLIC, parentKey: "") }',
      'T.a: parentKey must be the name of a field, or a function of the parent, got ""',
    ],
    [
      'with an empty path to vary by',
      'type Query { a: Int @cached(scope: PUBLIC, vary: ["x", ""]) }',
      'Query.a: vary must be a list of texts that are not empty, or a function, got an array',
    ],
    [
      'with a path to vary by that has an empty name in it',
      'type Query { a: Int @cached(scope: PUBLIC, vary: ["user", "user."]) }',
      'Query.a: vary must have paths such as user.tenant, got "user."',
    ],
    [
      'with an empty tag',
      'type Query { a: Int @cached(scope: PUBLIC, tags: [""]) }',
      'Query.a: tags must be a list of texts that are not empty, or a function, got an array',
    ],
    [
      'with a place in a tag that is none',
      'type Query { a: Int @cached(scope: PUBLIC, tags: ["x:{id}"]) }',
      'Query.a: {id} is none of {args.…}, {parent.…} and {result.…}',
    ],
    [
      'with an argument in a tag that is not there',
      'type Query { a(id: ID): Int @cached(scope: PUBLIC, tags: ["x:{args.sku}"]) }',
      'Query.a: {args.sku}: there is no sku in args',
    ],
    [
      'with a parent in a tag at the query',
      'type Query { a: Int @cached(scope: PUBLIC, tags: ["x:{parent.id}"]) }',
      'Query.a: {parent.id}: there is no id in Query',
    ],
  ]
  test.each(REFUSED)('%s', (_name, sdl, message, options) => {
    // Yoga's schemas and those of graphql-js refuse some of it themselves; here they are as other tools make them.
    const schema = buildSchema(cachedDirectiveTypeDefs + sdl, { assumeValid: true, assumeValidSDL: true })
    expect(refusal(schema, options)).toBe(`@cached of ${message}`)
  })
})

describe('what extensions say is refused', () => {
  const sdl =
    'type Query { a: Int, t: T } type T { id: ID, a: Int, b: Int @cached(scope: PUBLIC, maxAge: 1, tags: null) }'
  const REFUSED: readonly [name: string, at: string, cached: unknown, message: string][] = [
    ['that is no object', 'Query.a', 60, 'extensions.cached must be an object such as { maxAge: 60 }, got 60'],
    ['that is null', 'Query.a', null, 'extensions.cached must be an object such as { maxAge: 60 }, got null'],
    ['that is a list', 'Query.a', [60], 'extensions.cached must be an object such as { maxAge: 60 }, got an array'],
    [
      'with a name that is not known',
      'Query.a',
      { scope: 'PUBLIC', ttl: 60 },
      'there is no ttl, only maxAge, staleWhileRevalidate, staleIfError, negativeMaxAge, isNegative, isOutage, scope, parentKey, vary, tags, entities, serialize, revive',
    ],
    [
      'with what the directive says too',
      'T.b',
      { maxAge: 60 },
      'maxAge is said by the directive and in the extensions: say it once',
    ],
    [
      'also where the directive says null',
      'T.b',
      { tags: ['x'] },
      'tags is said by the directive and in the extensions: say it once',
    ],
    [
      'with a maxAge that is no number',
      'Query.a',
      { scope: 'PUBLIC', maxAge: '60' },
      'maxAge must be greater than 0 (s), got "60"',
    ],
    [
      'with a maxAge of NaN',
      'Query.a',
      { scope: 'PUBLIC', maxAge: Number.NaN },
      'maxAge must be greater than 0 (s), got NaN',
    ],
    [
      'with an isNegative that is no function',
      'Query.a',
      { scope: 'PUBLIC', negativeMaxAge: 1, isNegative: true },
      'isNegative must be a function, got true',
    ],
    [
      'with an isNegative and nothing that it is for',
      'Query.a',
      { scope: 'PUBLIC', isNegative: () => true },
      'isNegative says which values are fresh for negativeMaxAge: say that too',
    ],
    [
      'with an isOutage that is no function',
      'Query.a',
      { scope: 'PUBLIC', isOutage: true },
      'isOutage must be a function, got true',
    ],
    [
      'with entities that is no flag',
      'Query.a',
      { scope: 'PUBLIC', entities: 'yes' },
      'entities must be true or false, got "yes"',
    ],
    [
      'with a parentKey that is none',
      'T.a',
      { scope: 'PUBLIC', parentKey: 7 },
      'parentKey must be the name of a field, or a function of the parent, got 7',
    ],
    [
      'with one way to vary that is no list',
      'Query.a',
      { scope: 'PUBLIC', vary: 'language' },
      'vary must be a list of texts that are not empty, or a function, got "language"',
    ],
    [
      'with a tag that is no list',
      'Query.a',
      { scope: 'PUBLIC', tags: 'x' },
      'tags must be a list of texts that are not empty, or a function, got "x"',
    ],
    [
      'with a serialize that is no function',
      'Query.a',
      { scope: 'PUBLIC', serialize: 1, revive: () => 1 },
      'serialize must be a function, got 1',
    ],
    [
      'with serialize alone',
      'Query.a',
      { scope: 'PUBLIC', serialize: () => 1 },
      'serialize and revive go together: what one makes of a value the other makes a value again',
    ],
    [
      'with revive alone',
      'Query.a',
      { scope: 'PUBLIC', revive: () => 1 },
      'serialize and revive go together: what one makes of a value the other makes a value again',
    ],
  ]
  test.each(REFUSED)('%s', (_name, at, cached, message) => {
    expect(refusal(build(sdl, at, cached))).toBe(`@cached of ${at}: ${message}`)
  })

  test('but not what adds to what the directive says, nor what is undefined', () => {
    const none = { staleIfError: 0, staleWhileRevalidate: 0, negativeMaxAge: 0, isOutage: undefined }
    const cached = { vary: () => 1, entities: true, serialize: undefined, scope: undefined, ...none }
    expect(refusal(build(sdl, 'T.b', { vary: cached.vary, entities: true, serialize: undefined }))).toBe('')
    expect(refusal(build(sdl, 'Query.a', cached), { defaultScope: 'PUBLIC' })).toBe('')
  })
})

test('all that is refused of a schema is in one error', () => {
  const schema = build(
    `type Query { a: Int @cached, ok: Int @cached(scope: PUBLIC), t: T }
     type T { a: Int @cached(scope: PUBLIC), b: Int @cached(scope: PUBLIC, maxAge: -5) }
     type Mutation { c: Int @cached(scope: PUBLIC) }`,
  )
  const lines = refusal(schema).split('\n')
  expect(lines.map((line) => /^@cached of ([\w.]+): \w/.exec(line)?.[1]).sort()).toEqual([
    'Mutation.c',
    'Query.a',
    'T.a',
    'T.b',
  ])
})

describe('an option is refused', () => {
  const REFUSED: readonly [name: string, options: object, message: string][] = [
    ['cache', { cache: {} }, 'cache must be what createCache() returned'],
    ['of another name', { scope: 'PUBLIC' }, 'has no option "scope"; it has '],
    [
      'session',
      { session: 'user' },
      'session must be a function of the context that says whose data it is, got "user"',
    ],
    ['defaultScope', { defaultScope: 'public' }, `defaultScope must be 'PUBLIC' or 'PRIVATE', got "public"`],
    ['entities', { entities: 1 }, 'entities must be true or false, got 1'],
    ['strict', { strict: 'yes' }, 'strict must be true or false, got "yes"'],
    ['idFields', { idFields: 'id' }, 'idFields must be a list of names of fields, got "id"'],
    ['idFields with an empty name', { idFields: [''] }, 'idFields must be a list of names of fields, got an array'],
    ['ttl', { ttl: 0 }, 'ttl must be '],
    ['ttl that is no number', { ttl: '60' }, 'ttl must be '],
    ['leaseTtl', { leaseTtl: 5 }, 'leaseTtl must be at least 100 (ms), got 5'],
    ['onWaitTimeout', { onWaitTimeout: 'wait' }, `onWaitTimeout must be 'load', 'stale' or 'throw', got "wait"`],
    ['shareError', { shareError: true }, 'shareError must be a function of the error, got true'],
    [
      'staleWhileRevalidate',
      { staleWhileRevalidate: -1 },
      'staleWhileRevalidate must be at least 0 (ms) or Infinity, got -1',
    ],
    ['staleIfError', { staleIfError: '1' }, 'staleIfError must be at least 0 (ms) or Infinity, got "1"'],
    ['softTimeout', { softTimeout: 0 }, 'softTimeout must be greater than 0 (ms) or Infinity, got 0'],
    ['isOutage', { isOutage: true }, 'isOutage must be a function, got true'],
    ['jitter', { jitter: 2 }, 'jitter must be a part of the ttl, from 0 to 1, got 2'],
    ['earlyRefresh', { earlyRefresh: 1 }, 'earlyRefresh must be true, false or { beta }, got 1'],
    ['negativeTtl', { negativeTtl: -1 }, 'negativeTtl must be at least 0 (ms) or Infinity, got -1'],
    ['isNegative', { isNegative: true }, 'isNegative must be a function, got true'],
    ['errorTtl', { errorTtl: -1 }, 'errorTtl must be at least 0 (ms), or a function of the error, got -1'],
  ]
  const schema = build('type Query { a: Int }')
  test.each(REFUSED)('%s', (_name, options, message) => {
    expect(() => applyCachedDirective(schema, { cache, ...options } as never)).toThrow(message)
    expect(() => useCachedFields({ cache, ...options } as never)).toThrow(message)
  })

  test('that only the plugin has', () => {
    expect(() => useCachedFields({ cache, includeExtensionMetadata: 1 } as never)).toThrow(
      new TypeError('includeExtensionMetadata must be true or false, got 1'),
    )
    expect(() => applyCachedDirective(schema, { cache, includeExtensionMetadata: true } as never)).toThrow(
      'applyCachedDirective has no option "includeExtensionMetadata"; it has ',
    )
    expect(() => useCachedFields(undefined as never)).toThrow(
      new TypeError('useCachedFields takes options, got undefined'),
    )
  })

  test('but not a ttl without an end, nor what is undefined', () => {
    const options = { session: undefined, defaultScope: undefined, ttl: Number.POSITIVE_INFINITY, strict: undefined }
    expect(applyCachedDirective(schema, { cache, ...options })).toBe(schema)
  })
})

describe('a plugin', () => {
  const bad = () =>
    createSchema({
      typeDefs: [cachedDirectiveTypeDefs, 'type Query { a: String @cached, b: String @cached(scope: PUBLIC) }'],
      resolvers: { Query: { a: () => 'a', b: () => 'b' } },
    }) as GraphQLSchema
  const message = '@cached of Query.a: it has no scope'

  test('refuses the schema that a server is made with', () => {
    expect(() => createYoga({ schema: bad(), plugins: [useCachedFields({ cache })] })).toThrow(message)
    const plugins = [useEngine(graphqlJs), useSchema(bad()), useCachedFields({ cache }) as EnvelopPlugin]
    expect(() => envelop({ plugins })).toThrow(message)
  })

  test('tells of one that comes later, once, and its fields are resolved', async () => {
    const trace = traceOf(cache)
    const schema = bad()
    const yoga = createYoga({ schema: async () => schema, logging: false, plugins: [useCachedFields({ cache })] })
    for (let i = 0; i < 2; i++) {
      const response = await yoga.fetch('http://yoga/graphql?query={a,b}', { headers: { accept: 'application/json' } })
      expect(await response.json()).toEqual({ data: { a: 'a', b: 'b' } })
    }
    const reason = expect.stringContaining(message)
    expect(trace.events).toEqual([{ type: 'bypass', what: 'every field of a schema', reason }])
  })

  test('caches the fields of one that comes later', async () => {
    const trace = traceOf(cache)
    const schema = createSchema({
      typeDefs: [cachedDirectiveTypeDefs, 'type Query { later: String @cached(scope: PUBLIC) }'],
      resolvers: { Query: { later: () => 'later' } },
    })
    const yoga = createYoga({ schema: async () => schema, logging: false, plugins: [useCachedFields({ cache })] })
    const ask = async () => {
      const response = await yoga.fetch('http://yoga/graphql?query={later}', {
        headers: { accept: 'application/json' },
      })
      return response.json()
    }
    expect(await ask()).toEqual({ data: { later: 'later' } })
    await trace.saw('publish')
    expect(await ask()).toEqual({ data: { later: 'later' } })
    expect(trace.of('hit')).toHaveLength(1)
  })
})
