import type { ExecutionArgs } from 'graphql'
import * as graphql17 from 'graphql17'
import { afterEach, expect, test, vi } from 'vitest'
import { cachedExecute } from '../../../src/adapters/graphql/cachedExecute.ts'
import type { Payload } from '../../../src/adapters/graphql/results/incremental.ts'
import { createCache } from '../../../src/index.ts'
import { traceOf } from '../trace.ts'

// The adapter's own graphql-js too: a project has one version only.
vi.mock('graphql', () => import('graphql17'))

const cache = createCache({ namespace: 'incremental17' })
afterEach(() => cache.close())

test('what graphql-js 17 gives in parts goes on in its form, without what was added, and is a hit as a whole', async () => {
  const trace = traceOf(cache)
  const schema = graphql17.buildSchema(`
    directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
    directive @stream(if: Boolean, label: String, initialCount: Int = 0) on FIELD
    type Query { shelf: Shelf! }
    type Shelf { id: ID!, name: String!, products: [Product!]! }
    type Product { id: ID!, name: String! }
  `)
  const products = [1, 2, 3].map((id) => ({ id, name: async () => `product ${id}` }))
  const rootValue = { shelf: { id: 's', name: async () => 'shelf', products } }
  const document = graphql17.parse('{ shelf { ... @defer { name } products @stream(initialCount: 1) { name } } }')
  const args = { schema, document, rootValue } as unknown as ExecutionArgs
  const run = cachedExecute({ cache, ttl: 60_000, session: () => null })
  const ask = () => run(args, graphql17.experimentalExecuteIncrementally as unknown as (args: ExecutionArgs) => InParts)

  const { initialResult, subsequentResults } = (await ask()) as InParts
  const parts = [initialResult]
  for await (const part of subsequentResults) parts.push(part)
  expect(parts.length).toBeGreaterThan(1)
  expect(initialResult.pending).toHaveLength(2)
  expect(JSON.stringify(parts)).not.toContain('__atomcache')
  await trace.saw('publish')

  expect(await ask()).toEqual({
    data: { shelf: { name: 'shelf', products: [1, 2, 3].map((id) => ({ name: `product ${id}` })) } },
  })
  expect(trace.of('hit')).toHaveLength(1)
  await cache.invalidate({ tags: ['Product:2'] })
  expect(await ask()).toHaveProperty('initialResult')
})

test('where a deferred part of a mutation fails, all that it may have returned is gone', async () => {
  const own = createCache({ namespace: 'incremental17-fails' })
  const schema = graphql17.buildSchema(`
    directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
    type Query { maker: Maker }
    type Product { id: ID!, name: String!, maker: Maker }
    type Maker { id: ID!, at: Int! }
    type Mutation { move: Product }
  `)
  let moves = 0
  const maker = () => ({ id: 'm', at: moves })
  const fails = async () => {
    throw new Error('it failed')
  }
  const move = () => {
    moves++
    return { id: 'p', name: fails, maker }
  }
  const run = cachedExecute({ cache: own, ttl: 60_000, session: () => null })
  const ask = (source: string) => {
    const args = { schema, document: graphql17.parse(source), rootValue: { maker, move } } as unknown as ExecutionArgs
    return run(args, graphql17.experimentalExecuteIncrementally as unknown as (args: ExecutionArgs) => InParts)
  }
  const trace = traceOf(own)
  expect(await ask('{ maker { at } }')).toMatchObject({ data: { maker: { at: 0 } } })
  await trace.saw('publish')
  const source = 'mutation { move { id ... @defer { name maker { at } } } }'
  const { initialResult, subsequentResults } = (await ask(source)) as InParts
  expect(initialResult.data).toEqual({ move: { id: 'p' } })
  const parts: Payload[] = []
  for await (const part of subsequentResults) parts.push(part)
  expect(parts.at(-1)?.completed?.[0]?.errors).toMatchObject([{ message: 'it failed', path: ['move', 'name'] }])
  expect(trace.of('invalidate').flatMap(({ tags }) => tags)).toEqual(expect.arrayContaining(['Maker', 'Product']))
  expect(await ask('{ maker { at } }')).toMatchObject({ data: { maker: { at: 1 } } })
  await own.close()
})

interface InParts {
  readonly initialResult: Payload
  readonly subsequentResults: AsyncIterable<Payload>
}
