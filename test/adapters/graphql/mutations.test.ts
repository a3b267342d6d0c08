import type { Plugin } from '@envelop/core'
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { traceOf } from '../trace.ts'
import { isCached, market, PATIENT, settled } from './market.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

const SDL = /* GraphQL */ `
  interface Node { id: ID! }
  type Product implements Node { id: ID!, name: String, maker: Maker, strict: String! }
  type Maker { name: String, product: Product }
  type Renamed { product: Product, note: String! }
  type Query { product(id: ID = "1"): Product, products: [Product!]!, maker: Maker, title: String }
  type Mutation {
    rename(id: ID!, name: String!): Product
    renameStrictly(id: ID!, name: String!): Product!
    renameAll(name: String!): [Product!]!
    renameDeep(id: ID!, name: String!): Renamed
    find: Node
    remove(id: ID!): Product
    count: Int
  }
`

/** A schema over a table of its own for each town: names by id. */
function shop() {
  const names = new Map([
    ['1', 'old 1'],
    ['2', 'old 2'],
  ])
  const fails = () => {
    throw new Error('too strict')
  }
  const product = (id: string) => ({
    __typename: 'Product',
    id,
    name: names.get(id),
    maker: { name: 'Ann' },
    strict: fails,
  })
  const rename = (id: string, name: string) => {
    names.set(id, name)
    return product(id)
  }
  return market(SDL, () => ({
    Query: {
      product: (_parent, { id }) => product(id),
      products: () => ['1', '2'].map(product),
      maker: () => ({ name: 'Ann', product: null }),
      title: () => 'Shop',
    },
    Mutation: {
      rename: (_parent, { id, name }) => rename(id, name),
      renameStrictly: (_parent, { id, name }) => rename(id, name),
      renameAll: (_parent, { name }) => ['1', '2'].map((id) => rename(id, name)),
      renameDeep: (_parent, { id, name }) => ({ product: rename(id, name), note: fails }),
      find: () => null,
      remove: () => null,
      count: () => 2,
    },
  }))
}

const RENAME = 'mutation { rename(id: 1, name: "new") { name } }'

const ONE = '{ product(id: 1) { name } }'
const TWO = '{ product(id: 2) { name } }'
const ALL = 'query All { all: products { name } }'
const MAKER = '{ maker { name } }'
const TITLE = '{ title }'
const QUERIES = [ONE, TWO, ALL, MAKER, TITLE]

interface Case {
  readonly mutation: string
  /** Which of the responses are gone behind it. */
  readonly gone: readonly string[]
  readonly options?: object
}

const CASES: readonly Case[] = [
  { mutation: 'mutation { rename(id: 1, name: "new") { name } }', gone: [ONE, ALL] },
  { mutation: 'mutation { rename(id: 1, name: "new") { id: name } }', gone: [ONE, ALL] },
  {
    mutation: 'mutation { __atomcacheId_id: rename(id: 1, name: "new") { __atomcacheId_id: name } }',
    gone: [ONE, ALL],
  },
  {
    mutation: 'mutation { a: rename(id: 1, name: "x") { id } b: rename(id: 2, name: "y") { id } }',
    gone: [ONE, TWO, ALL],
  },
  { mutation: 'mutation { rename(id: 1, name: "new") { maker { name } } }', gone: [ONE, ALL, MAKER] },
  { mutation: 'mutation { renameAll(name: "new") { name } }', gone: [ONE, TWO, ALL] },
  { mutation: 'mutation { renameDeep(id: 1, name: "new") { product { name } } }', gone: [ONE, ALL] },
  { mutation: 'mutation { remove(id: 1) { name } }', gone: [ONE, TWO, ALL] },
  { mutation: 'mutation { find { id } }', gone: [ONE, TWO, ALL] },
  // Beside errors; also where what failed has taken away the objects it is in.
  {
    mutation: 'mutation { rename(id: 1, name: "new") { name } count renameDeep(id: 3, name: "x") { note } }',
    gone: [ONE, TWO, ALL],
  },
  { mutation: 'mutation { renameDeep(id: 1, name: "new") { note product { name } } }', gone: [ONE, TWO, ALL] },
  { mutation: 'mutation { renameDeep(id: 1, name: "new") { product { strict } } }', gone: [ONE, TWO, ALL] },
  { mutation: 'mutation { renameStrictly(id: 1, name: "new") { strict } }', gone: [ONE, TWO, ALL] },
  { mutation: 'mutation { count }', gone: [] },
  { mutation: 'mutation { rename(id: 1, name: "new") { name } }', gone: [], options: { invalidateViaMutation: false } },
]

const FRAMEWORKS = [
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
]

describe.each(FRAMEWORKS)('behind a mutation, in $framework', ({ serve }) => {
  const openTown = useTown(serve, () => redisStore(inject('redisUrl')))
  const open = (options: object = {}, before: object[] = []) =>
    openTown({ schema: shop(), options, before, cache: PATIENT })

  test.each(CASES)('$mutation: gone are $gone', async ({ mutation, gone, options }) => {
    const town = await open(options)
    for (const query of QUERIES) expect(await isCached(town, query)).toBe(true)
    const [a, b] = town.shops
    await a.ask(mutation)
    const trace = traceOf(b.cache)
    const kept = QUERIES.filter((query) => !gone.includes(query))
    // The second shop is asked first: what the first knows must not help it.
    for (const query of gone) {
      await b.ask(query)
      await settled(b.cache)
    }
    expect(trace.of('hit')).toEqual([])
    for (const query of kept) await b.ask(query)
    expect(trace.of('hit')).toHaveLength(kept.length)
  })

  test('every answer on both servers is new, from the moment on that the mutation is answered', async () => {
    const { shops } = await open()
    for (const round of [1, 2, 3, 4, 5]) {
      for (const shop of shops) await Promise.all([ONE, ALL].map((query) => shop.ask(query)))
      await settled(...shops.map(({ cache }) => cache))
      await shops[round % 2 === 0 ? 0 : 1].ask(`mutation { rename(id: 1, name: "round ${round}") { id } }`)
      for (const shop of shops) {
        const [one, all] = await Promise.all([ONE, ALL].map((query) => shop.ask(query)))
        expect(one?.body.data).toEqual({ product: { name: `round ${round}` } })
        expect(all?.body.data?.all).toContainEqual({ name: `round ${round}` })
      }
    }
  })

  test('a query in flight during the mutation is stored nowhere, and told to nobody who asks afterwards', async () => {
    const { shops, gate } = await open()
    const [a, b] = shops
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const before = [a.ask(ONE), a.ask(ONE), b.ask(ONE)]
    await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
    await b.ask('mutation { rename(id: 1, name: "new") { id } }')
    // What is held has read the old name. They wait for it, and then it turns out to be of no use to them.
    const after = [b.ask(ONE), a.ask(ONE)]
    await trace.saw('follow', 3)
    gate.open()
    for (const answer of after) expect((await answer).body.data).toEqual({ product: { name: 'new' } })
    await Promise.all(before)
    await settled(a.cache, b.cache)
    for (const shop of shops) expect((await shop.ask(ONE)).body.data).toEqual({ product: { name: 'new' } })
  })

  test('it says what it invalidated, where that is wanted', async () => {
    const { shops } = await open({ includeExtensionMetadata: true })
    const said = async (mutation: string) => (await shops[0].ask(mutation)).body.extensions
    const [one, maker] = [{ typename: 'Product', id: '1' }, { typename: 'Maker' }]
    expect(await said('mutation { rename(id: 1, name: "x") { maker { name } } }')).toEqual({
      responseCache: { invalidatedEntities: [one, maker] },
    })
    expect(await said('mutation { remove(id: 1) { id } }')).toEqual({
      responseCache: { invalidatedEntities: [{ typename: 'Product' }] },
    })
    expect(await said('mutation { count }')).toBeUndefined()
  })

  test.each([
    ['rejects', { throws: true }, RENAME, [ONE, TWO, ALL]],
    ['rejects, and returns objects of another type', { throws: true }, 'mutation { count }', []],
    [
      'gives no data, and says not where it failed',
      { data: null, errors: [new GraphQLError('late')] },
      RENAME,
      [ONE, TWO, ALL],
    ],
    ['was refused', { errors: [new GraphQLError('refused')] }, RENAME, []],
  ])('whose executor %s: it may have changed all that it would return', async (_how, given, mutation, gone) => {
    const town = await open({}, [endsMutations(given)])
    for (const query of QUERIES) expect(await isCached(town, query)).toBe(true)
    const [a, b] = town.shops
    expect((await a.ask(mutation)).body.errors).toHaveLength(1)
    const trace = traceOf(b.cache)
    for (const query of QUERIES) {
      await b.ask(query)
      await settled(b.cache)
    }
    expect(trace.of('hit')).toHaveLength(QUERIES.length - gone.length)
    expect(trace.of('miss')).toHaveLength(gone.length)
  })

  test('an id may be half a letter, which no tag can be', async () => {
    const town = await open()
    const query = 'query ($id: ID!) { product(id: $id) { id } }'
    const variables = { id: 'a\ud83d' }
    expect(await isCached(town, query, { variables })).toBe(true)
    const before = town.runs.length
    const { body } = await town.shops[0].ask('mutation ($id: ID!) { rename(id: $id, name: "x") { name } }', {
      variables,
    })
    expect(body).toEqual({ data: { rename: { name: 'x' } } })
    await town.shops[1].ask(query, { variables })
    expect(town.runs).toHaveLength(before + 2)
  })
})

/** A plugin whose executor runs mutations, and then ends in another way. */
function endsMutations({ throws = false, ...result }: ExecutionResult & { throws?: boolean }): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(async (args: ExecutionArgs) => {
        const own = await executeFn(args)
        if (getOperationAST(args.document)?.operation !== 'mutation') return own
        if (throws) throw new GraphQLError('too late')
        return result
      })
    },
  }
}

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis[Symbol.asyncDispose]())

describe.each(FRAMEWORKS)('behind a mutation while Redis is silent, in $framework', ({ serve }) => {
  const open = useTown(serve, () => redisStore(redis.url))

  test.each(['retry', 'throw'] as const)(
    '%s: it is answered in time, and the old response is gone when Redis is back',
    async (onInvalidateError) => {
      const { shops } = await open({
        schema: shop(),
        options: { onInvalidateError },
        cache: { commandTimeout: 300, breaker: { retryAfter: 100 } },
      })
      const [a, b] = shops
      const trace = traceOf(a.cache)
      await a.ask(ONE)
      await trace.saw('publish')
      redis.pause()
      let errors: readonly GraphQLError[] | undefined
      try {
        const startedAt = performance.now()
        const { body, status } = await a.ask(RENAME)
        // The budget of one invalidation is a few commands': this is a limit for a hang.
        expect(performance.now() - startedAt).toBeLessThan(5000)
        expect([status, body.data]).toEqual([200, { rename: { name: 'new' } }])
        errors = body.errors as readonly GraphQLError[] | undefined
        expect(trace.of('unconfirmed')).toHaveLength(1)
        expect(a.cache.stats().unconfirmed).toBeGreaterThan(0)
      } finally {
        redis.resume()
      }
      expect(errors?.map(({ message, extensions }) => [message, extensions?.code])).toEqual(
        onInvalidateError === 'retry'
          ? undefined
          : [['The mutation is done, but cached responses may be older than it.', 'INVALIDATION_UNCONFIRMED']],
      )
      await expect.poll(() => a.cache.stats().unconfirmed, { timeout: 15_000 }).toBe(0)
      for (const shop of [b, a]) expect((await shop.ask(ONE)).body.data).toEqual({ product: { name: 'new' } })
    },
  )

  test('also where it dies and comes back empty', async () => {
    const { shops } = await open({ schema: shop(), cache: { commandTimeout: 300, breaker: { retryAfter: 100 } } })
    const [a, b] = shops
    const trace = traceOf(a.cache)
    await a.ask(ONE)
    await trace.saw('publish')
    await redis.kill()
    expect((await a.ask(RENAME)).body).toEqual({ data: { rename: { name: 'new' } } })
    expect(a.cache.stats().unconfirmed).toBeGreaterThan(0)
    await redis.restart()
    await expect.poll(() => a.cache.stats().unconfirmed, { timeout: 15_000 }).toBe(0)
    for (const shop of [b, a]) expect((await shop.ask(ONE)).body.data).toEqual({ product: { name: 'new' } })
  })
})
