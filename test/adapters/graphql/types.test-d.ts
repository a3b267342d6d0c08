// Checked by `npm run typecheck`, and never run: each statement is a fact about types.
import { envelop } from '@envelop/core'
import { execute, type GraphQLSchema, type OperationDefinitionNode } from 'graphql'
import { createYoga, type YogaInitialContext } from 'graphql-yoga'
import { expectTypeOf } from 'vitest'
import { keepFresh as keepExecuted } from '../../../src/adapters/graphql/cachedExecute.ts'
import { keepFresh as keepEnveloped, useAtomCache as useEnvelopCache } from '../../../src/adapters/graphql/envelop.ts'
import { keepFresh as keepYoga, useAtomCache as useYogaCache } from '../../../src/adapters/graphql/yoga.ts'
import { createCache } from '../../../src/index.ts'

interface Context extends Record<string, unknown> {
  readonly user?: { readonly id: string }
}

const cache = createCache()

// In Yoga: the request, the context that was named with Yoga's own, and the operation.
createYoga({
  plugins: [
    useYogaCache<Context>({
      cache,
      session: (request, context, operation) => {
        expectTypeOf(request).toEqualTypeOf<Request>()
        expectTypeOf(context).toEqualTypeOf<Context & YogaInitialContext>()
        expectTypeOf(operation).toEqualTypeOf<OperationDefinitionNode>()
        return context.user?.id
      },
    }),
  ],
})
createYoga({ plugins: [useYogaCache({ cache, session: (request) => request.headers.get('authorization') })] })
createYoga<object, { user: string }>({ plugins: [useYogaCache({ cache, session: () => null })] })
// Contexts are mostly interfaces, which have no index signature.
interface Account {
  readonly account: string
}
useYogaCache<Account>({ cache, session: (_request, context) => context.account })

// In envelop: the context and the operation.
envelop({
  plugins: [
    useEnvelopCache<Context>({
      cache,
      session: (context, operation) => {
        expectTypeOf(context).toEqualTypeOf<Context>()
        expectTypeOf(operation).toEqualTypeOf<OperationDefinitionNode>()
        return context.user?.id ?? null
      },
    }),
  ],
})
envelop({ plugins: [useEnvelopCache({ cache, session: () => 'tenant' })] })
useEnvelopCache<Account>({ cache, session: (context) => context.account })

// What a session is not.
// @ts-expect-error it has to be said
useYogaCache({ cache })
// @ts-expect-error a string: it is asked for each request
useYogaCache({ cache, session: 'ann' })
// @ts-expect-error a function that gives a number
useYogaCache({ cache, session: () => 7 })
// @ts-expect-error it has to be said
useEnvelopCache({ cache })
// @ts-expect-error a function that gives a number
useEnvelopCache({ cache, session: () => 7 })
// @ts-expect-error a misspelt option
useEnvelopCache({ cache, session: () => null, tll: 1 })
// @ts-expect-error the cache is missing
useEnvelopCache({ session: () => null })

// How long a response is of use.
useYogaCache({ cache, session: () => null, staleWhileRevalidate: 1, staleIfError: 1, softTimeout: 1, jitter: 0.1 })
useEnvelopCache({ cache, session: () => null, earlyRefresh: { beta: 2 } })
// @ts-expect-error ms, not a text
useYogaCache({ cache, session: () => null, staleIfError: '1h' })
// @ts-expect-error it is about other values
useYogaCache({ cache, session: () => null, negativeTtl: 5 })

// An operation that is kept fresh.
const query = '{ a }'
const createContext = () => ({})
const { getEnveloped } = createYoga<{ server: string }, { user: string }>({})
expectTypeOf(keepYoga({ cache, getEnveloped, query, createContext })).toExtend<Disposable>()
keepYoga({ cache, getEnveloped, query, variables: { a: 1 }, operationName: 'A', createContext: async () => ({}) })
keepEnveloped({ cache, getEnveloped: envelop({ plugins: [] }), query, createContext }).stop()
declare const schema: GraphQLSchema
keepExecuted({ cache, schema, execute, query, createContext })
// @ts-expect-error whose context it is has to be said
keepYoga({ cache, getEnveloped, query })
// @ts-expect-error the server, not its getEnveloped
keepYoga({ cache, getEnveloped: createYoga({}), query, createContext })
// @ts-expect-error the text of the query is missing
keepEnveloped({ cache, getEnveloped, createContext })
