import { useMaskedErrors } from '@envelop/core'
import type { GraphQLError } from 'graphql'
import { describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { crowd, isCached, market, PATIENT } from './market.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { type Answer, useTown } from './shop.ts'

const SDL = /* GraphQL */ `
  type Query { fails(as: String!): String, strictly(as: String!): String!, item(as: String!): Item, ok: String }
  type Item { name: String, fails: String }
`

const SECRET = 'password 1234 of the database'

/** What a resolver throws, by name; each message ends in who asked. */
const schema = market(SDL, ({ graphql }) => {
  const { GraphQLError } = graphql
  const known: Record<string, (user: string | undefined) => unknown> = {
    code: (user) => new GraphQLError(`no such item: ${user}`, { extensions: { code: 'NOT_FOUND', at: { shelf: 3 } } }),
    status: (user) => {
      const http = { status: 404, headers: { 'set-cookie': `user=${user}` } }
      return new GraphQLError(`not here: ${user}`, { extensions: { code: 'NOT_FOUND', http } })
    },
    unauthenticated: (user) => new GraphQLError(`who is ${user}?`, { extensions: { code: 'UNAUTHENTICATED' } }),
    forbidden: (user) => new GraphQLError(`not for ${user}`, { extensions: { code: 'FORBIDDEN' } }),
    401: (user) => new GraphQLError(`who is ${user}?`, { extensions: { http: { status: 401 } } }),
    403: (user) =>
      new GraphQLError(`not for ${user}`, { originalError: Object.assign(new Error('no'), { status: 403 }) }),
    cause: (user) =>
      new GraphQLError(`not for ${user}`, { originalError: new Error('no', { cause: { statusCode: 403 } }) }),
    unexpected: (user) => new Error(`${SECRET} ${user}`),
    wrapped: (user) => new GraphQLError(`${SECRET} ${user}`, { originalError: new TypeError(`${SECRET} ${user}`) }),
    extended: (user) => Object.assign(new Error(`${SECRET} ${user}`), { extensions: { code: 'DB', sql: SECRET } }),
    text: (user) => `${SECRET} ${user}`,
  }
  const fails = (_parent: never, { as }: { as: string }, { user }: { user: string | undefined }): never => {
    throw known[as]?.(user)
  }
  return {
    Query: { fails, strictly: fails, ok: () => 'ok', item: (_parent, { as }) => ({ as, name: 'tea' }) },
    Item: { fails: ({ as }: { as: string }, _args, context) => fails(undefined as never, { as }, context) },
  }
})

const told = ({ body }: Answer) =>
  body.errors?.map(({ message, path, extensions }) => ({ message, path, extensions }) as Partial<GraphQLError>)

const FRAMEWORKS = [
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
]

describe.each(FRAMEWORKS)('results with errors, in $framework', ({ serve }) => {
  const openTown = useTown(serve, () => redisStore(inject('redisUrl')))
  const open = (options: object = {}, more: object = {}) =>
    openTown({ schema, options, session: () => null, cache: PATIENT, ...more })

  test.each(['{ fails(as: "code") }', '{ ok strictly(as: "code") }', '{ ok item(as: "code") { name f: fails } }'])(
    'who waits is told what the leader got, with code, path and data; nothing is stored: %s',
    async (query) => {
      const town = await open()
      const answers = await crowd(town, query)
      const [first, ...others] = answers.slice(0, 4) as [Answer, ...Answer[]]
      expect(told(first)).toEqual([
        {
          message: 'no such item: u0',
          path: expect.any(Array),
          extensions: expect.objectContaining({ code: 'NOT_FOUND', at: { shelf: 3 } }),
        },
      ])
      for (const other of others) {
        expect([told(other), other.body.data, other.status]).toEqual([told(first), first.body.data, first.status])
      }
      expect(told(answers[4] as Answer)?.[0]?.message).toBe('no such item: u4')
      expect(town.shops.map(({ cache }) => cache.stats().events.publish)).toEqual([0, 0])
    },
  )

  test('where shareError says no, each runs its own', async () => {
    const answers = await crowd(
      await open({}, { cache: { ...PATIENT, shareError: () => false } }),
      '{ ok fails(as: "code") }',
    )
    expect(answers.map((answer) => told(answer)?.[0]?.message)).toEqual(answers.map((_, i) => `no such item: u${i}`))
  })

  test('where shareError throws, too', async () => {
    const shareError = () => {
      throw new Error('no idea')
    }
    const town = await open({}, { cache: { ...PATIENT, shareError } })
    const answers = await crowd(town, '{ ok fails(as: "code") }')
    expect(answers.map((answer) => told(answer)?.[0]?.message)).toEqual(answers.map((_, i) => `no such item: u${i}`))
  })

  test.each(['unauthenticated', 'forbidden', '401', '403', 'cause'])(
    'what speaks of the leader’s rights is told to nobody else, nor stored by a wish of shouldCacheResult: %s',
    async (as) => {
      const town = await open({ shouldCacheResult: () => true })
      const answers = await crowd(town, `{ ok fails(as: "${as}") }`)
      const told = answers.map(({ text }) => /\bu\d\b/.exec(text)?.[0])
      // Yoga masks what was made of something else.
      const masked = serve === serveYoga && ['403', 'cause'].includes(as)
      expect(told).toEqual(answers.map((_, i) => (masked ? undefined : `u${i}`)))
      expect(town.runs.filter((what) => what === 'fails')).toHaveLength(5)
      expect(town.shops.map(({ cache }) => cache.stats().events.publish)).toEqual([0, 0])
    },
  )

  test('of what an error says to HTTP its status is for all who wait, and its cookies for who ran it', async () => {
    const answers = (await crowd(await open(), '{ fails(as: "status") }')).slice(0, 4)
    expect(answers.map(({ text }) => text.includes('not here: u0'))).toEqual([true, true, true, true])
    if (serve === serveYoga) {
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
      expect(answers.map(({ headers }) => headers.get('set-cookie'))).toEqual(['user=u0', null, null, null])
    }
    for (const { text } of answers.slice(1)) expect(text).not.toContain('user=')
  })

  test('shouldCacheResult may store it: hits have the same errors', async () => {
    const seen: unknown[] = []
    const town = await open({
      includeExtensionMetadata: true,
      shouldCacheResult(params: { cacheKey: string; result: object }) {
        seen.push(params)
        return true
      },
    })
    const query = '{ ok item(as: "code") { name fails } }'
    expect(await isCached(town, query)).toBe(true)
    const hits = await Promise.all(town.shops.map((shop) => shop.ask(query)))
    for (const hit of hits) {
      expect(hit.body.extensions).toEqual({ responseCache: { hit: true } })
      expect(hit.body.data).toEqual({ ok: 'ok', item: { name: 'tea', fails: null } })
      expect(told(hit)?.[0]).toMatchObject({ message: 'no such item: undefined', path: ['item', 'fails'] })
      expect(told(hit)?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', at: { shelf: 3 } })
    }
    expect(seen).toEqual([
      { cacheKey: expect.any(String), result: expect.objectContaining({ errors: [expect.any(Error)] }) },
    ])
  })
})

describe.each([
  { ...FRAMEWORKS[0], what: 'Yoga', before: [], after: [] },
  { ...FRAMEWORKS[1], what: 'envelop with useMaskedErrors in front', before: [useMaskedErrors()], after: [] },
  { ...FRAMEWORKS[1], what: 'envelop with useMaskedErrors behind', before: [], after: [useMaskedErrors()] },
] as const)('no message of an unexpected error reaches a client of $what', ({ serve, before, after }) => {
  const openTown = useTown(serve as typeof serveYoga, () => redisStore(inject('redisUrl')))
  const more = { before, after, session: () => null, cache: PATIENT, schema }

  test.each(['unexpected', 'wrapped', 'extended', 'text'])('%s', async (as) => {
    for (const options of [{}, { shouldCacheResult: () => true }]) {
      const town = await openTown({ ...more, options })
      const answers = await crowd(town, `{ ok fails(as: "${as}") }`)
      for (const answer of answers) {
        expect(answer.text).not.toMatch(/1234|sql/)
        expect(told(answer)?.map(({ message }) => message)).toEqual(['Unexpected error.'])
        expect(told(answer)).toEqual(told(answers[0] as Answer))
        expect(answer.body.data).toEqual({ ok: 'ok', fails: null })
      }
      expect(town.runs.filter((what) => what === 'fails')).toHaveLength('shouldCacheResult' in options ? 1 : 2)
    }
  })
})
