import { defaultFieldResolver, GraphQLError, type GraphQLSchema } from 'graphql'
import { createSchema, createYoga, type YogaServerOptions } from 'graphql-yoga'
import { afterEach, describe, expect, inject, test } from 'vitest'
import {
  applyCachedDirective,
  cachedDirectiveTypeDefs,
  useCachedFields,
} from '../../../../src/adapters/graphql/directive.ts'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { createCache } from '../../../../src/index.ts'
import { redisStore } from '../../../../src/stores/redis/index.ts'
import { testNamespace } from '../../../redis/namespace.ts'
import { type FieldContext, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const openTown = useFieldTown()

const session = ({ user }: FieldContext) => user

/** What is whose is told by the text: each user has a secret of its own. */
const options: FieldTownOptions = {
  typeDefs: `
    type User { id: ID!, mail: String! @cached(maxAge: 60, scope: PRIVATE) }
    type Query {
      me: String! @cached(maxAge: 60, scope: PRIVATE)
      news: String! @cached(maxAge: 60, scope: PUBLIC)
      plain: String! @cached(maxAge: 60)
      user: User!
    }`,
  resolvers: ({ run }) => {
    const secret =
      (what: string) =>
      async (_parent: unknown, _args: unknown, { user = 'nobody' }: FieldContext) => {
        await run(`${what} of ${user}`)
        return `${what} secret-${user}`
      }
    return {
      Query: {
        me: secret('me'),
        news: async () => `news ${await run('news')}`,
        plain: secret('plain'),
        user: () => ({ id: 1 }),
      },
      User: { mail: secret('mail') },
    }
  },
  fields: { session, defaultScope: 'PRIVATE' },
}

test('what is PUBLIC is the same for everybody', async () => {
  const town = await openTown(options)
  await town.ask(0, '{ news }', { user: 'ann' })
  for (const user of ['bob', undefined]) {
    const { data, came } = await town.ask(1, '{ news }', user === undefined ? {} : { user })
    expect([data, came]).toEqual([{ news: 'news 1' }, { 'Query.news': { hit: 1 } }])
  }
})

test('what is PRIVATE is kept for each session', async () => {
  const town = await openTown(options)
  for (const user of ['ann', 'bob']) {
    const { data, came } = await town.hit('{ me }', { user })
    expect([data, came]).toEqual([{ me: `me secret-${user}` }, { 'Query.me': { hit: 1 } }])
  }
  expect(town.runs).toEqual(['me of ann', 'me of bob'])
})

test('defaultScope is of fields that say none', async () => {
  const town = await openTown(options)
  await town.hit('{ plain }', { user: 'ann' })
  expect((await town.ask(1, '{ plain }', { user: 'bob' })).data).toEqual({ plain: 'plain secret-bob' })
  const open = await openTown({ ...options, fields: { session, defaultScope: 'PUBLIC' } })
  await open.ask(0, '{ plain }', { user: 'ann' })
  expect((await open.ask(1, '{ plain }', { user: 'bob' })).data).toEqual({ plain: 'plain secret-ann' })
  expect((await open.ask(1, '{ me }', { user: 'bob' })).data).toEqual({ me: 'me secret-bob' })
})

test('sessions that look like parts of something else are others', async () => {
  const town = await openTown(options)
  const users = ['null', '0', '"ann"', 'ann', 'ann,bob', '["ann"]', 'ANN', 'PUBLIC', 'undefined']
  for (const user of users) await town.ask(0, '{ me user { mail } }', { user })
  for (const user of users) {
    const { data, came } = await town.ask(1, '{ me user { mail } }', { user })
    expect(data).toEqual({ me: `me secret-${user}`, user: { mail: `mail secret-${user}` } })
    expect(came).toEqual({ 'Query.me': { hit: 1 }, 'User.mail': { hit: 1 } })
  }
})

describe('a PRIVATE field without a session is resolved for each', () => {
  const NOBODY: readonly [name: string, session: (context: FieldContext) => unknown, reason: string | undefined][] = [
    ['null, which is nobody on purpose', () => null, undefined],
    [
      'undefined',
      () => undefined,
      'session gave undefined: it must be a non-empty string, or null for the same for everybody',
    ],
    [
      'an empty text',
      () => '',
      'session gave an empty string: it must be a non-empty string, or null for the same for everybody',
    ],
    ['a number', () => 7, 'session gave a number: it must be a non-empty string, or null for the same for everybody'],
    [
      'a promise',
      async () => {
        throw new Error('late')
      },
      'session gave a promise: it must be a non-empty string, or null for the same for everybody',
    ],
    [
      'what throws',
      () => {
        throw new Error('no session')
      },
      'session failed: no session',
    ],
  ]
  test.each(NOBODY)('with %s', async (_name, session, reason) => {
    const town = await openTown({ ...options, fields: { session: session as never, defaultScope: 'PUBLIC' } })
    for (const [site, user] of [
      [0, 'ann'],
      [1, 'bob'],
      [0, 'ann'],
    ] as const) {
      const { data, errors, came } = await town.ask(site, '{ me }', { user })
      expect([data, errors, came]).toEqual([{ me: `me secret-${user}` }, undefined, { 'Query.me': { uncached: 1 } }])
    }
    expect(town.runs).toHaveLength(3)
    const told = { type: 'bypass', what: 'field Query.me', reason }
    expect(town.trace.of('bypass')).toEqual(reason === undefined ? [] : [told, told, told])
    expect(town.trace.of('lead')).toEqual([])
  })
})

test('no byte of one user reaches another, in every order of requests, also while others wait', async () => {
  const query = '{ me plain user { mail } }'
  const users = ['ann', 'bob', undefined]
  const town = await openTown(options)
  const check = async (site: number, user: string | undefined) => {
    const { text } = await town.sites[site as 0 | 1].ask(query, user === undefined ? {} : { user })
    const secrets = new Set(text.match(/secret-\w+/g))
    expect([...secrets]).toEqual([`secret-${user ?? 'nobody'}`])
  }
  for (const first of users) {
    for (const second of users) {
      for (const third of users) {
        await town.sites[0].cache.clear()
        for (const [i, user] of [first, second, third].entries()) await check(i % 2, user)
      }
    }
  }
  await town.sites[0].cache.clear()
  town.gate.shut()
  const asking = Promise.all(Array.from({ length: 24 }, (_, i) => check(i % 2, users[i % 3])))
  await Promise.all([town.gate.holds(6), town.trace.saw('follow', 2), town.trace.saw('join', 2)])
  town.gate.open()
  await asking
})

test('a resolver that says PRIVATE keeps the value of a PUBLIC field from others', async () => {
  const town = await openTown({
    typeDefs: 'type Query { greeting: String! @cached(maxAge: 60, scope: PUBLIC) }',
    resolvers: ({ run }) => ({
      Query: {
        async greeting(
          _parent: unknown,
          _args: unknown,
          { user }: FieldContext,
          info: Parameters<typeof setCacheHint>[0],
        ) {
          await run('greeting')
          if (user !== undefined) setCacheHint(info, { scope: 'PRIVATE' })
          return `hello ${user ?? 'you'}`
        },
      },
    }),
  })
  const ask = async (site: 0 | 1, user?: string) =>
    (await town.ask(site, '{ greeting }', user === undefined ? {} : { user })).data
  expect(await ask(0, 'ann')).toEqual({ greeting: 'hello ann' })
  expect(await ask(1, 'bob')).toEqual({ greeting: 'hello bob' })
  // Who waits for one that turns out to be private asks for itself.
  town.gate.shut()
  const asking = [0, 1, 0, 1].map((site, i) => town.sites[site as 0 | 1].ask('{ greeting }', { user: `user${i}` }))
  await Promise.all([town.trace.saw('follow'), town.trace.saw('join', 2)])
  town.gate.open()
  for (const [i, { data }] of (await Promise.all(asking)).entries())
    expect(data).toEqual({ greeting: `hello user${i}` })
  expect(town.trace.of('publish')).toEqual([])
  expect(await ask(0)).toEqual({ greeting: 'hello you' })
  expect(town.trace.of('publish')).toHaveLength(1)
})

test('what fails after that is not told to others either', async () => {
  const town = await openTown({
    typeDefs: 'type Query { greeting: String @cached(maxAge: 60, scope: PUBLIC) }',
    resolvers: ({ run }) => ({
      Query: {
        async greeting(
          _parent: unknown,
          _args: unknown,
          { user }: FieldContext,
          info: Parameters<typeof setCacheHint>[0],
        ) {
          await run('greeting')
          setCacheHint(info, { scope: 'PRIVATE' })
          throw new GraphQLError(`secret of ${user}`)
        },
      },
    }),
  })
  town.gate.shut()
  const asking = [0, 1, 0, 1].map((site, i) => town.sites[site as 0 | 1].ask('{ greeting }', { user: `user${i}` }))
  await Promise.all([town.trace.saw('follow'), town.trace.saw('join', 2)])
  town.gate.open()
  for (const [i, { data, errors }] of (await Promise.all(asking)).entries()) {
    expect([data, errors?.[0]?.message]).toEqual([{ greeting: null }, `secret of user${i}`])
  }
})

describe('rights that resolvers check', () => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
  })
  const schema = () =>
    createSchema({
      typeDefs: [cachedDirectiveTypeDefs, 'type Query { salaries: String @cached(maxAge: 60, scope: PUBLIC) }'],
      resolvers: { Query: { salaries: () => 'a lot' } },
    }) as GraphQLSchema

  /** As transformers of directives such as `@auth` do it: they put themselves around the resolver that is there. */
  function guarded(schema: GraphQLSchema): GraphQLSchema {
    const field = schema.getQueryType()?.getFields().salaries
    if (field === undefined) throw new Error('no field')
    const { resolve = defaultFieldResolver } = field
    field.resolve = (parent, args, context: FieldContext, info) => {
      if (context.user !== 'boss') throw new GraphQLError('forbidden', { extensions: { code: 'FORBIDDEN' } })
      return resolve(parent, args, context, info)
    }
    return schema
  }

  async function asks(
    make: (cache: ReturnType<typeof createCache>) => {
      schema: GraphQLSchema
      plugins?: YogaServerOptions<object, object>['plugins']
    },
  ) {
    const namespace = testNamespace('auth')
    const [a, b] = [0, 1].map(() => {
      const cache = createCache({ store: redisStore(inject('redisUrl')), namespace })
      open.push(cache)
      const context = ({ request }: { request: Request }) => ({
        user: request.headers.get('authorization') ?? undefined,
      })
      const { schema, plugins = [] } = make(cache)
      const yoga = createYoga({ schema, plugins, context, logging: false })
      return async (user: string) => {
        const response = await yoga.fetch('http://yoga/graphql?query={salaries}', {
          headers: { authorization: user, accept: 'application/json' },
        })
        const { data } = (await response.json()) as { data: { salaries: string | null } }
        return data.salaries
      }
    }) as [(user: string) => Promise<string | null>, (user: string) => Promise<string | null>]
    return [await a('boss'), await b('boss'), await a('clerk'), await b('clerk')]
  }

  test('around the cache are checked for each request', async () => {
    const salaries = await asks((cache) => ({ schema: guarded(applyCachedDirective(schema(), { cache })) }))
    expect(salaries).toEqual(['a lot', 'a lot', null, null])
  })

  test('inside of the cache are not checked for what is stored: such a field must not be PUBLIC', async () => {
    const inside = await asks((cache) => ({ schema: applyCachedDirective(guarded(schema()), { cache }) }))
    expect(inside).toEqual(['a lot', 'a lot', 'a lot', 'a lot'])
    // The plugin is always around what it is given.
    const plugin = await asks((cache) => ({ schema: guarded(schema()), plugins: [useCachedFields({ cache })] }))
    expect(plugin).toEqual(['a lot', 'a lot', 'a lot', 'a lot'])
  })

  test('inside of the cache are safe where the field is PRIVATE', async () => {
    const mine = createSchema({
      typeDefs: [cachedDirectiveTypeDefs, 'type Query { salaries: String @cached(maxAge: 60, scope: PRIVATE) }'],
      resolvers: { Query: { salaries: () => 'a lot' } },
    }) as GraphQLSchema
    const salaries = await asks((cache) => ({ schema: applyCachedDirective(guarded(mine), { cache, session }) }))
    expect(salaries).toEqual(['a lot', 'a lot', null, null])
  })
})
