import { initTRPC } from '@trpc/server'
import fc from 'fast-check'
import { buildSchema, type ExecutionArgs, execute, type GraphQLObjectType, parse } from 'graphql'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { cachedExecute } from '../../src/adapters/graphql/cachedExecute.ts'
import { applyCachedDirective, cachedDirectiveTypeDefs } from '../../src/adapters/graphql/directive.ts'
import { cached } from '../../src/adapters/trpc/index.ts'
import { type Cache, createCache } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { settled } from '../adapters/graphql/market.ts'
import { traceOf } from '../adapters/trace.ts'
import { testNamespace } from '../redis/namespace.ts'
import { hostileText, LIMIT, runs, SUSPICIOUS } from './fuzz.ts'

/** Who asks, as the context has it: anything at all. */
interface Context {
  readonly user: unknown
}

/** One question, which is answered by who asks and what: `[user, word]` as JSON. */
type Ask = (user: unknown, word: string) => Promise<string>

const said = (user: unknown, word: unknown) => JSON.stringify([typeof user === 'string' ? user : typeof user, word])
const who = ({ user }: Context) => user as string

const schema = buildSchema(
  `${cachedDirectiveTypeDefs} type Query { mine(word: String): String @cached(scope: PRIVATE) }`,
)
const { mine } = (schema.getQueryType() as GraphQLObjectType).getFields()
Object.assign(mine as object, {
  resolve: (_parent: unknown, { word }: { word: string }, { user }: Context) => said(user, word),
})
const document = parse('query Mine($word: String) { mine(word: $word) }')

function answerOf(result: unknown): string {
  return (JSON.parse(JSON.stringify(result)) as { data: { mine: string } }).data.mine
}

const ADAPTERS: Readonly<Record<string, (cache: Cache) => Ask>> = {
  'whole responses'(cache) {
    const run = cachedExecute<Context>({ cache, session: who })
    return async (user, word) => {
      const args: ExecutionArgs = { schema, document, variableValues: { word }, contextValue: { user } }
      return answerOf(await run(args, execute))
    }
  },

  'single fields'(cache) {
    const applied = applyCachedDirective(schema, { cache, session: who as (context: unknown) => string })
    return async (user, word) =>
      answerOf(await execute({ schema: applied, document, variableValues: { word }, contextValue: { user } }))
  },

  tRPC(cache) {
    const t = initTRPC.context<Context>().create()
    const router = t.router({
      mine: t.procedure
        .use(cached({ cache, scope: ({ ctx }) => who(ctx) }))
        .input((input) => String(input))
        .query(({ ctx, input }) => said(ctx.user, input)),
    })
    const callerOf = t.createCallerFactory(router)
    return (user, word) => callerOf({ user }).mine(word)
  },
}

describe.each(Object.keys(ADAPTERS))('another’s entry, by %s', (name) => {
  let cache: Cache
  let ask: Ask
  beforeAll(async () => {
    cache = createCache({
      namespace: testNamespace('scopes'),
      store: redisStore(inject('redisUrl')),
      ttl: 60_000,
      commandTimeout: 5000,
    })
    ask = (ADAPTERS[name] as (cache: Cache) => Ask)(cache)
    await cache.ready()
  })
  afterAll(() => cache.close())

  test('is nobody’s, whatever he calls himself and whatever he asks', { timeout: LIMIT }, async () => {
    const user = hostileText.filter((text) => text !== '')
    await fc.assert(
      fc.asyncProperty(user, user, hostileText, hostileText, async (one, other, word, more) => {
        // What two have in common may be torn apart at another place.
        const all = [
          [one, word],
          [other, word],
          [one + word, more],
          [one, word + more],
          [word + one, other],
          [one, other],
        ] as const
        for (let time = 0; time < 2; time++) {
          for (const [user, word] of all) if (user !== '') expect(await ask(user, word)).toBe(said(user, word))
        }
      }),
      runs(40),
    )
    await settled(cache)
    expect(cache.stats().events.hit).toBeGreaterThan(40)
  })

  test('is nobody’s who is called nearly so', { timeout: LIMIT }, async () => {
    for (let time = 0; time < 2; time++) {
      for (const text of [...SUSPICIOUS, '\ud801']) {
        if (text !== '') expect(await ask(text, 'alike')).toBe(said(text, 'alike'))
        expect(await ask('ann', text)).toBe(said('ann', text))
      }
    }
  })

  const odd: readonly (readonly [string, unknown])[] = [
    ['a list', ['ann']],
    ['an object', { toString: () => 'ann' }],
    ['a text in an object', new String('ann')],
    ['a number', 1],
    ['true', true],
    ['nothing', undefined],
    ['an empty text', ''],
    ['a function', () => 'ann'],
    ['a promise', Promise.resolve('ann')],
    ['a symbol', Symbol.for('ann')],
    ['an object without a prototype', Object.create(null)],
  ]
  test.each(odd)('is not to be had as %s: that is answered without the cache, and told', async (_what, user) => {
    await ask('ann', 'odd')
    await settled(cache)
    const trace = traceOf(cache)
    for (let time = 0; time < 2; time++) expect(await ask(user, 'odd')).toBe(said(user, 'odd'))
    expect(new Set(trace.events.map(({ type }) => type))).toEqual(new Set(['bypass']))
  })
})
