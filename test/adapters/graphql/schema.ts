import type * as GraphQL from 'graphql'
import type { GraphQLSchema } from 'graphql'
import type { Gate } from '../gate.ts'

/** What a shop's resolvers are made of. */
export interface Kitchen {
  /** graphql-js 16 or 17. */
  readonly graphql: typeof GraphQL
  /** Of the server: part of what it serves. */
  readonly name: string
  readonly gate: Gate
  /** What the resolvers ran, in order. */
  readonly runs: string[]
  /** Of the directives for results in parts. graphql-js 17 refuses a schema with them outside its experiment. */
  readonly incremental: boolean
}

/** The context that resolvers and `session` see. */
export interface ShopContext {
  readonly user: string | undefined
}

const INCREMENTAL = /* GraphQL */ `
  directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @stream(if: Boolean, label: String, initialCount: Int = 0) on FIELD
`

const TYPES = /* GraphQL */ `
  scalar IsoDate
  scalar Instant
  scalar BigInt
  scalar Opaque
  input Filter { name: String, tags: [String!], from: IsoDate }
  type Query {
    product(id: ID!): Product!
    me: String
    search(filter: Filter, limit: Int): String!
    scalars: Scalars!
    opaque: Opaque
    fails(code: String = "NO"): String!
    partly: [String]
    letters: [String!]!
  }
  type Product { id: ID!, name: String!, slow: String! }
  type Scalars { date: IsoDate!, instant: Instant!, big: BigInt!, float: Float!, none: String, list: [[Int]] }
  type Mutation { rename(id: ID!, name: String!): String!, relabel(id: ID!): Product! }
  type Subscription { ticks(to: Int!): String! }
`

/** An instance, which no codec restores. */
export class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
  toJSON() {
    return { cents: this.cents }
  }
}

/** The schema of all GraphQL tests: what a field gives names the server and its how manieth run it is. */
export function shopSchema(kitchen: Kitchen): GraphQLSchema {
  const { graphql, incremental } = kitchen
  const schema = graphql.buildSchema(incremental ? TYPES + INCREMENTAL : TYPES)
  const resolvers = resolversOf(kitchen)
  for (const [type, fields] of Object.entries(resolvers)) {
    const known = (schema.getType(type) as GraphQL.GraphQLObjectType).getFields()
    for (const [name, resolver] of Object.entries(fields)) Object.assign(known[name] as object, resolver)
  }
  for (const [name, serialize] of Object.entries(SCALARS)) {
    // The second is what graphql-js 17 calls it.
    Object.assign(schema.getType(name) as object, { serialize, coerceOutputValue: serialize })
  }
  return schema
}

const SCALARS = {
  IsoDate: (value: unknown) => (value as Date).toISOString(),
  // As in graphql-scalars: the Date itself, which JSON writes later.
  Instant: (value: unknown) => value,
  BigInt: (value: unknown) => String(value),
  Opaque: (value: unknown) => value,
}

type Resolve = (parent: never, args: never, context: ShopContext) => unknown

function resolversOf(kitchen: Kitchen): Record<string, Record<string, { resolve?: Resolve; subscribe?: Resolve }>> {
  const { gate, name, runs, graphql } = kitchen

  async function run(what: string): Promise<string> {
    runs.push(what)
    const served = `${what} by ${name}${runs.length}`
    await gate.pass()
    return served
  }

  function resolver(what: (args: Record<string, unknown>, context: ShopContext) => string): { resolve: Resolve } {
    return { resolve: (_parent: unknown, args: Record<string, unknown>, context) => run(what(args, context)) }
  }

  return {
    Query: {
      product: { resolve: async (_parent, { id }: { id: string }) => ({ id, name: await run(`product ${id}`) }) },
      me: resolver((_args, { user }) => `user ${user}`),
      search: resolver((args) => `search ${JSON.stringify(args)}`),
      scalars: {
        resolve: async () => {
          await run('scalars')
          const at = new Date(86_400_000)
          return { date: at, instant: at, big: 2n ** 70n, float: 0.1, none: null, list: [[1, null], []] }
        },
      },
      opaque: {
        resolve: async () => {
          await run('opaque')
          return new Money(runs.length)
        },
      },
      fails: {
        resolve: async (_parent, { code }: { code: string }) => {
          throw new graphql.GraphQLError(await run('no'), { extensions: { code } })
        },
      },
      partly: {
        resolve: async () => {
          const served = await run('partly')
          return [served, new graphql.GraphQLError('no second')]
        },
      },
      letters: {
        async *resolve() {
          for (const letter of 'abc') yield await run(letter)
        },
      },
    },
    Product: { slow: { resolve: async ({ id }: { id: string }) => run(`slow ${id}`) } },
    Mutation: {
      rename: resolver(({ id, name }) => `rename ${id} ${name}`),
      relabel: { resolve: async (_parent, { id }: { id: string }) => ({ id, name: await run(`relabel ${id}`) }) },
    },
    Subscription: {
      ticks: {
        async *subscribe(_parent: never, { to }: { to: number }) {
          for (let tick = 1; tick <= to; tick++) yield { ticks: await run(`tick ${tick}`) }
        },
      },
    },
  }
}
