import type { IncomingMessage, RequestListener } from 'node:http'
import { json } from 'node:stream/consumers'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { envelop, type Plugin, useEngine, useSchema } from '@envelop/core'
import { useGraphQlJit } from '@envelop/graphql-jit'
import { normalizedExecutor } from '@graphql-tools/executor'
import { ApolloServer as ApolloServer4 } from 'apollo-server4'
import { startStandaloneServer as startStandaloneServer4 } from 'apollo-server4/standalone'
import { fastify } from 'fastify'
import type { ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql'
import { createYoga } from 'graphql-yoga'
import mercurius from 'mercurius'
import {
  applyCachedDirective,
  type CachedFieldsOptions,
  useCachedFields,
} from '../../../../src/adapters/graphql/directive.ts'
import { type HttpServer, serveHttp } from '../../http.ts'
import type { ShopContext } from '../schema.ts'
import type { Serve, Site } from '../shop.ts'

interface Body {
  readonly query: string
  readonly variables?: Record<string, unknown>
  readonly operationName?: string
}

type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>

const contextOf = ({ headers }: IncomingMessage): ShopContext => ({ user: headers.authorization })
const optionsOf = ({ cache, session, options }: Site): CachedFieldsOptions<ShopContext> => ({
  cache,
  session,
  ...options,
})
const applied = (site: Site): GraphQLSchema => applyCachedDirective(site.schema, optionsOf(site))

/** GraphQL Yoga on node:http. */
export const serveYoga: Serve = (site) => {
  const yoga = createYoga({
    schema: site.schema,
    logging: false,
    context: ({ request }) => ({ user: request.headers.get('authorization') ?? undefined }),
    plugins: [
      ...(site.before as Plugin[]),
      useCachedFields<ShopContext>(optionsOf(site)),
      ...(site.after as Plugin[]),
    ] as never[],
  })
  return serveHttp(yoga)
}

/** Plain envelop with the few lines of HTTP that it needs. */
export const serveEnvelop: Serve = (site) => {
  const { parse, validate, execute, subscribe, specifiedRules } = site.graphql
  const getEnveloped = envelop({
    plugins: [
      useEngine({ parse, validate, execute, subscribe, specifiedRules }),
      useSchema(site.schema),
      ...(site.before as Plugin[]),
      useCachedFields<ShopContext>(optionsOf(site)),
      ...(site.after as Plugin[]),
    ],
  })
  return serveHttp(
    answering(async ({ query, variables, operationName }, context) => {
      const { schema, parse, validate, execute, contextFactory } = getEnveloped(context)
      const document = parse(query)
      const errors = validate(schema, document)
      if (errors.length > 0) return { errors }
      const contextValue = await contextFactory({})
      return execute({ schema, document, contextValue, variableValues: variables, operationName })
    }),
  )
}

/** The compiler of envelop, next to the plugin. */
export const serveJit: Serve = (site) => serveEnvelop({ ...site, before: [useGraphQlJit(), ...site.before] })
export const serveJitAfter: Serve = (site) => serveEnvelop({ ...site, after: [...site.after, useGraphQlJit()] })

/** No framework at all: what executes is given the schema. */
const serveExecutor =
  (executeOf: (site: Site) => Execute): Serve =>
  (site) => {
    const { parse, validate } = site.graphql
    const execute = executeOf(site)
    const schema = applied(site)
    return serveHttp(
      answering(({ query, variables, operationName }, contextValue) => {
        const document = parse(query)
        const errors = validate(schema, document)
        return errors.length > 0
          ? { errors }
          : execute({ schema, document, contextValue, variableValues: variables, operationName })
      }),
    )
  }

export const serveGraphqlJs = serveExecutor(({ graphql }) => graphql.execute as Execute)
export const serveToolsExecutor = serveExecutor(() => normalizedExecutor as Execute)

function answering(
  answer: (body: Body, context: ShopContext) => ExecutionResult | Promise<ExecutionResult>,
): RequestListener {
  return async (request, response) => {
    const reply = (status: number, result: ExecutionResult | { errors: unknown[] }) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(result))
    try {
      reply(200, await answer((await json(request)) as Body, contextOf(request)))
    } catch (error) {
      reply(500, { errors: [{ message: String(error) }] })
    }
  }
}

const context = async ({ req }: { req: IncomingMessage }) => contextOf(req)
const listen = { port: 0, host: '127.0.0.1' }

export async function serveApollo5(site: Site): Promise<HttpServer> {
  const server = new ApolloServer<ShopContext>({ schema: applied(site) })
  const { url } = await startStandaloneServer(server, { context, listen })
  return { url: url.replace(/\/$/, ''), [Symbol.asyncDispose]: () => server.stop() }
}

export async function serveApollo4(site: Site): Promise<HttpServer> {
  const server = new ApolloServer4<ShopContext>({ schema: applied(site) })
  const { url } = await startStandaloneServer4(server, { context, listen })
  return { url: url.replace(/\/$/, ''), [Symbol.asyncDispose]: () => server.stop() }
}

const mercuriusWith =
  (options: { readonly jit?: number }): Serve =>
  async (site) => {
    const app = fastify()
    app.register(mercurius, { schema: applied(site), context: ({ raw }) => contextOf(raw), ...options })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { url, [Symbol.asyncDispose]: () => app.close() }
  }

export const serveMercurius = mercuriusWith({})
/** Operations are compiled when they are asked for a second time. */
export const serveMercuriusJit = mercuriusWith({ jit: 1 })
