import { envelop, type Plugin, useEngine, useSchema } from '@envelop/core'
import * as graphql from 'graphql'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { cachedExecute, keepFresh as keepExecuted } from '../../../src/adapters/graphql/cachedExecute.ts'
import { keepFresh as keepEnveloped, useAtomCache } from '../../../src/adapters/graphql/envelop.ts'
import { type KeepFreshOptions, keepFresh } from '../../../src/adapters/graphql/yoga.ts'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { traceOf } from '../trace.ts'
import { bodyOf, type OriginTown, statusOf, useOriginTown } from './aging.ts'
import type { Site } from './httpTown.ts'

const open = useOriginTown()
const QUERY = 'query It($of: String) { it(of: $of) }'
const variables = { of: 'x' }
/** ms: below three seconds also where it was stored just now. */
const SHORT = { ttlPerSchemaCoordinate: { 'Query.it': 2_999 } }
const HIT = expect.stringMatching(/^atomcache; hit; ttl=[0-2]$/)

const disposables: Disposable[] = []
afterEach(() => {
  for (const each of disposables.splice(0)) each[Symbol.dispose]()
})

function keep({ cache, yoga }: Site, options: Partial<KeepFreshOptions> = {}) {
  const { getEnveloped } = yoga
  const kept = keepFresh({ cache, getEnveloped, query: QUERY, variables, createContext: () => ({}), ...options })
  disposables.push(kept)
  return kept
}

/** The first error of a `keepFresh` event. */
async function failure({ trace }: OriginTown): Promise<unknown> {
  await trace.saw('keepFresh')
  const [{ what, error } = {}] = trace.of('keepFresh')
  return [what, String(error)]
}

describe('an operation that is kept fresh in Yoga', () => {
  test('is refreshed before it ends, without a request, by one instance at a time, until it is stopped', async () => {
    const town = await open({ plugin: SHORT })
    const { sites, origin, trace } = town
    const kept = sites.map((site) => keep(site))
    await trace.saw('publish', 3)
    for (const site of sites) expect(statusOf(await site.post({ query: QUERY, variables }))).toEqual(HIT)
    expect(trace.of('miss')).toEqual([])
    expect(Math.abs(origin.runs - trace.of('publish').length)).toBeLessThanOrEqual(1)
    for (const each of kept) each.stop()
    const status = async () => statusOf(await sites[0].post({ query: QUERY, variables }))
    await expect.poll(status, { timeout: 15_000 }).toMatch(/fwd=miss/)
    expect(trace.of('keepFresh')).toEqual([])
  })

  test('is made again by another instance where the one that kept it ends', async () => {
    const { sites, trace } = await open({ plugin: SHORT })
    for (const site of sites) keep(site)
    await trace.saw('publish', 2)
    await sites[0].cache.close()
    const there = traceOf(sites[1].cache)
    await there.saw('publish', 2)
    expect(statusOf(await sites[1].post({ query: QUERY, variables }))).toEqual(HIT)
  })

  test('is made again at once where a mutation or an invalidation took it away', async () => {
    const town = await open()
    keep(town.sites[0])
    await town.trace.saw('publish')
    await town.sites[1].cache.invalidate({ tags: ['query:It'] })
    await town.trace.saw('publish', 2)
    const answer = await town.sites[1].post({ query: QUERY, variables })
    expect([bodyOf(answer), statusOf(answer)]).toEqual([
      { data: { it: 'it 2' } },
      expect.stringMatching(/^atomcache; hit; ttl=(599|600)$/),
    ])
  })

  test('stays as it is where its origin is down, which is told, and is refreshed when that is back', async () => {
    const town = await open({ plugin: { ...SHORT, staleIfError: 60_000 } })
    keep(town.sites[0])
    await town.trace.saw('publish')
    town.origin.error = new graphql.GraphQLError('down')
    expect(await failure(town)).toEqual(['query It', 'Error: the result of the operation is not stored: down'])
    const { it } = bodyOf(await town.sites[1].post({ query: QUERY, variables })).data as { it: string }
    expect(it).toMatch(/^it \d$/)
    const published = town.trace.of('publish').length
    town.origin.error = undefined
    await town.trace.saw('publish', published + 1)
  })

  test('is asked for with the context of the server, and the params as those of a request', async () => {
    const seen: unknown[] = []
    const town = await open({
      after: [
        {
          onContextBuilding: ({ context }) => {
            const { params, server } = context as { params?: object; server?: string }
            seen.push({ params, server })
          },
        },
      ],
    })
    keep(town.sites[0], { createContext: async () => ({ server: 'A' }), operationName: 'It' })
    await town.trace.saw('publish')
    expect(seen[0]).toEqual({ params: { query: QUERY, variables, operationName: 'It' }, server: 'A' })
  })

  test.each<[string, Partial<KeepFreshOptions>, object, string]>([
    [
      'a session',
      { createContext: () => ({ request: new Request('http://a.example', { headers: { authorization: 'ann' } }) }) },
      {},
      'it is of a session: only what is the same for everybody is kept fresh',
    ],
    ['no session that is known', {}, { session: () => undefined }, 'it is not cached: no session'],
    ['the cache off', {}, { enabled: () => false }, 'it is not cached: disabled'],
    ['a ttl of 0', {}, { ttlPerSchemaCoordinate: { 'Query.it': 0 } }, 'it is not cached: ttl 0'],
    ['another schema', { query: '{ gone }' }, {}, 'Cannot query field "gone" on type "Query".'],
    [
      'a context that fails',
      {
        createContext: () => {
          throw new Error('no context')
        },
      },
      {},
      'no context',
    ],
    ['another cache', { cache: createCache() }, {}, 'it was answered without the cache'],
  ])('with %s is told, and not run', async (_what, options, plugin, message) => {
    const town = await open({ plugin })
    const cache = options.cache ?? town.sites[0].cache
    const trace = traceOf(cache)
    keep(town.sites[0], options)
    await trace.saw('keepFresh')
    if (options.cache === undefined) expect(town.origin.runs).toBe(0)
    expect(trace.of('keepFresh')[0]?.error).toMatchObject({ message })
    await options.cache?.close()
  })

  test.each<[string, object, RegExp]>([
    ['a mutation', { query: 'mutation { end }' }, /^keepFresh is for queries, got mutation$/],
    ['several operations', { query: 'query A { it } query B { it }' }, /got no operation, or several$/],
    ['what is no text', { query: {} }, /^keepFresh needs query, the text of one/],
    ['what is no GraphQL', { query: '{' }, /^Syntax Error/],
    ['no context', { createContext: undefined }, /^keepFresh needs createContext, a function/],
    ['no getEnveloped', { getEnveloped: {} }, /^keepFresh needs getEnveloped, a function/],
    ['no cache', { cache: {} }, /^cache must be what createCache\(\) returned$/],
    ['a misspelt option', { variabels: {} }, /^keepFresh has no option "variabels"/],
  ])('is refused for %s', async (_what, options, message) => {
    const { sites } = await open()
    expect(() => keep(sites[0], options as never)).toThrow(message)
  })
})

describe.each(['envelop', 'cachedExecute'])('an operation that is kept fresh with %s', (how) => {
  test('is what a request gets from the cache', async () => {
    const cache = createCache({ store: redisStore(inject('redisUrl')), namespace: testNamespace('keep') })
    const trace = traceOf(cache)
    const schema = graphql.buildSchema('type Query { it(of: String): String }')
    let runs = 0
    const rootValue = { it: ({ of }: { of: string }) => `it ${++runs} of ${of}` }
    const options = { cache, ttl: 60_000, session: () => null }
    const run = cachedExecute(options)
    const root: Plugin = { onExecute: ({ args }) => void Object.assign(args, { rootValue }) }
    const getEnveloped = envelop({ plugins: [useEngine(graphql), useSchema(schema), root, useAtomCache(options)] })
    const execute = (args: graphql.ExecutionArgs) => run({ ...args, rootValue }, graphql.execute)
    const asked = { cache, query: QUERY, variables, createContext: () => ({}) }
    const kept =
      how === 'envelop' ? keepEnveloped({ ...asked, getEnveloped }) : keepExecuted({ ...asked, schema, execute })
    try {
      await trace.saw('publish')
      const args = { schema, document: graphql.parse(QUERY), variableValues: variables, contextValue: {} }
      const result = await (how === 'envelop' ? getEnveloped().execute(args) : execute(args))
      expect((result as graphql.ExecutionResult).data).toEqual({ it: 'it 1 of x' })
      expect([runs, trace.of('hit').length]).toEqual([1, 1])
    } finally {
      kept.stop()
      await cache.close()
    }
  })
})

test('operations of resolvers in its course are asked for as in any other', async () => {
  const cache = createCache({ store: redisStore(inject('redisUrl')), namespace: testNamespace('keep') })
  const trace = traceOf(cache)
  const schema = graphql.buildSchema('type Query { outer: String inner: String }')
  const run = cachedExecute({ cache, ttl: 60_000, session: () => null })
  const rootValue = {
    outer: async () => {
      const document = graphql.parse('query Inner { inner }')
      const { data } = (await execute({ schema, document, contextValue: {} })) as graphql.ExecutionResult
      return `outer of ${data?.inner}`
    },
    inner: () => 'inner',
  }
  const execute = (args: graphql.ExecutionArgs) => run({ ...args, rootValue }, graphql.execute)
  const kept = keepExecuted({ cache, query: 'query Outer { outer }', createContext: () => ({}), schema, execute })
  try {
    await trace.saw('publish', 2)
    const document = graphql.parse('query Outer { outer }')
    const result = (await execute({ schema, document, contextValue: {} })) as graphql.ExecutionResult
    expect(result.data).toEqual({ outer: 'outer of inner' })
    expect([trace.of('hit').length, trace.of('refresh').length]).toEqual([1, 1])
  } finally {
    kept.stop()
    await cache.close()
  }
})
