import { createServer, type Server } from 'node:http'
import type { Cache } from 'atomcache'
import { useAtomCache } from 'atomcache/yoga'
import { GraphQLError, Kind, type OperationDefinitionNode } from 'graphql'
import { createSchema, createYoga } from 'graphql-yoga'
import type { Countries } from './countries.ts'

const typeDefs = /* GraphQL */ `
  type Query {
    countries(region: String!): [Country!]!
    country(code: String!): Country!
  }
  type Mutation {
    rename(code: String!, name: String!): Country!
  }
  type Country {
    code: String!
    name: String!
    capital: String
    version: Int!
  }
`

/** A GraphQL server: whole responses for lists; single countries are cached below the resolver. */
export function createYogaServer(cache: Cache, countries: Countries): Server {
  const resolvers = {
    Query: {
      countries: (_: unknown, { region }: { region: string }) => countries.inRegion(region),
      country: (_: unknown, { code }: { code: string }) => countries.byCode(code).catch(failed),
    },
    Mutation: {
      rename: (_: unknown, { code, name }: { code: string; name: string }) => countries.rename(code, name),
    },
  }
  const yoga = createYoga({
    schema: createSchema({ typeDefs, resolvers }),
    plugins: [
      useAtomCache({
        cache,
        ttl: 60_000,
        // `null`: the same for everybody. `undefined`: no whole responses, or a renamed country would live on in them.
        session: (_request, _context, operation) => (asksOnlyFor('countries', operation) ? null : undefined),
      }),
    ],
  })
  return createServer(yoga)
}

function asksOnlyFor(field: string, { selectionSet }: OperationDefinitionNode): boolean {
  return selectionSet.selections.every((selection) => selection.kind === Kind.FIELD && selection.name.value === field)
}

/** Yoga masks what is not a GraphQLError: clients may know this one. */
function failed(error: Error): never {
  throw new GraphQLError(error.message, { extensions: { code: 'ORIGIN_FAILED' } })
}
