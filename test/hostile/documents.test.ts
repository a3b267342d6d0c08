import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { redisStore } from '../../src/stores/redis/index.ts'
import { testNamespace } from '../redis/namespace.ts'
import { graphqlRequests } from './documents.ts'
import { LIMIT, runs, send, type Told } from './fuzz.ts'
import { type GraphqlTwins, openGraphqlTwins } from './graphqlTwins.ts'

let twins: GraphqlTwins
beforeAll(async () => {
  twins = await openGraphqlTwins(redisStore(inject('redisUrl')), testNamespace('hostile'))
})
afterAll(() => twins[Symbol.asyncDispose]())

/**
 * What counts of an answer for whoever asked: errors come in the order in which fields end, and one that the same operation in the
 * same batch has waited for has no `locations`.
 */
function answer({ status, type, text }: Told) {
  if (!text.includes('"errors":')) return { status, type, text }
  const results = [JSON.parse(text.startsWith('[') ? text.replace(LOCATIONS, '') : text)].flat() as {
    errors?: object[]
  }[]
  return {
    status,
    type,
    text: JSON.stringify(
      results.map(({ errors, ...rest }) => ({ ...rest, errors: errors?.map((error) => JSON.stringify(error)).sort() })),
    ),
  }
}

const LOCATIONS = /"locations":\[[^\]]*\],/g

test('whatever document, variables and headers are sent: the answer is that of the server without a cache, twice', {
  timeout: LIMIT,
}, async () => {
  let [valid, hits] = [0, 0]
  const parameters = runs(50)
  await fc.assert(
    fc.asyncProperty(graphqlRequests, async (all) => {
      const expected = await Promise.all(all.map(async (asked) => answer(await send(twins.plain, asked))))
      for (const { status, text } of expected) if (status === 200 && !text.includes('"errors":')) valid++
      for (const [form, url] of Object.entries(twins.cached)) {
        for (const time of ['first', 'second']) {
          for (const [i, asked] of all.entries()) {
            const told = await send(url, asked)
            expect({ form, time, i, ...answer(told) }).toEqual({ form, time, i, ...expected[i] })
            if (told.cacheStatus.includes('hit')) hits++
          }
        }
      }
    }),
    parameters,
  )
  // Where nothing is valid, or nothing is a hit, the property says little.
  console.log(`${valid} valid, ${hits} hits of ${parameters.numRuns}`)
  expect(valid).toBeGreaterThan(parameters.numRuns / 15)
  expect(hits).toBeGreaterThan(parameters.numRuns / 15)
})
