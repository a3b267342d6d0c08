// Checked by `npm run typecheck`, and never run: each statement is a fact about types.
import { type Plugin as EnvelopPlugin, envelop } from '@envelop/core'
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { createYoga, type Plugin as YogaPlugin } from 'graphql-yoga'
import { expectTypeOf } from 'vitest'
import {
  applyCachedDirective,
  type CachedField,
  type CachedFieldsMetadata,
  type CachedFieldsOptions,
  cachedDirectiveTypeDefs,
  type FieldCall,
  type FieldOutcomes,
  type ResolvedField,
  useCachedFields,
} from '../../../../src/adapters/graphql/directive.ts'
import { createCache } from '../../../../src/index.ts'

// Contexts are mostly interfaces, which have no index signature.
interface Context {
  readonly user?: { readonly id: string }
}

const cache = createCache()
const schema = new GraphQLSchema({})

expectTypeOf(cachedDirectiveTypeDefs).toExtend<string>()

// The plugin, in Yoga and in envelop: `session` has the context that was named.
createYoga({
  plugins: [
    useCachedFields<Context>({
      cache,
      session: (context) => {
        expectTypeOf(context).toEqualTypeOf<Context>()
        return context.user?.id
      },
    }),
  ],
})
createYoga<object, Context>({ plugins: [useCachedFields<Context>({ cache, session: ({ user }) => user?.id })] })
createYoga({ plugins: [useCachedFields({ cache, includeExtensionMetadata: true })] })
envelop({ plugins: [useCachedFields<Context>({ cache, session: ({ user }) => user?.id ?? null })] })
envelop({ plugins: [useCachedFields({ cache, defaultScope: 'PUBLIC', ttl: 1_000, entities: true, strict: true })] })
const plugin = useCachedFields<Context>({ cache, session: ({ user }) => user?.id })
expectTypeOf(plugin).toExtend<YogaPlugin>()
expectTypeOf(plugin).toExtend<YogaPlugin<Context>>()
expectTypeOf(plugin).toExtend<EnvelopPlugin>()
expectTypeOf(plugin).toExtend<EnvelopPlugin<{ account: string }>>()

// The function gives a schema.
expectTypeOf(applyCachedDirective(schema, { cache })).toEqualTypeOf<GraphQLSchema>()
applyCachedDirective<Context>(schema, {
  cache,
  session: (context) => {
    expectTypeOf(context).toEqualTypeOf<Context>()
    return context.user?.id
  },
})
const options: CachedFieldsOptions<Context> = { cache, session: ({ user }) => user?.id, idFields: ['id', 'sku'] }
applyCachedDirective(schema, options)

useCachedFields({
  cache,
  staleWhileRevalidate: 600_000,
  staleIfError: Number.POSITIVE_INFINITY,
  softTimeout: 500,
  isOutage: (error) => error instanceof TypeError,
  jitter: 0.1,
  earlyRefresh: { beta: 2 },
  negativeTtl: 5_000,
  isNegative: (value) => {
    expectTypeOf(value).toEqualTypeOf<unknown>()
    return value === null
  },
  errorTtl: () => 1_000,
  onWaitTimeout: 'stale',
})

// What code-first schemas say, with the types of the field.
interface Product {
  readonly sku: string
}
class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
}
const price: CachedField<Product, { readonly unit: string }, Context, Money> = {
  maxAge: 60,
  scope: 'PUBLIC',
  parentKey: (parent) => {
    expectTypeOf(parent).toEqualTypeOf<Product>()
    return parent.sku
  },
  vary: (context) => {
    expectTypeOf(context).toEqualTypeOf<Context>()
    return context.user?.id
  },
  tags: (field) => {
    expectTypeOf(field).toEqualTypeOf<ResolvedField<Product, { readonly unit: string }, Context, Money>>()
    expectTypeOf(field).toExtend<FieldCall<Product, { readonly unit: string }, Context>>()
    return [`Product:${field.parent.sku}`, field.args.unit, String(field.result.cents)]
  },
  staleWhileRevalidate: 600,
  staleIfError: Number.POSITIVE_INFINITY,
  negativeMaxAge: 5,
  isNegative: (money) => {
    expectTypeOf(money).toEqualTypeOf<Money>()
    return money.cents === 0
  },
  isOutage: (error) => {
    expectTypeOf(error).toEqualTypeOf<unknown>()
    return error instanceof TypeError
  },
  serialize: (money) => {
    expectTypeOf(money).toEqualTypeOf<Money>()
    return money.cents
  },
  revive: (cents: number) => new Money(cents),
}
new GraphQLObjectType<Product, Context>({
  name: 'Product',
  fields: { price: { type: GraphQLString, extensions: { cached: price } } },
})
// Without types of the field functions know nothing of what they are given.
const loose: CachedField = {
  tags: ({ parent, args, context, result }) => {
    expectTypeOf([parent, context, result]).toEqualTypeOf<unknown[]>()
    return [`Product:${args.id}`]
  },
  vary: ['user.id'],
}
const undefinedIsNotSaid: CachedField = { maxAge: undefined, scope: undefined, tags: undefined, entities: undefined }
const texts: CachedField = {
  parentKey: 'sku',
  tags: ['Product:{parent.sku}'] as const,
  maxAge: Number.POSITIVE_INFINITY,
}
void [loose, undefinedIsNotSaid, texts]

// What results say.
const metadata: CachedFieldsMetadata = { 'Product.price': { hit: 2, led: 1 }, 'Query.me': { followed: 1, uncached: 1 } }
expectTypeOf(metadata['Query.me']).toEqualTypeOf<Readonly<FieldOutcomes> | undefined>()
expectTypeOf(metadata['Query.me']?.hit).toEqualTypeOf<number | undefined>()
expectTypeOf(metadata['Query.me']?.stale).toEqualTypeOf<number | undefined>()

// What is refused.
// @ts-expect-error the cache is missing
useCachedFields({})
// @ts-expect-error a misspelt option
useCachedFields({ cache, tll: 1 })
// @ts-expect-error a string: it is asked for each field
useCachedFields({ cache, session: 'ann' })
// @ts-expect-error a function that gives a number
useCachedFields({ cache, session: () => 7 })
// @ts-expect-error scopes are upper case
useCachedFields({ cache, defaultScope: 'public' })
// @ts-expect-error only the plugin sees results
applyCachedDirective(schema, { cache, includeExtensionMetadata: true })
// @ts-expect-error a schema comes first
applyCachedDirective({ cache })
// @ts-expect-error seconds are a number
void ({ maxAge: '60' } satisfies CachedField)
// @ts-expect-error windows are numbers
void ({ staleIfError: true } satisfies CachedField)
// @ts-expect-error a function that gives a text
void ({ isNegative: () => 'no' } satisfies CachedField)
// @ts-expect-error of all fields: it is said in the options
void ({ softTimeout: 1 } satisfies CachedField)
// @ts-expect-error scopes are upper case
void ({ scope: 'public' } satisfies CachedField)
// @ts-expect-error tags are a list
void ({ tags: 'products' } satisfies CachedField)
// @ts-expect-error a promise is too late
void ({ parentKey: async () => 'x' } satisfies CachedField)
// @ts-expect-error no identity
void ({ parentKey: () => ({}) } satisfies CachedField)
// @ts-expect-error a misspelt name
void ({ ttl: 60 } satisfies CachedField)
// @ts-expect-error it revives something else
void ({ serialize: String, revive: () => 7 } satisfies CachedField<Product, object, Context, Money>)
