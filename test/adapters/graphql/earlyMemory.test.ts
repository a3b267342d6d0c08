import { buildSchema, parse } from 'graphql'
import { afterEach, expect, test } from 'vitest'
import { createPlans } from '../../../src/adapters/graphql/documents/plans.ts'
import { operationKey } from '../../../src/adapters/graphql/responses/key.ts'
import { ruleOptions } from '../../../src/adapters/graphql/responses/options.ts'
import { createEarly } from '../../../src/adapters/graphql/yoga/early.ts'
import { internalsOf } from '../../../src/core/internals.ts'
import { createCache } from '../../../src/index.ts'

const cache = createCache({ ttl: 60_000 })
afterEach(() => cache.close())

test('a text is remembered with what was read from it where it was answered early, and has at most 2,000 characters', async () => {
  const internals = internalsOf(cache)
  const early = createEarly({ session: () => null }, internals)
  const schema = buildSchema('type Query { news: String }')
  const query = '{ news }'
  const plan = createPlans(ruleOptions({ cache }), () => {}).of(schema, parse(query), null)
  if (plan === undefined) throw new Error('it is a query')
  const { key, secret } = operationKey(plan.digests, null, {}, null)
  const id = internals.idOf('a test', key, secret) as string
  early.serve(schema, true)
  early.learn({ query }, schema, plan, { id, scope: null })

  const request = new Request('http://shop.example/graphql')
  /** What is remembered of a text after it was asked for. */
  const remembered = async (length: number) => {
    const [text, params] = ['x'.repeat(length), { query }]
    const found = await early.find(request, params, text)
    return {
      found: found !== undefined,
      same: early.recall(text) === params,
      recalled: early.recall(text) !== undefined,
    }
  }
  expect(await remembered(1999)).toEqual({ found: false, same: false, recalled: false })
  const load = async () => ({ failed: false })
  await internals.ask({ id, key, policy: internals.policy({}), forced: false }, load, undefined)
  expect(await remembered(2000)).toEqual({ found: true, same: true, recalled: true })
  expect(await remembered(2001)).toEqual({ found: true, same: false, recalled: false })
  expect(await remembered(60_000)).toEqual({ found: true, same: false, recalled: false })
})
