import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { cacheControlTypeDefs, setCacheHint } from '../../../src/adapters/graphql/envelop.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { crowd, isCached, market, PATIENT, settled } from './market.ts'
import type { ShopContext } from './schema.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

const SDL = /* GraphQL */ `
  type Query {
    public: String
    mine: String @cacheControl(scope: PRIVATE)
    hinted: String
    option: String
    profile: Profile
    items: [Item!]
    fails: String @cacheControl(scope: PRIVATE)
    failsStrictly: String! @cacheControl(scope: PRIVATE)
    failsHinted: String
    failsDeep: Item
  }
  type Profile { name: String }
  type Item { name: String, price: String @cacheControl(scope: PRIVATE), strict: String! @cacheControl(scope: PRIVATE) }
`

/** In no other value of the store. */
let secret: string
beforeEach(() => {
  secret = `secret-${crypto.randomUUID()}`
})
const secretOf = ({ user }: ShopContext) => `${secret} of ${user ?? 'nobody'}`

const schema = market(cacheControlTypeDefs + SDL, ({ graphql }) => {
  const fails = (_parent: unknown, _args: unknown, context: ShopContext): never => {
    throw new graphql.GraphQLError(secretOf(context))
  }
  const tells = (_parent: unknown, _args: unknown, context: ShopContext) => secretOf(context)
  return {
    Query: {
      public: () => 'public',
      mine: tells,
      option: tells,
      hinted: (_parent, _args, context, info) => {
        setCacheHint(info, { scope: 'PRIVATE' })
        return secretOf(context)
      },
      profile: () => ({}),
      items: () => [{ name: 'tea' }, { name: 'cake' }],
      fails,
      failsStrictly: fails,
      failsHinted: (parent, args, context, info) => {
        setCacheHint(info, { scope: 'PRIVATE' })
        return fails(parent, args, context)
      },
      failsDeep: () => ({ name: 'tea' }),
    },
    Profile: { name: tells },
    Item: { price: tells, strict: fails },
  }
})

const scopePerSchemaCoordinate = { 'Query.option': 'PRIVATE', Profile: 'PRIVATE' }

const QUERIES = [
  '{ mine }',
  '{ public other: mine }',
  '{ option }',
  '{ hinted public }',
  '{ profile { name } }',
  '{ items { name price } }',
  'query Q { ...F } fragment F on Query { items { ... on Item { p: price } } }',
]

/** Whose errors tell of what is private, where the data do not. */
const FAILING = [
  '{ public fails }',
  '{ public failsStrictly }',
  '{ public failsHinted }',
  '{ public failsDeep { strict } }',
]

let redis: Redis
beforeAll(() => {
  redis = new Redis(inject('redisUrl'))
})
afterAll(() => redis.quit())

async function isInRedis(text: string): Promise<boolean> {
  for await (const keys of redis.scanStream({ count: 1000 }) as AsyncIterable<string[]>) {
    // Of what is no string it gives nothing.
    const values = keys.length === 0 ? [] : await redis.mget(keys)
    if ([...keys, ...values].some((each) => each?.includes(text))) return true
  }
  return false
}

describe.each([
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
])('what is private, in $framework', ({ serve }) => {
  const openTown = useTown(serve, () => redisStore(inject('redisUrl')))
  const open = (options: object = {}, more: object = {}) =>
    openTown({ schema, options: { scopePerSchemaCoordinate, ...options }, cache: PATIENT, ...more })

  test.each([...QUERIES, ...FAILING])('without a session neither stored nor shared: %s', async (query) => {
    const town = await open({}, { session: () => null })
    const answers = await crowd(town, query)
    for (const [i, { text }] of answers.entries()) {
      expect(text).toContain(`${secret} of u${i}`)
      expect(text.replaceAll(`${secret} of u${i}`, '')).not.toContain(secret)
    }
    expect(town.shops.map(({ cache }) => cache.stats().events.publish)).toEqual([0, 0])
    expect(await isInRedis(secret)).toBe(false)
  })

  test.each(FAILING)('nor kept by a wish of shouldCacheResult: %s', async (query) => {
    const town = await open({ shouldCacheResult: () => true }, { session: () => null })
    for (const [i, { text }] of (await crowd(town, query)).entries()) expect(text).toContain(`${secret} of u${i}`)
    expect(await isInRedis(secret)).toBe(false)
  })

  test.each(QUERIES)('two users with sessions, on two servers at once: %s', async (query) => {
    const { shops, runs } = await open()
    const users = ['ann', 'bob', 'bob', 'ann', 'ann', 'bob']
    const ask = () => Promise.all(users.map((user, i) => shops[i % 2 === 0 ? 0 : 1].ask(query, { user })))
    const first = await ask()
    await settled(...shops.map(({ cache }) => cache))
    const before = runs.length
    const second = await ask()
    for (const [i, { text }] of [...first, ...second].entries()) {
      const own = `${secret} of ${users[i % users.length]}`
      expect(text).toContain(own)
      expect(text.replaceAll(own, '')).not.toContain(secret)
    }
    expect(second.map(({ text }) => text)).toEqual(first.map(({ text }) => text))
    expect(runs).toHaveLength(before)
  })

  test('what is not private is for everybody, next to it', async () => {
    const town = await open({}, { session: () => null })
    expect(await isCached(town, '{ public items { name } }')).toBe(true)
    const answers = await crowd(await open({}, { session: () => null }), '{ public }')
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  })

  test('a session that some have and some do not', async () => {
    const { shops } = await open()
    for (const shop of [...shops, ...shops]) {
      expect((await shop.ask('{ mine }')).text).toContain(`${secret} of nobody`)
      expect((await shop.ask('{ mine }', { user: 'ann' })).text).toContain(`${secret} of ann`)
    }
  })
})
