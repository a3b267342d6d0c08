import { buildSchema, execute, type GraphQLObjectType, type GraphQLResolveInfo, graphql, parse } from 'graphql'
import { describe, expect, test } from 'vitest'
import { cachedExecute } from '../../../../src/adapters/graphql/cachedExecute.ts'
import { applyCachedDirective, cachedDirectiveTypeDefs } from '../../../../src/adapters/graphql/directive.ts'
import { createCache, memoryStore } from '../../../../src/index.ts'
import { type FieldContext, type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

const madeOf =
  (document: string) => async (_parent: unknown, _args: unknown, contextValue: unknown, info: GraphQLResolveInfo) => {
    const { data, errors } = await graphql({ schema: info.schema, source: document, contextValue })
    if (errors?.[0] !== undefined) throw errors[0]
    return Object.values(data ?? {}).join()
  }

const options: FieldTownOptions = {
  typeDefs: `
    type Query {
      mine: String! @cached(maxAge: 60, scope: PRIVATE)
      greeting: String! @cached(maxAge: 60, scope: PUBLIC, vary: ["language"])
      failing: String @cached(maxAge: 60, scope: PUBLIC, vary: ["language"])
      ofMine: String! @cached(maxAge: 60, scope: PUBLIC)
      mineOfMine: String! @cached(maxAge: 60, scope: PRIVATE)
      ofGreeting: String! @cached(maxAge: 60, scope: PUBLIC)
      mineOfGreeting: String! @cached(maxAge: 60, scope: PRIVATE)
      plain: String!
    }`,
  resolvers: ({ run }) => {
    const ofUser = async (_parent: unknown, _args: unknown, { user }: FieldContext) => {
      await run('mine')
      return `of ${user}`
    }
    const ofLanguage = async (_parent: unknown, _args: unknown, { language }: FieldContext) => {
      await run('greeting')
      return `in ${language}`
    }
    return {
      Query: {
        mine: ofUser,
        greeting: ofLanguage,
        async failing(_parent: unknown, _args: unknown, context: FieldContext) {
          throw new Error(await ofLanguage(_parent, _args, context))
        },
        ofMine: madeOf('{ mine }'),
        mineOfMine: madeOf('{ mine }'),
        ofGreeting: madeOf('{ greeting }'),
        mineOfGreeting: madeOf('{ greeting }'),
        plain: () => 'plain',
      },
    }
  },
  fields: { session: ({ user }) => user },
}

/** Three who ask for the same, one after the other, in one language or as one user. */
const USERS = ['ann', 'bob', 'cid'].map((user) => ({ user, language: 'en' }))
const LANGUAGES = ['en', 'de', 'fr'].map((language) => ({ user: 'ann', language }))

type Asking = (typeof USERS)[number]

const told = ({ user, language }: Asking) => ({ mine: `of ${user}`, greeting: `in ${language}` })

/** The response to each; and whether one of them was, or may be, stored. */
async function asked(town: FieldTown, site: 0 | 1, query: string, asking: Asking) {
  const { text, data } = await town.ask(site, query, asking)
  const { extensions } = JSON.parse(text) as { extensions: { responseCache?: { hit: boolean; didCache?: boolean } } }
  const { hit = false, didCache = false } = extensions.responseCache ?? {}
  return { value: Object.values(data ?? {})[0], isKept: hit || didCache }
}

const byLanguage: FieldTownOptions = {
  ...options,
  responses: { session: (_request, { language }) => language ?? null },
}
const byUser: FieldTownOptions = { ...options, responses: { session: (_request, { user }) => user ?? null } }
const byNobody: FieldTownOptions = { ...options, responses: { session: () => null } }

describe('a response is kept for nobody, and told to nobody, where', () => {
  const CASES: readonly [string, FieldTownOptions, query: string, kind: 'mine' | 'greeting', asking: Asking[]][] = [
    ['a value is of another session', byLanguage, '{ mine }', 'mine', USERS],
    ['that is inside of a value for all', byLanguage, '{ ofMine }', 'mine', USERS],
    ['a value is of a session, and the response of none', byNobody, '{ mine }', 'mine', USERS],
    ['that is inside of a value for all, too', byNobody, '{ ofMine }', 'mine', USERS],
    ['a value varies', byNobody, '{ greeting }', 'greeting', LANGUAGES],
    ['a value varies, and the response is of a session', byUser, '{ greeting plain }', 'greeting', LANGUAGES],
    ['that is inside of a value for all, as well', byNobody, '{ ofGreeting }', 'greeting', LANGUAGES],
    ['or inside of one of that session', byUser, '{ mineOfGreeting }', 'greeting', LANGUAGES],
  ]
  test.each(CASES)('%s', async (_name, options, query, kind, asking) => {
    const town = await open(options)
    for (const [i, one] of [...asking, ...asking].entries()) {
      expect(await asked(town, (i % 2) as 0 | 1, query, one)).toEqual({ value: told(one)[kind], isKept: false })
    }
  })

  test.each(CASES)('%s: also in one moment', async (_name, options, query, kind, asking) => {
    const town = await open(options)
    town.gate.shut()
    const all = [...asking, ...asking].map((one, i) => asked(town, (i % 2) as 0 | 1, query, one))
    await town.gate.holds(1)
    town.gate.open()
    for (const [i, { value }] of (await Promise.all(all)).entries()) {
      expect(value).toBe(told(asking[i % asking.length] as Asking)[kind])
    }
  })

  test('a value that varies fails', async () => {
    const town = await open({ ...byNobody, yoga: { maskedErrors: false } })
    town.gate.shut()
    const all = LANGUAGES.map((one) => town.sites[0].ask('{ failing }', one))
    await town.gate.holds(1)
    town.gate.open()
    const messages = (await Promise.all(all)).map(({ errors }) => errors?.[0]?.message)
    expect(messages).toEqual(['in en', 'in de', 'in fr'])
  })
})

test('a response is kept for the session that its values are of', async () => {
  for (const query of ['{ mine }', '{ mineOfMine }']) {
    const town = await open(byUser)
    for (const [i, one] of [...USERS, ...USERS].entries()) {
      expect(await asked(town, i < 3 ? 0 : 1, query, one)).toEqual({ value: `of ${one.user}`, isKept: true })
    }
    expect(town.runs).toHaveLength(3)
  }
})

describe('a value is kept for nobody where one inside of it', () => {
  const CASES: readonly [string, query: string, kind: 'mine' | 'greeting', asking: Asking[]][] = [
    ['is of a session', '{ ofMine }', 'mine', USERS],
    ['varies', '{ ofGreeting }', 'greeting', LANGUAGES],
    ['varies, and it is of a session itself', '{ mineOfGreeting }', 'greeting', LANGUAGES],
  ]
  test.each(CASES)('%s', async (_name, query, kind, asking) => {
    const town = await open(options)
    for (const [i, one] of [...asking, ...asking].entries()) {
      expect((await asked(town, (i % 2) as 0 | 1, query, one)).value).toBe(told(one)[kind])
    }
    expect(town.trace.of('publish').filter(({ key }) => /of(Mine|Greeting)/i.test(key))).toEqual([])
  })
})

test('a value for all that is made of a stored response of a session is kept for nobody', async () => {
  await using cache = createCache({ store: memoryStore(), ttl: 60_000 })
  const session = ({ user }: { user?: string }) => user ?? null
  const respond = cachedExecute<{ user?: string }>({ cache, session })
  const sdl = 'type Query { mine: String @cached(scope: PRIVATE), ofMine: String @cached(scope: PUBLIC) }'
  const given = buildSchema(cachedDirectiveTypeDefs + sdl)
  const { mine } = (given.getType('Query') as GraphQLObjectType).getFields()
  Object.assign(mine as object, { resolve: (_parent: unknown, _args: unknown, { user }: { user: string }) => user })
  const schema = applyCachedDirective(given, { cache, session })
  const respondTo = async (contextValue: object) => {
    const result = await respond({ schema, document: parse('{ mine }'), contextValue }, execute)
    return result.data?.mine
  }
  const ask = async (user: string) => {
    const rootValue = { ofMine: (_args: unknown, context: object) => respondTo(context) }
    return (await graphql({ schema, source: '{ ofMine }', contextValue: { user }, rootValue })).data?.ofMine
  }
  await respondTo({ user: 'ann' })
  for (const user of ['ann', 'bob', 'ann']) expect(await ask(user)).toBe(user)
})
