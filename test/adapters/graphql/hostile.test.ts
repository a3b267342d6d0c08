import { buildSchema, type ExecutionArgs, execute, type GraphQLResolveInfo, type GraphQLSchema, parse } from 'graphql'
import { afterAll, describe, expect, test } from 'vitest'
import { cacheControlTypeDefs, cachedExecute, setCacheHint } from '../../../src/adapters/graphql/cachedExecute.ts'
import { createCache, memoryStore } from '../../../src/index.ts'
import { traceOf } from '../trace.ts'

const cache = createCache({ namespace: 'hostile', ttl: 60_000 })
afterAll(() => cache.close())

const everybody = cachedExecute({ cache, session: () => null, includeExtensionMetadata: true })

/** What the cache says of an operation, run on a root of functions. */
async function ask(schema: GraphQLSchema, query: string, rootValue: object, more: Partial<ExecutionArgs> = {}) {
  const args = { schema, document: parse(query), rootValue, contextValue: {}, ...more }
  return JSON.parse(JSON.stringify(await everybody(args, execute)))
}

describe('a document of a client that wants the server to be busy', () => {
  const tree = buildSchema('type Query { child: Node } type Node { id: ID child: Node name: String }')
  const node = (depth: number): object | null => (depth === 0 ? null : { id: depth, child: () => node(depth - 1) })

  test('with fragments in fragments is read as the executor reads it, each once', async () => {
    const levels = 40
    const spread = (i: number) => `child { ...F${i} } child { ...F${i} }`
    const fragments = Array.from(
      { length: levels },
      (_, i) => `fragment F${i} on Node { ${i < levels - 1 ? spread(i + 1) : 'name'} }`,
    )
    const { data } = await ask(tree, `{ ${spread(0)} } ${fragments.join('\n')}`, { child: () => node(levels) })
    expect(Object.keys(data)).toEqual(['child'])
  })

  test('with thousands of aliases like those of the additions finds another name soon', async () => {
    const aliases = Array.from({ length: 20_000 }, (_, i) => `__atomcache${20_000 - i}_a: name`)
    const { data } = await ask(tree, `{ child { __atomcache_: name ${aliases.join(' ')} } }`, { child: () => node(1) })
    expect(Object.keys(data.child)).toHaveLength(20_001)
  })

  test('with an error deep below abstract types is read type by type', async () => {
    const types = Array.from({ length: 8 }, (_, i) => `type T${i} implements I { id: ID! i: I! fails: String! }`)
    const schema = buildSchema(
      `type Query { a: ID } type Mutation { i: I } interface I { id: ID! i: I! fails: String! } ${types.join(' ')}`,
    )
    const object = (depth: number): object => ({
      __typename: `T${depth % 8}`,
      id: depth,
      i: () => object(depth + 1),
      fails() {
        throw new Error('deep')
      },
    })
    const nested = 'i { '.repeat(12)
    const { errors, data } = await ask(schema, `mutation { ${nested} fails ${'}'.repeat(12)} }`, { i: () => object(0) })
    expect([data, errors.length]).toEqual([{ i: null }, 1])
  })
})

describe('what belongs to one user', () => {
  const schema = buildSchema('type Query { me: String }')
  const me = (_args: unknown, { user }: { user: string }, info: GraphQLResolveInfo) => {
    setCacheHint(info, { scope: 'PRIVATE' })
    return `me ${user}`
  }

  test('is private by a hint, whatever context its resolver got', async () => {
    const copies = (args: ExecutionArgs) => execute({ ...args, contextValue: { ...(args.contextValue as object) } })
    for (const user of ['ann', 'bob']) {
      const args = { schema, document: parse('query Copied { me }'), rootValue: { me }, contextValue: { user } }
      expect(await everybody(args, copies)).toMatchObject({ data: { me: `me ${user}` } })
    }
  })

  test('is so too where one context is that of two operations at once', async () => {
    const contextValue = { user: 'ann' }
    const both = ['query One { me }', 'query Two { me other: me }'].map((query) =>
      ask(schema, query, { me }, { contextValue }),
    )
    await Promise.all(both)
    for (const query of ['query One { me }', 'query Two { me other: me }']) {
      expect((await ask(schema, query, { me }, { contextValue: { user: 'bob' } })).data.me).toBe('me bob')
    }
  })

  test('is not what another deployment kept when the schema did not say so yet', async () => {
    const store = memoryStore()
    const answers: unknown[] = []
    for (const [user, directive] of [
      ['ann', ''],
      ['bob', '@cacheControl(scope: PRIVATE)'],
    ] as const) {
      const own = createCache({ namespace: 'deployed', store, ttl: 60_000 })
      const run = cachedExecute({ cache: own, session: () => null })
      const deployed = buildSchema(`${cacheControlTypeDefs} type Query { me: String ${directive} }`)
      const rootValue = { me: () => `me ${user}` }
      answers.push(await run({ schema: deployed, document: parse('{ me }'), rootValue, contextValue: {} }, execute))
      await own.close()
    }
    expect(answers.map((answer) => (answer as { data: { me: string } }).data.me)).toEqual(['me ann', 'me bob'])
  })
})

describe('a client', () => {
  test('does not keep a mutation from being understood by another form of the id', async () => {
    const schema = buildSchema(`
      type Query { product: Product }
      type Mutation { rename: Product }
      type Product { id(encoded: Boolean): ID name: String }
    `)
    let name = 'old'
    const product = () => ({ id: ({ encoded }: { encoded?: boolean }) => (encoded ? 'UHJvZHVjdDo0Mg' : '42'), name })
    const root = {
      product,
      rename() {
        name += '!'
        return product()
      },
    }
    for (const asked of ['id(encoded: true) name', 'id name', 'x: id(encoded: true) name', 'name']) {
      for (const renamed of ['id', 'x: id(encoded: true)', 'id(encoded: true)', 'name']) {
        const query = `query Asked { product { ${asked} } }`
        expect((await ask(schema, query, root)).data.product.name).toBe(name)
        await ask(schema, `mutation { rename { ${renamed} } }`, root)
        expect((await ask(schema, query, root)).data.product.name).toBe(name)
      }
    }
  })

  test('does not fill the store with variables that the operation does not have', async () => {
    const schema = buildSchema('type Query { a(x: Int): Int }')
    let runs = 0
    const root = { a: () => ++runs }
    for (let i = 0; i < 5; i++) {
      const variableValues = { x: 1, [`y${i}`]: i }
      expect((await ask(schema, 'query A($x: Int) { a(x: $x) }', root, { variableValues })).data.a).toBe(1)
    }
  })

  test('is told the errors of its own document only', async () => {
    const schema = buildSchema('type Query { a: String }')
    const root = {
      a() {
        throw new Error('no')
      },
    }
    const of = (body: string) =>
      everybody({ schema, document: parse(body), rootValue: root, contextValue: {} }, execute)
    await of('# of ann\n\n\nquery Mine { a }')
    const result = (await of('query Mine { a }')) as unknown as {
      errors: { source: { body: string }; locations: object[] }[]
    }
    expect(result.errors[0]?.source.body).toBe('query Mine { a }')
    expect(result.errors[0]?.locations).toEqual([{ line: 1, column: 14 }])
  })

  test.each(['Forbidden', 'AbortError'])('whose operation throws (%s) has it run once', async (name) => {
    const schema = buildSchema('type Query { a: String }')
    let runs = 0
    const fails = () => {
      runs++
      throw Object.assign(new Error(name), { name })
    }
    const args = { schema, document: parse(`query Thrown${name} { a }`), contextValue: {} }
    await expect(everybody(args, fails)).rejects.toThrow(name)
    expect(runs).toBe(1)
  })
})

test('each operation that can’t be stored is told once, by its name', async () => {
  const own = createCache({ namespace: 'told', ttl: 60_000, maxEntryBytes: 5 })
  const run = cachedExecute({ cache: own, session: () => null })
  const trace = traceOf(own)
  const schema = buildSchema('type Query { a: Int }')
  for (const query of ['query A { a }', 'query B { a }', '{ a }', 'query B { a }'])
    await run({ schema, document: parse(query), rootValue: { a: 1 }, contextValue: {} }, execute)
  const reason = expect.stringMatching(/bytes are more than maxEntryBytes \(5\)$/)
  expect(trace.of('uncacheable')).toMatchObject(
    ['query A', 'query B', 'query (anonymous)'].map((shape) => ({ shape, reason })),
  )
  await own.close()
})

test.each([
  ['the value is too large', { maxEntryBytes: 5 }],
  ['it has too many tags', { maxTags: 1 }],
  ['the cache is switched off', { enabled: false }],
])('nothing is said to be stored where %s', async (_why, options) => {
  const own = createCache({ namespace: 'told', ttl: 60_000, ...options })
  const run = cachedExecute({ cache: own, session: () => null, includeExtensionMetadata: true })
  const trace = traceOf(own)
  const schema = buildSchema('type Query { a: A b: B } type A { id: ID } type B { id: ID }')
  const rootValue = { a: { id: 1 }, b: { id: 2 } }
  const result = await run({ schema, document: parse('{ a { id } b { id } }'), rootValue, contextValue: {} }, execute)
  expect(result).toMatchObject({ extensions: { responseCache: { hit: false, didCache: false } } })
  expect(trace.of('publish')).toEqual([])
  await own.close()
})
