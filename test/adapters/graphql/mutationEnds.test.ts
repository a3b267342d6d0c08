import { buildSchema, type ExecutionArgs, execute, GraphQLError, parse } from 'graphql'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { type CachedExecute, cachedExecute } from '../../../src/adapters/graphql/cachedExecute.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { traceOf } from '../trace.ts'

const SDL = /* GraphQL */ `
  directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  type Query { product: Product, maker: Maker, other: Other }
  type Product { id: ID!, name: String!, maker: Maker }
  type Maker { id: ID!, at: Int! }
  type Other { id: ID! }
  type Mutation { move: Product, rename: Product, locked: Product, lockedStrictly: Product! }
`
const schema = buildSchema(SDL)

const caches: Cache[] = []
afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())))

type Context = { readonly off?: boolean }
type Execute = (args: ExecutionArgs) => unknown

/** Two instances over one table, of which a mutation is sent to the first, and asked about at the second. */
async function open(options: object = {}) {
  const store = redisStore(inject('redisUrl'))
  const namespace = testNamespace('ends')
  const pair = ['A', 'B'].map(() => createCache({ store, namespace }))
  caches.push(...pair)
  await Promise.all(pair.map((cache) => cache.ready()))
  const run = (cache: Cache) => cachedExecute<Context>({ cache, ttl: 60_000, session: () => null, ...options })
  const [a, b] = pair.map(run) as [CachedExecute, CachedExecute]
  const trace = traceOf(...pair)
  let moves = 0
  const maker = () => ({ id: 'm', at: moves })
  const refuse = (code: string) => () => {
    throw new GraphQLError('not yours', { extensions: { code } })
  }
  const move = () => {
    moves++
    return { id: 'p', name: 'tea', maker }
  }
  const rootValue = {
    maker,
    move,
    rename: move,
    locked: refuse('FORBIDDEN'),
    lockedStrictly: refuse('UNAUTHENTICATED'),
  }
  const runs = { moves: () => moves, move }
  async function read(): Promise<number> {
    const args = { schema, document: parse('{ maker { at } }'), rootValue, contextValue: {} }
    const { data } = (await b(args, execute as Execute)) as { data: { maker: { at: number } } }
    return data.maker.at
  }
  /** Sends it when what it changes is stored; what its reader gets, and which types were invalidated. */
  async function mutate(source: string, how: Execute = execute as Execute, operationName?: string, contextValue = {}) {
    expect(await read()).toBe(moves)
    await trace.saw('publish')
    const args = { schema, document: parse(source), rootValue, operationName, contextValue }
    const parts: unknown[] = []
    try {
      const given: unknown = await a(args, how)
      if (Symbol.asyncIterator in Object(given))
        for await (const part of given as AsyncIterable<object>) parts.push(part)
      else parts.push(given)
    } catch (error) {
      parts.push(error)
    }
    return { parts, tags: tagsOf(trace) }
  }
  return { mutate, read, runs, trace }
}

/** Queries invalidate nothing. */
function tagsOf({ of }: ReturnType<typeof traceOf>): string[] {
  return of('invalidate')
    .flatMap(({ tags, remote }) => (remote ? [] : tags))
    .sort()
}

const MOVE = 'mutation Move { move { id ... @defer { maker { id at } } } }'
const FIRST = { data: { move: { id: 'p' } }, hasNext: true }

/** Executors that change the table, and then give parts of a result. */
const SOURCES: readonly [how: string, parts: (move: () => void) => AsyncIterable<object>, seen: readonly unknown[]][] =
  [
    [
      'throws before its first part',
      async function* (move) {
        move()
        yield* fails()
      },
      [new Error('gone')],
    ],
    [
      'throws after its first part',
      async function* (move) {
        yield FIRST
        move()
        yield* fails()
      },
      [FIRST, new Error('gone')],
    ],
    [
      'ends without a part',
      async function* (move) {
        move()
        yield* []
      },
      [],
    ],
    [
      'ends without a last part',
      async function* (move) {
        yield FIRST
        move()
      },
      [FIRST],
    ],
  ]

function fails(): [] {
  throw new Error('gone')
}

describe('what a mutation may have returned is gone', () => {
  test.each(SOURCES)('where its source %s', async (_how, parts, seen) => {
    const { mutate, read, runs } = await open()
    expect(await mutate(MOVE, () => parts(runs.move))).toEqual({ parts: seen, tags: expect.any(Array) })
    expect(await read()).toBe(1)
  })

  test.each(SOURCES)('all types of it, and no others, where its source %s', async (_how, parts) => {
    const { mutate, runs } = await open()
    const { tags } = await mutate(`${MOVE} query Others { other { id } }`, () => parts(runs.move), 'Move')
    // Objects of the first part are told once more, by their ids.
    expect(tags.filter((tag) => !tag.includes(':'))).toEqual(expect.arrayContaining(['Maker', 'Product']))
    expect(tags).not.toContain('Other')
  })

  test.each<[string, object]>([
    [
      'of what was deferred nothing came, and an error',
      { completed: [{ id: '0', errors: [failed(['move', 'name'])] }] },
    ],
    ['the same by path', { incremental: [{ path: ['move'], data: null, errors: [failed(['move', 'name'])] }] }],
    ['an error says not where it failed', { completed: [{ id: '0', errors: [failed(undefined)] }] }],
  ])('where it comes in parts, and %s', async (_how, last) => {
    const { mutate, read, runs } = await open()
    const { tags } = await mutate(MOVE, async function* () {
      runs.move()
      yield { ...FIRST, pending: [{ id: '0', path: ['move'] }] }
      yield { ...last, hasNext: false }
    })
    expect(tags).toEqual(expect.arrayContaining(['Maker', 'Product']))
    expect(await read()).toBe(1)
  })

  test.each<[string, object]>([
    ['without its objects', { data: { move: null }, errors: [failed(undefined)] }],
    ['with some of them', { data: { move: { id: 'p' } }, errors: [failed(undefined)] }],
    ['of another document', { data: { move: { id: 'p', maker: null } }, errors: [failed(['moved', 'maker'])] }],
  ])('where it has an error that says not where it failed, and is %s', async (_how, result) => {
    const { mutate, read, runs } = await open()
    const { tags } = await mutate('mutation { move { id maker { id at } } }', () => {
      runs.move()
      return result
    })
    expect(tags).toEqual(expect.arrayContaining(['Maker', 'Product']))
    expect(await read()).toBe(1)
  })

  test('of the operation that was run, with its fragments', async () => {
    const { mutate, runs } = await open()
    const source = `
      mutation Move { move { ...Moved } }
      mutation Other { rename { maker { id } } }
      query Others { other { id } }
      fragment Moved on Product { id name }
      fragment More on Product { maker { id } }
    `
    const throws = () => {
      runs.move()
      throw new Error('gone')
    }
    expect((await mutate(source, throws, 'Move')).tags).toEqual(['Product'])
    const other = await open()
    expect((await other.mutate(source, throws, 'Other')).tags).toEqual(['Maker', 'Product'])
  })

  test.each(['move { id } lockedStrictly { id }', 'lockedStrictly { id } move { maker { at } }'])(
    'where a field without a right takes the others with it: %s',
    async (fields) => {
      const { mutate } = await open()
      const { parts, tags } = await mutate(`mutation { ${fields} }`)
      expect(parts).toMatchObject([{ data: null, errors: [{ message: 'not yours' }] }])
      expect(tags).toContain('Product')
    },
  )

  test.each([
    ['says no', () => false],
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
    ],
  ])('also where enabled %s of it', async (_what, say) => {
    const { mutate, read, trace } = await open({ enabled: ({ off = false }: Context) => (off ? say() : true) })
    const { tags } = await mutate('mutation { move { maker { at } } }', undefined, undefined, { off: true })
    expect(tags).toEqual(['Maker:m', 'Product:p'])
    expect(await read()).toBe(1)
    expect(trace.of('bypass')).toEqual([])
  })
})

test.each(['locked { id maker { at } }', 'lockedStrictly { maker { at } }', 'a: locked { id } b: locked { id }'])(
  'what was refused invalidates nothing: %s',
  async (fields) => {
    const { mutate, read, trace } = await open()
    const { parts, tags } = await mutate(
      `mutation M { ${fields} } query Others { maker { at } other { id } }`,
      undefined,
      'M',
    )
    expect(parts).toMatchObject([
      { errors: expect.arrayContaining([expect.objectContaining({ message: 'not yours' })]) },
    ])
    expect(tags).toEqual([])
    await read()
    expect(trace.of('hit')).toHaveLength(1)
  },
)

test('beside what was refused the rest is invalidated', async () => {
  const { mutate, read } = await open()
  const { parts, tags } = await mutate('mutation { move { id maker { id at } } locked { name } }')
  expect(parts).toMatchObject([{ data: { move: { id: 'p' }, locked: null } }])
  expect(tags).toEqual(['Maker:m', 'Product:p'])
  expect(await read()).toBe(1)
})

function failed(path: (string | number)[] | undefined): GraphQLError {
  return new GraphQLError('it failed', { path })
}
