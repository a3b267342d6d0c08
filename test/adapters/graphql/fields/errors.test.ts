import { GraphQLError, type GraphQLErrorOptions } from 'graphql'
import { describe, expect, test } from 'vitest'
import {
  type FieldAnswer,
  type FieldContext,
  type FieldTown,
  type FieldTownOptions,
  useFieldTown,
} from './fieldTown.ts'

const open = useFieldTown()

/** A town whose `Query.it` fails so, or, where it gives anything, has that for its value. */
const failing = (
  fail: (count: number, context: FieldContext) => unknown,
  more: Partial<FieldTownOptions> = {},
): FieldTownOptions => ({
  typeDefs: 'type Query { it: String @cached(maxAge: 60, scope: PUBLIC) }',
  resolvers: ({ run }) => ({
    Query: { it: async (_parent: unknown, _args: unknown, context: FieldContext) => fail(await run('it'), context) },
  }),
  ...more,
})

/** Three at each server ask at once: one runs the resolver, and all others wait for it. */
async function crowd(town: FieldTown, user?: (i: number) => string): Promise<FieldAnswer[]> {
  town.gate.shut()
  const asking = [0, 0, 0, 1, 1, 1].map((site, i) =>
    town.sites[site as 0 | 1].ask('{ it }', user === undefined ? {} : { user: user(i) }),
  )
  await Promise.all([town.gate.holds(1), town.trace.saw('join', 4), town.trace.saw('follow')])
  town.gate.open()
  return Promise.all(asking)
}

const MASKED = { message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }

const secret = new Error('password=1234')

const soldOut = (options: GraphQLErrorOptions = {}) => new GraphQLError('sold out', options)

class AppError extends GraphQLError {}

class NamedError extends GraphQLError {
  override readonly name = 'NamedError'
}

/** As those of another graphql in the same process: of no class that is known here. */
const namesake = Object.assign(new Error('password=1234'), { name: 'GraphQLError' })

describe('is told to all who wait, as whoever ran the resolver is told it:', () => {
  const extensions = { code: 'GONE', left: 0 }
  const FAILURES: readonly [name: string, error: unknown, told: object, runs: number][] = [
    ['an Error, masked', secret, MASKED, 1],
    ['a TypeError, masked', new TypeError('password=1234'), MASKED, 1],
    ['what is no Error, masked', 'password=1234', MASKED, 1],
    ['a GraphQLError', soldOut(), { message: 'sold out' }, 1],
    ['one with extensions', soldOut({ extensions }), { message: 'sold out', extensions }, 1],
    ['one of a class of its own', new AppError('sold out', { extensions }), { message: 'sold out', extensions }, 1],
    ['one made of another', soldOut({ originalError: soldOut() }), { message: 'sold out' }, 1],
    // Each server has its own: what it was made of, and its class, do not travel, and so nobody there would know whether to mask it.
    ['one made of an Error, masked', new GraphQLError('password=1234', { originalError: secret }), MASKED, 2],
    ['one made of one, masked', soldOut({ originalError: soldOut({ originalError: secret }) }), MASKED, 2],
    ['what only has its name, masked', namesake, MASKED, 2],
    ['one with a name of its own', new NamedError('sold out', { extensions }), { message: 'sold out', extensions }, 2],
  ]
  test.each(FAILURES)('%s', async (_name, error, told, runs) => {
    const thrown = () => {
      throw error
    }
    // Executors take errors that are returned as if they were thrown.
    for (const fail of error instanceof Error ? [thrown, () => error] : [thrown]) {
      const town = await open(failing(fail))
      const answers = await crowd(town)
      for (const { data, errors, text } of answers) {
        expect(text).not.toContain('password')
        expect([data, errors]).toEqual([{ it: null }, [expect.objectContaining({ ...told, path: ['it'] })]])
      }
      expect(answers.map(({ text }) => text)).toEqual(answers.map(() => answers[0]?.text))
      expect(town.runs).toHaveLength(runs)
    }
  })
})

test('the place of an error is where each asked for it', async () => {
  const town = await open(failing(() => new GraphQLError('no')))
  town.gate.shut()
  const asking = [town.sites[0].ask('{ it }'), town.sites[0].ask('{\n a: it }'), town.sites[1].ask('{\n\n b: it }')]
  await Promise.all([town.trace.saw('join'), town.trace.saw('follow')])
  town.gate.open()
  const errors = (await Promise.all(asking)).map(({ errors }) => errors?.[0])
  expect(errors).toEqual([
    expect.objectContaining({ path: ['it'], locations: [{ line: 1, column: 3 }] }),
    expect.objectContaining({ path: ['a'], locations: [{ line: 2, column: 2 }] }),
    expect.objectContaining({ path: ['b'], locations: [{ line: 3, column: 2 }] }),
  ])
})

test('headers of an error are for whoever ran the resolver, and its status for all', async () => {
  const http = { status: 418, headers: { 'set-cookie': 'session=secret' } }
  const fail = () => new GraphQLError('teapot', { extensions: { http } })
  const town = await open({
    ...failing(fail),
    typeDefs: 'type Query { it: String! @cached(maxAge: 60, scope: PUBLIC) }',
  })
  const answers = await crowd(town)
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 418))
  expect(answers.filter(({ headers }) => headers.get('set-cookie') !== null)).toHaveLength(1)
})

test('also where it is no GraphQLError, and it stays of its class', async () => {
  class Quota extends Error {
    readonly extensions = { code: 'QUOTA', http: { status: 429, headers: { 'set-cookie': 'session=secret' } } }
  }
  const quota = new Quota('too much')
  const seen: unknown[] = []
  const maskError = (error: unknown) => {
    seen.push((error as GraphQLError).originalError)
    return error as Error
  }
  const thrown = () => {
    throw quota
  }
  const town = await open(failing(thrown, { yoga: { maskedErrors: { maskError } } }))
  await crowd(town)
  const headers = seen.map((error) => (error as Quota).extensions.http.headers)
  expect(headers.filter((one) => one !== undefined)).toHaveLength(1)
  expect(seen.map((error) => (error as Quota).extensions.http.status)).toEqual(seen.map(() => 429))
  expect(seen.filter((error) => error instanceof Quota && error.message === 'too much')).toHaveLength(3)
  expect(quota.extensions.http.headers).toEqual({ 'set-cookie': 'session=secret' })
})

test('an error is never stored', async () => {
  const town = await open(failing((count) => (count < 4 ? new GraphQLError(`no ${count}`) : `yes ${count}`)))
  const said: unknown[] = []
  for (const site of [0, 1, 0] as const) said.push((await town.ask(site, '{ it }')).errors?.[0]?.message)
  expect([said, town.trace.of('publish')]).toEqual([['no 1', 'no 2', 'no 3'], []])
  expect((await town.hit('{ it }')).data).toEqual({ it: 'yes 4' })
})

test('a null where there must be a value is an error too: it is told to those who wait, and not stored', async () => {
  const town = await open({
    ...failing((count) => (count < 3 ? null : `yes ${count}`), { yoga: { maskedErrors: false } }),
    typeDefs: 'type Query { it: String! @cached(maxAge: 60, scope: PUBLIC) }',
  })
  const message = 'Cannot return null for non-nullable field Query.it.'
  for (const { data, errors } of await crowd(town)) {
    expect([data, errors]).toEqual([null, [expect.objectContaining({ message })]])
  }
  expect(town.runs).toHaveLength(1)
  expect((await town.ask(0, '{ it }')).errors).toHaveLength(1)
  expect((await town.hit('{ it }')).data).toEqual({ it: 'yes 3' })
})

test.each([
  ['a null among members that must be there', '[String!]!', ['a', null]],
  ['a list in the place of which is none', '[String!]', 5],
  ['a null in a list of lists', '[[Int!]!]', [[1], [undefined]]],
])('%s is not stored', async (_name, type, value) => {
  const town = await open({
    ...failing(() => value, { yoga: { maskedErrors: false } }),
    typeDefs: `type Query { it: ${type} @cached(maxAge: 60, scope: PUBLIC) }`,
  })
  for (let run = 1; run <= 2; run++) {
    expect((await town.ask(0, '{ it }')).errors).toHaveLength(1)
    expect(town.runs).toHaveLength(run)
  }
})

describe('what speaks of the rights of one is shared with nobody:', () => {
  const PERSONAL: readonly [name: string, fail: (user: string) => Error][] = [
    ['UNAUTHENTICATED', (user) => new GraphQLError(`not ${user}`, { extensions: { code: 'UNAUTHENTICATED' } })],
    ['FORBIDDEN', (user) => new GraphQLError(`not ${user}`, { extensions: { code: 'FORBIDDEN' } })],
    ['status 401', (user) => new GraphQLError(`not ${user}`, { extensions: { http: { status: 401 } } })],
  ]
  test.each(PERSONAL)('%s', async (_name, fail) => {
    const town = await open(failing((_count, { user = '' }) => (user === 'user5' ? 'welcome' : fail(user))))
    const answers = await crowd(town, (i) => `user${i}`)
    for (const [i, { data, errors }] of answers.entries()) {
      if (i === 5) expect([data, errors]).toEqual([{ it: 'welcome' }, undefined])
      else expect(errors?.[0]?.message).toBe(`not user${i}`)
    }
    expect(town.runs).toHaveLength(6)
  })
})

describe('shareError', () => {
  const no = () => new GraphQLError('no')

  test('may keep errors from all who wait, here and at other servers', async () => {
    const town = await open(failing(no, { fields: { shareError: () => false } }))
    for (const { errors } of await crowd(town)) expect(errors?.[0]?.message).toBe('no')
    expect(town.runs).toHaveLength(6)
  })

  test('that throws is told, and shares nothing with anybody', async () => {
    const shareError = () => {
      throw new Error('who knows')
    }
    const town = await open(failing(no, { fields: { shareError } }))
    for (const { errors } of await crowd(town)) expect(errors?.[0]?.message).toBe('no')
    expect(town.runs).toHaveLength(6)
    expect(town.trace.of('policyError')[0]).toMatchObject({ option: 'shareError', error: new Error('who knows') })
  })
})

test('a wait that is limited ends in an error where that is wanted', async () => {
  // It is of the one who waits: shareError is about what others threw.
  const fields = { waitTimeout: 20, onWaitTimeout: 'throw', shareError: () => false } as const
  const town = await open(failing(() => 'late', { fields, yoga: { maskedErrors: false } }))
  town.gate.shut()
  const leading = town.sites[0].ask('{ it }')
  await town.gate.holds(1)
  const { data, errors } = await town.sites[1].ask('{ it }')
  expect([data, errors?.[0]?.message]).toEqual([{ it: null }, expect.stringContaining('waited 20 ms for')])
  town.gate.open()
  expect((await leading).data).toEqual({ it: 'late' })
})
