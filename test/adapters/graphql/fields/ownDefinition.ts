import type * as GraphQLJs from 'graphql'
import type { GraphQLObjectType } from 'graphql'
import { expect, test } from 'vitest'
import { applyCachedDirective } from '../../../../src/adapters/graphql/directive.ts'
import { createCache, memoryStore } from '../../../../src/index.ts'
import { traceOf } from '../../trace.ts'

/** Where a schema defines the directive itself. */
export function describeOwnDefinition({ buildSchema, graphql }: Pick<typeof GraphQLJs, 'buildSchema' | 'graphql'>) {
  test('defaults of a definition of the schema are said of fields that say nothing else', async () => {
    await using cache = createCache({ store: memoryStore() })
    const trace = traceOf(cache)
    const given = buildSchema(/* GraphQL */ `
      enum CachedScope { PUBLIC PRIVATE }
      directive @cached(
        maxAge: Int = 100
        negativeMaxAge: Int = 400
        scope: CachedScope = PUBLIC
        tags: [String!] = ["all"]
      ) on FIELD_DEFINITION
      type Query {
        unsaid: String @cached
        said: String @cached(maxAge: 200, tags: null)
        extended: String @cached
        nothing: String @cached
      }`)
    const query = given.getType('Query') as GraphQLObjectType
    Object.assign(query.getFields().extended as object, { extensions: { cached: { maxAge: 300 } } })
    const schema = applyCachedDirective(given, { cache })
    const entryOf = async (name: string) => {
      await graphql({ schema, source: `{ ${name} }`, rootValue: name === 'nothing' ? {} : { [name]: 'x' } })
      const key = trace.of('publish').find(({ key }) => key.includes(`Query.${name}`))?.key ?? '[]'
      const { ttl, tags } = (await cache.entry(JSON.parse(key))) ?? {}
      // What is left of it.
      return { ttl: Math.ceil((ttl ?? 0) / 100_000), tags }
    }
    expect(await entryOf('unsaid')).toEqual({ ttl: 1, tags: ['field:Query.unsaid', 'all'] })
    expect(await entryOf('said')).toEqual({ ttl: 2, tags: ['field:Query.said'] })
    expect(await entryOf('nothing')).toEqual({ ttl: 4, tags: ['field:Query.nothing', 'all'] })
    expect(await entryOf('extended')).toEqual({ ttl: 3, tags: ['field:Query.extended', 'all'] })
  })
}
