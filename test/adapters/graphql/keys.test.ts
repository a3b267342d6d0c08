import { buildSchema, parse } from 'graphql'
import { describe, expect, it, test } from 'vitest'
import { documentDigest, schemaDigest } from '../../../src/adapters/graphql/documents/digests.ts'
import { copyOf } from '../../../src/adapters/graphql/results/data.ts'
import { watchRedis } from '../secrets.ts'
import { traceOf } from '../trace.ts'
import { crowd, market, PATIENT } from './market.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

const idOf = (sdl: string) => schemaDigest(buildSchema(sdl))

describe('the key of an operation', () => {
  it('does not depend on white space, comments or the order of definitions', () => {
    const digest = documentDigest(parse('query A { ...F } fragment F on Query { report }'))
    expect(documentDigest(parse('# of reports\nfragment F on Query { report }\n\nquery A {\n  ...F\n}'))).toBe(digest)
    expect(documentDigest(parse('query A { ...F } fragment F on Query { other: report }'))).not.toBe(digest)
  })

  it('has the schema in it: what two schemas answer to one document is not the same', () => {
    expect(idOf('type Query { report: String }')).not.toBe(idOf('type Query { report: String secret: String }'))
  })

  it('is the same for one schema in two processes, whatever its white space', () => {
    expect(idOf('type Query { report: String }')).toBe(idOf('type Query {\n  report: String\n}'))
  })
})

it('a copy of a result keeps what is named __proto__, and inherits nothing from it', () => {
  const scalar = JSON.parse('{"__proto__":{"admin":true},"a":[1]}')
  const copy = copyOf({ data: { scalar } }).data.scalar
  expect(JSON.stringify(copy)).toBe(JSON.stringify(scalar))
  expect(copy.admin).toBeUndefined()
  expect(copy.a).not.toBe(scalar.a)
})

const SDL = /* GraphQL */ `
  input Filter { word: String }
  type Query { title(of: Filter): String, other(of: Filter): String }
  type Mutation { rename(to: String): String }
`
const schema = market(SDL, () => ({
  Query: { title: () => 'a title', other: () => 'another one' },
  Mutation: { rename: () => 'renamed' },
}))

describe.each([
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
])('sessions and variables are nowhere to be read, in $framework', ({ serve }) => {
  const redis = watchRedis()
  const open = useTown(serve, redis.store)
  const throws = () => {
    throw new Error('no idea')
  }
  const own = ({ sessionId, variableValues }: { sessionId: string; variableValues: object }) =>
    JSON.stringify([sessionId, variableValues])

  test.each<[string, object]>([
    ['by default', {}],
    ['with a key of the user’s own', { buildResponseCacheKey: own }],
    ['with a document text of the user’s own', { getDocumentString: () => '{ title }' }],
    ['where a function of the user’s fails', { shouldCacheResult: throws }],
    ['where a key can’t be made', { buildResponseCacheKey: throws }],
  ])('not in Redis, events or warnings: %s', async (_how, options) => {
    const [session, word] = [crypto.randomUUID(), crypto.randomUUID()]
    const variables = { of: { word } }
    for (const isHeard of [true, false]) {
      const town = await open({ schema, options, cache: PATIENT, session: () => session })
      const trace = isHeard ? traceOf(...town.shops.map(({ cache }) => cache)) : undefined
      if (Object.keys(options).length === 0 && isHeard) await crowd(town, '{ title }')
      for (const query of ['title', 'other', 'title', 'title']) {
        for (const shop of town.shops) {
          const source = `query Q($of: Filter) { ${query}(of: $of) }`
          expect((await shop.ask(source, { variables, user: session })).status).toBe(200)
        }
      }
      const mutation = 'mutation ($to: String) { rename(to: $to) }'
      await town.shops[0].ask(mutation, { variables: { to: word }, user: session })
      await redis.expectNothingOf([session, word], trace?.events ?? [])
    }
  })
})
