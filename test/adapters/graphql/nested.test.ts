import { envelop, useEngine, useSchema } from '@envelop/core'
import * as graphql from 'graphql'
import { createSchema, createYoga } from 'graphql-yoga'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { cachedExecute } from '../../../src/adapters/graphql/cachedExecute.ts'
import { useAtomCache as useEnvelopCache } from '../../../src/adapters/graphql/envelop.ts'
import { useAtomCache as useYogaCache } from '../../../src/adapters/graphql/yoga.ts'
import { createCache, memoryStore } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { serveHttp } from '../http.ts'
import { traceOf } from '../trace.ts'
import { PATIENT } from './market.ts'

// Who waited for its own execution would wait until that is given up, for much longer than a test may take.

const open: AsyncDisposable[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each[Symbol.asyncDispose]()))
})

const session = () => null
const ttl = 60_000

describe.each([
  ['memory', memoryStore],
  ['Redis', () => redisStore(inject('redisUrl'))],
])('in the course of its own execution nobody waits for a response, over %s', (_name, storeOf) => {
  async function openCache() {
    const cache = createCache({ store: storeOf(), namespace: testNamespace('nested'), ...PATIENT })
    open.push(cache)
    await cache.ready()
    return { cache, trace: traceOf(cache) }
  }

  test('with two plugins of one cache in Yoga', async () => {
    const { cache, trace } = await openCache()
    let runs = 0
    const schema = createSchema({
      typeDefs: 'type Query { news: String }',
      resolvers: { Query: { news: () => `news ${++runs}` } },
    })
    const plugins = [useYogaCache({ cache, ttl, session }), useYogaCache({ cache, ttl, session })]
    const yoga = createYoga({ schema, logging: false, plugins })
    const server = await serveHttp(yoga)
    open.push(server)
    const ask = async () => {
      const response = await fetch(`${server.url}/graphql?query={news}`, { headers: { accept: 'application/json' } })
      return { status: response.headers.get('cache-status'), body: await response.json() }
    }
    const data = { news: 'news 1' }
    expect(await ask()).toEqual({
      status: 'atomcache; fwd=bypass; detail="nested", atomcache; fwd=miss; stored; ttl=60',
      body: { data },
    })
    await trace.saw('publish')
    expect(await ask()).toEqual({ status: expect.stringMatching(/^atomcache; hit; ttl=\d+$/), body: { data } })
    expect([runs, trace.of('lead').length]).toEqual([1, 1])
  })

  test('with two plugins of one cache in envelop', async () => {
    const { cache, trace } = await openCache()
    let runs = 0
    const schema = graphql.buildSchema('type Query { news: String }')
    const plugins = [useEnvelopCache({ cache, ttl, session }), useEnvelopCache({ cache, ttl, session })]
    const getEnveloped = envelop({ plugins: [useEngine(graphql), useSchema(schema), ...plugins] })
    const ask = async () => {
      const { parse, execute } = getEnveloped({})
      const rootValue = { news: () => `news ${++runs}` }
      const { data } = await execute({ schema, document: parse('{ news }'), rootValue, contextValue: {} })
      return data.news
    }
    expect(await ask()).toBe('news 1')
    await trace.saw('publish')
    expect(await ask()).toBe('news 1')
    expect([runs, trace.of('lead').length]).toEqual([1, 1])
  })

  test('with a resolver that executes the operation again', async () => {
    const { cache, trace } = await openCache()
    const run = cachedExecute({ cache, ttl, session, includeExtensionMetadata: true })
    const schema = graphql.buildSchema('type Query { news: String }')
    const document = graphql.parse('{ news }')
    const inside: unknown[] = []
    let runs = 0
    const rootValue = {
      async news() {
        runs++
        if (runs > 1) return 'inside'
        await new Promise(setImmediate)
        inside.push(await ask())
        return 'outside'
      },
    }
    const ask = () => run({ schema, document, rootValue, contextValue: {} }, graphql.execute as never)
    const first = await ask()
    expect(first).toEqual({
      data: { news: 'outside' },
      extensions: { responseCache: { hit: false, didCache: true, ttl } },
    })
    const responseCache = { hit: false, didCache: false }
    expect(inside).toEqual([{ data: { news: 'inside' }, extensions: { responseCache } }])
    await trace.saw('publish')
    expect(await ask()).toMatchObject({ data: { news: 'outside' }, extensions: { responseCache: { hit: true } } })
    expect(runs).toBe(2)
  })

  test('also through an operation of which it is a part, and that one through another', async () => {
    const { cache } = await openCache()
    const run = cachedExecute({ cache, ttl, session })
    const schema = graphql.buildSchema('type Query { a: String, b: String }')
    const runs: string[] = []
    const ask = async (field: string): Promise<string> => {
      const args = { schema, document: graphql.parse(`{ ${field} }`), rootValue, contextValue: {} }
      const { data } = (await run(args, graphql.execute as never)) as { data: Record<string, string> }
      return data[field] as string
    }
    const resolve = (field: string, other: string) => async () => {
      runs.push(field)
      return runs.length > 3 ? field : `${field} of ${await ask(other)}`
    }
    const rootValue = { a: resolve('a', 'b'), b: resolve('b', 'a') }
    expect(await ask('a')).toBe('a of b of a of b')
    expect(runs).toEqual(['a', 'b', 'a', 'b'])
  })
})
