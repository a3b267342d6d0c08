import { useDeferStream } from '@graphql-yoga/plugin-defer-stream'
import { describe, expect, test } from 'vitest'
import { type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

const options: FieldTownOptions = {
  typeDefs: `
    directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
    directive @stream(if: Boolean, label: String, initialCount: Int = 0) on FIELD
    type Query {
      rates: String! @cached(maxAge: 60, scope: PUBLIC, tags: ["rates"])
      letters: [String!]! @cached(maxAge: 60, scope: PUBLIC)
      plain: String!
    }`,
  resolvers: ({ run }) => ({
    Query: {
      rates: async () => `rates ${await run('rates')}`,
      letters: async () => ['a', 'b', `c${await run('letters')}`],
      plain: async () => `plain ${await run('plain')}`,
    },
  }),
}

test('operations of a batch have metadata of their own', async () => {
  const town = await open({ ...options, yoga: { batching: true } })
  const response = await fetch(`${town.sites[0].url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify([{ query: '{ rates }' }, { query: '{ letters plain }' }, { query: '{ plain }' }]),
  })
  const results = (await response.json()) as { extensions: { cachedFields: unknown } }[]
  expect(results.map(({ extensions }) => extensions.cachedFields)).toEqual([
    { 'Query.rates': { led: 1 } },
    { 'Query.letters': { led: 1 } },
    {},
  ])
})

describe('in parts', () => {
  const query = '{ plain ... @defer { rates } letters @stream(initialCount: 1) }'
  const ask = async (url: string) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed' },
      body: JSON.stringify({ query }),
    })
    const text = await response.text()
    expect([/"rates":"rates \d"/, /"c\d"/].map((part) => part.test(text))).toEqual([true, true])
    return text
  }
  const after = [useDeferStream() as never]

  test('a cached field is deferred or streamed as any other', async () => {
    const town = await open({ ...options, after })
    expect(await ask(town.sites[0].url)).toContain('"hasNext":false')
    await town.ask(0, '{ __typename }')
    expect(await ask(town.sites[1].url)).toContain('"hasNext":false')
    expect(town.runs.sort()).toEqual(['letters', 'plain', 'plain', 'rates'])
  })

  test('a response has the tags of what came late', async () => {
    const town = await open({ ...options, after, responses: {} })
    await ask(town.sites[0].url)
    await town.ask(0, '{ __typename }')
    expect(await ask(town.sites[1].url)).toContain('"responseCache":{"hit":true}')
    await town.sites[0].cache.invalidate({ tags: ['rates'] })
    await town.trace.saw('invalidate', 2)
    expect(await ask(town.sites[1].url)).toContain('"hasNext":false')
    expect(town.runs.sort()).toEqual(['letters', 'plain', 'plain', 'rates', 'rates'])
  })
})

test.each([true, false])('the order of the plugins does not count: fields first %s', async (fieldsFirst) => {
  const town = await open({ ...options, fieldsFirst, responses: {} })
  const came: unknown[] = []
  for (const site of [0, 1] as const) {
    const answer = await town.ask(site, '{ rates plain }')
    came.push([answer.data, answer.came])
  }
  const data = { plain: 'plain 1', rates: 'rates 2' }
  expect(came).toEqual([
    [data, { 'Query.rates': { led: 1 } }],
    [data, {}],
  ])
  await town.sites[0].cache.invalidate({ tags: ['rates'] })
  expect((await town.ask(0, '{ rates plain }')).data).toEqual({ plain: 'plain 3', rates: 'rates 4' })
})

test('responses that are answered early go with the tags of their fields', async () => {
  const town = await open({
    ...options,
    responses: { includeExtensionMetadata: false, early: { session: () => null } },
  })
  await town.ask(0, '{ rates }')
  expect((await town.ask(1, '{ rates }')).came).toEqual({})
  // Of what is answered before it is parsed nothing is said.
  expect((await town.ask(1, '{ rates }')).came).toBeUndefined()
  await town.sites[0].cache.invalidate({ tags: ['rates'] })
  await town.trace.saw('invalidate', 2)
  expect((await town.ask(1, '{ rates }')).data).toEqual({ rates: 'rates 2' })
})
