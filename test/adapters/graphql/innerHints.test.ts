import type { DocumentNode, ExecutionArgs, GraphQLResolveInfo } from 'graphql'
import { buildSchema, execute, graphql, parse } from 'graphql'
import { afterEach, describe, expect, inject, test, vi } from 'vitest'
import { type CachedExecute, cachedExecute, setCacheHint } from '../../../src/adapters/graphql/cachedExecute.ts'
import { cacheControlTypeDefs } from '../../../src/adapters/graphql/envelop.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { traceOf } from '../trace.ts'

interface Context {
  readonly user: string
  readonly session?: null
}

type Resolve = (args: object, context: Context, info: GraphQLResolveInfo) => unknown

const SDL = /* GraphQL */ `
  type Query { me: String, mine: String @cacheControl(scope: PRIVATE), friend: Friend }
  type Friend { name: String }
`
const schema = buildSchema(cacheControlTypeDefs + SDL)
/** Of a part of the gateway: its fields have the names of ours. */
const part = buildSchema(
  'type Query { me: String, mine: String, name: String, friend: Friend } type Friend { name: String }',
)

const caches: Cache[] = []
afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())))

/** Two instances; what one of them stores the other one sees. */
async function open() {
  const store = redisStore(inject('redisUrl'))
  const namespace = testNamespace('inner')
  const pair = ['A', 'B'].map(() => createCache({ store, namespace }))
  caches.push(...pair)
  await Promise.all(pair.map((cache) => cache.ready()))
  const session = (context: Context) => context.session as null
  const [a, b] = pair.map((cache) => cachedExecute<Context>({ cache, session, includeExtensionMetadata: true }))
  return { run: a as CachedExecute, trace: traceOf(...pair), instances: [a, b] as [CachedExecute, CachedExecute] }
}

function ask(run: CachedExecute, rootValue: object, user: string, document: string) {
  const contextValue: Context = { session: null, user }
  return run({ schema, rootValue, contextValue, document: parse(document) }, execute as (args: ExecutionArgs) => object)
}

/** Both ask on both instances, again and again: each must get what is its own. */
async function expectOwn(instances: readonly CachedExecute[], rootValue: object, document: string) {
  for (const run of [...instances, ...instances]) {
    for (const user of ['ann', 'bob']) {
      expect(JSON.stringify(await ask(run, rootValue, user, document))).toContain(`secret of ${user}"`)
    }
  }
}

type Inner = (run: CachedExecute, context: Context, info: GraphQLResolveInfo, rootValue: object) => unknown

/** The operation that is just executed, as a gateway hands it on to a part. */
const sameOperation = ({ operation, fragments }: GraphQLResolveInfo) =>
  ({ kind: 'Document', definitions: [operation, ...Object.values(fragments)] }) as DocumentNode

/** Ways to execute something inside of a resolver; all have the response paths of what is outside. */
const INNER: readonly [how: string, inner: Inner][] = [
  ['by graphql-js', (_run, _context, _info, rootValue) => graphql({ schema: part, source: '{ me mine }', rootValue })],
  [
    'by graphql-js, the same operation',
    (_run, _context, info, rootValue) => execute({ schema: part, document: sameOperation(info), rootValue }),
  ],
  [
    'past the cache',
    (run, { user }, _info, rootValue) =>
      run({ schema: part, document: parse('{ me mine }'), rootValue, contextValue: { user } }, execute as never),
  ],
  [
    'through the cache',
    (run, contextValue, _info, rootValue) =>
      run({ schema: part, document: parse('{ me mine }'), rootValue, contextValue }, execute as never),
  ],
]

describe.each(INNER)('what is said in an operation that a resolver executes, %s', (_how, inner) => {
  const loose: Resolve = (_args, _context, info) => {
    setCacheHint(info, { maxAge: 3600, scope: 'PUBLIC' })
    return 'for everybody'
  }

  test.each(['before', 'after'])('does not loosen what is said outside %s it', async (when) => {
    const { run, instances, trace } = await open()
    const me: Resolve = async (_args, context, info) => {
      if (when === 'before') setCacheHint(info, { maxAge: 1, scope: 'PRIVATE' })
      await inner(run, context, info, { me: loose, mine: loose })
      if (when === 'after') setCacheHint(info, { maxAge: 1, scope: 'PRIVATE' })
      return `secret of ${context.user}`
    }
    await expectOwn(instances, { me }, '{ me }')
    expect(trace.of('publish').filter(({ key }) => trace.of('lead')[0]?.key === key)).toEqual([])
  })

  test('does not loosen what the schema says outside', async () => {
    const { run, instances } = await open()
    const mine: Resolve = async (_args, context, info) => {
      await inner(run, context, info, { me: loose, mine: loose })
      return `secret of ${context.user}`
    }
    await expectOwn(instances, { mine }, '{ mine }')
  })

  test('tightens all that is outside: where in it that stands nobody knows', async () => {
    const { run, instances } = await open()
    const strict: Resolve = (_args, _context, info) => {
      setCacheHint(info, { scope: 'PRIVATE' })
      return 'for one'
    }
    const me: Resolve = async (_args, context, info) => {
      await inner(run, context, info, { me: strict, mine: strict })
      return `secret of ${context.user}`
    }
    await expectOwn(instances, { me }, '{ other: me }')
  })

  test('gives all that is outside its age, where that is less', async () => {
    const { run } = await open()
    const aged: Resolve = (_args, _context, info) => {
      setCacheHint(info, { maxAge: 5 })
      return 'aged'
    }
    const me: Resolve = async (_args, context, info) => {
      setCacheHint(info, { maxAge: 50 })
      await inner(run, context, info, { me: aged, mine: aged })
      return 'me'
    }
    const responseCache = { hit: false, didCache: true, ttl: 5000 }
    expect(await ask(run, { me }, 'ann', '{ other: me }')).toMatchObject({ extensions: { responseCache } })
  })
})

test('an answer from the cache is as private, and as old, as when it was made', async () => {
  const { instances } = await open()
  const session = (context: Context) => context.user as never
  const cache = createCache()
  caches.push(cache)
  const trace = traceOf(cache)
  const own = cachedExecute<Context>({ cache, session })
  const rootValue = {
    me: (_args: object, { user }: Context, info: GraphQLResolveInfo) => {
      setCacheHint(info, { maxAge: 5, scope: 'PRIVATE' })
      return `secret of ${user}`
    },
  }
  const inner = (contextValue: Context) =>
    own({ schema: part, document: parse('{ me }'), rootValue, contextValue }, execute as never)
  const me: Resolve = async (_args, context) => {
    const { data } = (await inner(context)) as { data: { me: string } }
    return data.me
  }
  for (const user of ['ann', 'bob']) await inner({ user })
  await trace.saw('publish', 2)
  await expectOwn(instances, { me }, '{ me }')
  expect(trace.of('hit').length).toBeGreaterThan(0)
  expect(trace.of('lead')).toHaveLength(2)

  const aged: Resolve = async (_args, context, info) => {
    setCacheHint(info, { maxAge: 50 })
    await inner(context)
    return 'me'
  }
  const { extensions } = (await cachedExecute<Context>({ cache, session, includeExtensionMetadata: true })(
    { schema, document: parse('{ me }'), rootValue: { me: aged }, contextValue: { user: 'ann' } },
    execute as never,
  )) as unknown as { extensions: { responseCache: { ttl: number } } }
  expect(extensions.responseCache.ttl).toBeLessThanOrEqual(5000)
})

test('a hint for a place that is not in the response counts for all of it', async () => {
  const { run, instances } = await open()
  const says = (hint: object) => {
    const me: Resolve = (_args, context, info) => {
      setCacheHint({ ...info, path: { prev: info.path, key: 'inside', typename: undefined } }, hint)
      return `secret of ${context.user}`
    }
    return { me }
  }
  await expectOwn(instances, says({ scope: 'PRIVATE' }), '{ me }')
  const responseCache = { hit: false, didCache: true, ttl: 5000 }
  const aged = await ask(run, says({ maxAge: 5 }), 'ann', 'query Aged { me }')
  expect(aged).toMatchObject({ extensions: { responseCache } })
})

test('resolvers and server may have two copies of the adapter, as of the ESM and the CommonJS build', async () => {
  const { run, instances } = await open()
  vi.resetModules()
  const copy = await import('../../../src/adapters/graphql/cachedExecute.ts')
  expect(copy.setCacheHint).not.toBe(setCacheHint)
  const says = (hint: object) => ({
    me: (_args: object, { user }: Context, info: GraphQLResolveInfo) => {
      copy.setCacheHint(info, hint)
      return `secret of ${user}`
    },
  })
  await expectOwn(instances, says({ scope: 'PRIVATE' }), '{ me }')
  const responseCache = { hit: false, didCache: true, ttl: 5000 }
  const aged = await ask(run, says({ maxAge: 5 }), 'ann', 'query Aged { me }')
  expect(aged).toMatchObject({ extensions: { responseCache } })
})
