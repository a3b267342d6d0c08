import type { GraphQLResolveInfo } from 'graphql'
import { cacheControlTypeDefs, setCacheHint } from '../../../src/adapters/graphql/envelop.ts'
import { market } from './market.ts'

/** What `@cacheControl` may say of what. */
const SDL = /* GraphQL */ `
  type Query {
    plain: String
    short: String @cacheControl(maxAge: 10)
    never: String @cacheControl(maxAge: 0)
    mine: String @cacheControl(scope: PRIVATE)
    typed: Typed
    typeds: [Typed!]
    none: [Typed!]
    field: Typed @cacheControl(maxAge: 600)
    inherited: Typed @cacheControl(inheritMaxAge: true)
    bare: Bare
    bareAged: Bare @cacheControl(maxAge: 50)
    bareInherits: Bare @cacheControl(inheritMaxAge: true)
    own: Own
    ownForAll: Own @cacheControl(scope: PUBLIC)
    ownless: Own
    aged(is: String!): Aged
    agedField: Aged @cacheControl(maxAge: 600)
    either: Either
    loose(is: String!): Loose
    extended: Extended
    hinted(maxAge: Float, scope: String): String @cacheControl(maxAge: 100)
    free(maxAge: Float, scope: String): String
    hintedTyped(maxAge: Float, scope: String): Typed
    hintedOwn(maxAge: Float, scope: String): Own
    rows: [Row!]
  }
  type Typed implements Aged @cacheControl(maxAge: 30) {
    name: String
    low: String @cacheControl(maxAge: 5)
    bare: Bare
    inner: Bare @cacheControl(inheritMaxAge: true)
    heir: Heir
  }
  type Bare implements Aged { name: String }
  type Heir @cacheControl(inheritMaxAge: true) { name: String }
  type Own implements Secret @cacheControl(maxAge: 40, scope: PRIVATE) { name: String pin: String }
  type Vault implements Secret { pin: String }
  type Row { value(maxAge: Float, scope: String): String, cells: [[Row!]!] }
  type Extended { name: String }
  extend type Extended @cacheControl(maxAge: 15)
  interface Aged @cacheControl(maxAge: 20) { name: String }
  interface Secret { pin: String @cacheControl(scope: PRIVATE) }
  union Either @cacheControl(maxAge: 25) = Typed | Bare
  union Loose = Typed | Bare | Own | Vault
  type Mutation { bake: Typed }
`

const bare = { __typename: 'Bare', name: 'bare' }
const typed = { __typename: 'Typed', name: 'typed', low: 'low', bare, inner: bare, heir: { name: 'heir' } }
const own = { __typename: 'Own', name: 'own', pin: '1' }
const known: Record<string, object> = { Bare: bare, Typed: typed, Own: own, Vault: { __typename: 'Vault', pin: '2' } }

type Info = Pick<GraphQLResolveInfo, 'path' | 'operation' | 'schema'>

/** Hints by the arguments of the field: both at once, or one after the other. */
function hints<V>(value: V) {
  return (_parent: never, { maxAge, scope }: { maxAge?: number; scope?: string }, _context: object, info: Info): V => {
    if (scope !== undefined) setCacheHint(info, { scope: scope as 'PRIVATE' })
    if (maxAge !== undefined) setCacheHint(info, { maxAge })
    return value
  }
}

export const bakery = market(cacheControlTypeDefs + SDL, () => ({
  Query: {
    ...Object.fromEntries(['plain', 'short', 'never', 'mine'].map((name) => [name, () => name])),
    ...Object.fromEntries(['typed', 'field', 'inherited', 'agedField', 'either'].map((name) => [name, () => typed])),
    ...Object.fromEntries(['bare', 'bareAged', 'bareInherits'].map((name) => [name, () => bare])),
    typeds: () => [typed, typed],
    none: () => [],
    own: () => own,
    ownForAll: () => own,
    ownless: () => null,
    aged: (_parent, { is }) => known[is],
    loose: (_parent, { is }) => known[is],
    extended: () => ({ name: 'extended' }),
    hinted: hints('hinted'),
    free: hints('free'),
    hintedTyped: hints(typed),
    hintedOwn: hints(own),
    rows: () => [{ cells: [] }, { cells: [[{}, {}], [{}]] }],
  },
  Row: { value: hints('value') },
  Mutation: { bake: () => typed },
}))
