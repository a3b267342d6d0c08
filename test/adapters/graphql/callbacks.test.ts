import { describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../trace.ts'
import { crowd, isCached, market, PATIENT, settled } from './market.ts'
import type { ShopContext } from './schema.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

const schema = market('type Query { title(of: String): String } type Mutation { clear: Boolean }', () => ({
  Query: { title: (_parent, { of }) => `title of ${of}` },
  Mutation: { clear: () => true },
}))

const TITLE = 'query Title($of: String) { title(of: $of) }'
const throws = () => {
  throw new Error('no idea')
}

interface KeyParts {
  readonly documentString: string
  readonly variableValues: object
  readonly operationName: string
  readonly sessionId: string | null
  readonly context: ShopContext
}

describe.each([
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
])('functions among the options, in $framework', ({ serve }) => {
  const openTown = useTown(serve, () => redisStore(inject('redisUrl')))
  const open = (options: object, more: object = {}) => openTown({ schema, options, cache: PATIENT, ...more })
  const contextOf = (args: readonly unknown[]) => args.at(-1) as ShopContext

  test('enabled is asked once per request, when the context is there; where it says no, nothing else is', async () => {
    const asked: (string | undefined)[] = []
    const town = await open({
      enabled(...args: unknown[]) {
        asked.push(contextOf(args).user)
        return contextOf(args).user !== 'ann'
      },
    })
    const trace = traceOf(...town.shops.map(({ cache }) => cache))
    expect(await isCached(town, TITLE, { user: 'ann' })).toBe(false)
    expect(trace.events).toEqual([])
    expect(await isCached(town, TITLE, { user: 'bob' })).toBe(true)
    await town.shops[0].ask('mutation { clear }', { user: 'bob' })
    expect(asked).toEqual(['ann', 'ann', 'bob', 'bob'])
  })

  test('enabled that throws: uncached, and an event', async () => {
    const town = await open({ enabled: throws })
    const trace = traceOf(town.shops[0].cache)
    expect(await isCached(town, TITLE)).toBe(false)
    expect(trace.of('bypass')).toEqual([{ type: 'bypass', what: 'a request', reason: 'enabled failed: no idea' }])
  })

  test.each([
    ['at once', (key: string) => key],
    ['later', async (key: string) => key],
  ])('buildResponseCacheKey gives the key %s; session and schema are part of it besides', async (_when, give) => {
    const asked: Partial<KeyParts>[] = []
    const town = await open({
      buildResponseCacheKey({ context, ...rest }: KeyParts) {
        asked.push({ ...rest, context: { user: context.user } })
        return give('one for all')
      },
    })
    const { shops, runs } = town
    expect(await isCached(town, TITLE, { variables: { of: 'A' }, operationName: 'Title', user: 'ann' })).toBe(true)
    expect((await shops[0].ask(TITLE, { variables: { of: 'B' }, user: 'ann' })).body.data).toEqual({
      title: 'title of A',
    })
    expect((await shops[0].ask(TITLE, { variables: { of: 'B' }, user: 'bob' })).body.data).toEqual({
      title: 'title of B',
    })
    expect(runs).toHaveLength(2)
    expect(asked[0]).toEqual({
      documentString: 'query Title($of: String) {\n  title(of: $of)\n}',
      variableValues: { of: 'A' },
      operationName: 'Title',
      sessionId: 'ann',
      context: { user: 'ann' },
    })
  })

  test.each([
    ['throws', throws, 'no idea'],
    ['rejects', () => Promise.reject(new Error('no idea')), 'no idea'],
    ['gives no string', () => undefined, 'must give a string, got undefined'],
    ['gives no string later', async () => ({}), 'must give a string, got an object'],
  ])('buildResponseCacheKey that %s: uncached, and an event', async (_what, buildResponseCacheKey, reason) => {
    const town = await open({ buildResponseCacheKey })
    const trace = traceOf(town.shops[0].cache)
    expect(await isCached(town, TITLE)).toBe(false)
    expect(trace.events).toEqual([{ type: 'bypass', what: 'query Title', reason: expect.stringContaining(reason) }])
  })

  test('getDocumentString gives what the key is made of', async () => {
    const town = await open({ getDocumentString: () => 'the same' })
    await town.shops[0].ask('{ title }')
    await settled(town.shops[0].cache)
    expect((await town.shops[1].ask('{ other: title }')).body.data).toEqual({ title: 'title of undefined' })
    expect((await town.shops[1].ask(TITLE)).body.data).toEqual({ title: 'title of undefined' })
    // The name of the operation is part of it besides.
    expect(town.runs).toHaveLength(2)
  })

  test('getDocumentString that throws: uncached, and an event', async () => {
    const town = await open({ getDocumentString: throws })
    const trace = traceOf(town.shops[0].cache)
    expect(await isCached(town, TITLE)).toBe(false)
    expect(trace.of('bypass')).toHaveLength(1)
  })

  test('shouldCacheResult sees the result as clients do, and a key; false is never', async () => {
    const seen: { cacheKey: string; result: { data: object } }[] = []
    const town = await open({
      shouldCacheResult(params: { cacheKey: string; result: { data: { title: string } } }) {
        seen.push(params)
        return params.result.data.title.endsWith('A')
      },
    })
    expect(await isCached(town, TITLE, { variables: { of: 'B' } })).toBe(false)
    expect(await isCached(town, TITLE, { variables: { of: 'A' } })).toBe(true)
    expect(seen.map(({ result }) => ({ ...result.data }))).toEqual(
      ['B', 'B', 'A'].map((of) => ({ title: `title of ${of}` })),
    )
    expect(new Set(seen.map(({ cacheKey }) => cacheKey)).size).toBe(2)
  })

  test.each([
    ['throws', throws],
    ['gives a promise', async () => true],
  ])('shouldCacheResult that %s: not stored, and an event', async (_what, shouldCacheResult) => {
    const town = await open({ shouldCacheResult })
    const trace = traceOf(town.shops[0].cache)
    expect(await isCached(town, TITLE)).toBe(false)
    expect(trace.of('policyError').map(({ option }) => option)).toEqual(['shouldCacheResult'])
  })

  test('includeExtensionMetadata says of each answer where it is from, and of none without', async () => {
    const town = await open({ includeExtensionMetadata: true, ttl: 5000 }, { session: () => null })
    const made = { hit: false, didCache: true, ttl: 5000 }
    const said = (await crowd(town, '{ title }')).map(({ body }) => body.extensions)
    expect(said).toEqual([made, made, made, made, { hit: true }].map((responseCache) => ({ responseCache })))
    const silent = await open({}, { session: () => null })
    expect((await crowd(silent, '{ title }')).map(({ body }) => body.extensions)).toEqual(said.map(() => undefined))
  })

  test.each([
    ['no session', { session: () => undefined }],
    ['ttl 0', { options: { includeExtensionMetadata: true, ttlPerSchemaCoordinate: { 'Query.title': 0 } } }],
  ])('of what is not stored it says so: %s', async (_why, more) => {
    const { shops } = await open({ includeExtensionMetadata: true }, more)
    const responseCache = { hit: false, didCache: false }
    expect((await shops[0].ask('{ title }')).body).toEqual({
      data: { title: 'title of undefined' },
      extensions: { responseCache },
    })
  })
})
