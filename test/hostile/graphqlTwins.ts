import { GraphQLError } from 'graphql'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { cachedDirectiveTypeDefs, useCachedFields } from '../../src/adapters/graphql/directive.ts'
import { cacheControlTypeDefs, useAtomCache } from '../../src/adapters/graphql/yoga.ts'
import { type Cache, createCache, type Store } from '../../src/index.ts'
import { serveHttp } from '../adapters/http.ts'

/** The same server several times: without a cache, and with one in each of its forms. */
export interface GraphqlTwins extends AsyncDisposable {
  readonly plain: string
  readonly cached: Readonly<Record<string, string>>
  readonly caches: readonly Cache[]
}

interface Context {
  readonly user: string | null
}

const TYPES = /* GraphQL */ `
  scalar Any
  enum Color { RED GREEN }
  input Filter { word: String = "none", not: Filter, colors: [Color!], any: Any, at: [[Float]] }
  interface Node { id: ID! }
  union Found = Item | Other
  type Query {
    echo(text: String, number: Float, int: Int, id: ID, flag: Boolean = true, filter: Filter, any: Any): String
      @cached(scope: PUBLIC)
    any(value: Any): Any @cached(scope: PUBLIC)
    item(id: ID!): Item @cached(scope: PUBLIC)
    node(id: ID): Node
    found: [Found!]!
    list(n: Int = 2): [Item] @cached(scope: PUBLIC)
    me: String @cacheControl(scope: PRIVATE) @cached(scope: PRIVATE)
    fails(code: String): String @cached(scope: PUBLIC)
    throws: String
    partly: [String]
    nothing: Item
  }
  type Mutation { write(any: Any): String, touch(id: ID!): Item }
  type Item implements Node { id: ID!, name(upper: Boolean, any: Any): String @cached(scope: PUBLIC), self: Item, fails: String! }
  type Other implements Node { id: ID!, size: Int }
`

/** All that is answered is told by the arguments and the user. */
const item = (id: string) => (id === 'none' ? null : { __typename: 'Item', id })
const said = (what: string, args: object) => `${what} ${JSON.stringify(args)}`
const fails = (code: unknown): never => {
  throw code === undefined ? new Error('no') : new GraphQLError('no', { extensions: { code } })
}

const resolvers = {
  Query: {
    echo: (_: unknown, args: object) => said('echo', args),
    any: (_: unknown, { value = null }: { value?: unknown }) => value,
    item: (_: unknown, { id }: { id: string }) => item(id),
    node: (_: unknown, { id = '1' }: { id?: string | null }) =>
      String(id).length % 2 === 1 ? item(String(id)) : { __typename: 'Other', id: String(id), size: 1 },
    found: () => [item('1'), { __typename: 'Other', id: '2', size: null }],
    list: (_: unknown, { n }: { n: number | null }) =>
      Array.from({ length: Math.abs(n ?? 0) % 5 }, (_v, i) => item(`${i}`)),
    me: (_: unknown, _args: object, { user }: Context) => user,
    fails: (_: unknown, { code = 'NO' }: { code?: string }) => fails(code),
    throws: () => fails(undefined),
    partly: () => ['a', new Error('no second')],
  },
  Mutation: {
    write: (_: unknown, args: object) => said('write', args),
    touch: (_: unknown, { id }: { id: string }) => item(id),
  },
  Item: {
    name: ({ id }: { id: string }, args: object) => said(`name of ${id}`, args),
    self: ({ id }: { id: string }) => item(id),
    fails: () => fails('NOT_FOUND'),
  },
}

export async function openGraphqlTwins(store: Store, namespace: string): Promise<GraphqlTwins> {
  const open: AsyncDisposable[] = []
  const caches: Cache[] = []

  async function serve(plugins: readonly object[]): Promise<string> {
    const yoga = createYoga({
      schema: createSchema({ typeDefs: [TYPES, cacheControlTypeDefs, cachedDirectiveTypeDefs], resolvers }),
      logging: false,
      batching: { limit: 5 },
      context: ({ request }): Context => ({ user: request.headers.get('authorization') }),
      plugins: plugins as Plugin[],
    })
    const server = await serveHttp(yoga)
    open.push(server)
    return `${server.url}/graphql`
  }

  async function cacheOf(form: string): Promise<Cache> {
    const cache = createCache({ store, namespace: `${namespace}-${form}`, ttl: 60_000, commandTimeout: 5000 })
    open.push(cache)
    caches.push(cache)
    await cache.ready()
    return cache
  }

  const whose = (request: Request) => request.headers.get('authorization') || null
  const responses = (cache: Cache) =>
    useAtomCache({ cache, session: whose, early: { session: whose }, http: { vary: ['authorization'] } })
  const fields = (cache: Cache) =>
    useCachedFields<Context>({ cache, session: ({ user }) => user || null, entities: true })

  const [ofResponses, ofFields, ofBoth] = [await cacheOf('responses'), await cacheOf('fields'), await cacheOf('both')]
  return {
    plain: await serve([]),
    cached: {
      'whole responses': await serve([responses(ofResponses)]),
      'single fields': await serve([fields(ofFields)]),
      both: await serve([fields(ofBoth), responses(ofBoth)]),
    },
    caches,
    async [Symbol.asyncDispose]() {
      await Promise.all(open.map((each) => each[Symbol.asyncDispose]()))
    },
  }
}
