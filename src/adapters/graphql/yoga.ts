import { type ExecutionArgs, GraphQLError, type GraphQLSchema, type OperationDefinitionNode } from 'graphql'
import type { Plugin, YogaInitialContext } from 'graphql-yoga'
import { notAsync } from '../../core/checks.ts'
import { internalsOf } from '../../core/internals.ts'
import type { KeptFresh } from '../../core/keepFresh.ts'
import type { Scope } from '../../core/scope.ts'
import { answering } from './responses/execution.ts'
import { type KeepFreshOptions, keepFresh as keepEnveloped } from './responses/keepFresh.ts'
import { type ResponseCacheOptions, ruleOptions } from './responses/options.ts'
import { schemaCheck } from './responses/schemaCheck.ts'
import { BYTES, untouchedOf } from './results/served.ts'
import type { EarlyOptions } from './yoga/early.ts'
import { earlyHooks, earlyOf, type Read } from './yoga/earlyHooks.ts'
import { mediaTypeFor } from './yoga/earlyRequests.ts'
import { type HttpOptions, responseHeaders } from './yoga/responseHeaders.ts'
import { type Replied, storedReplies } from './yoga/storedReplies.ts'

export { type CacheHint, type CacheScope, cacheControlTypeDefs } from './documents/cacheControl.ts'
export type { KeepFreshOptions } from './responses/keepFresh.ts'
export type { ResponseCacheMetadata } from './responses/metadata.ts'
export type { BuildResponseCacheKey, Execution, ResponseCacheOptions } from './responses/options.ts'
export { setCacheHint } from './responses/resolverHints.ts'
export type { EarlyOptions } from './yoga/early.ts'
export type { HttpOptions } from './yoga/responseHeaders.ts'

export interface YogaCacheOptions<C = Record<string, unknown>> extends ResponseCacheOptions<C & YogaInitialContext> {
  /**
   * Whose data the response is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached. Asked when the context is complete.
   */
  readonly session: (request: Request, context: C & YogaInitialContext, operation: OperationDefinitionNode) => Scope
  /** Whether the cache is asked at all; asked once per request, when the context is complete. Default: yes. */
  readonly enabled?: ((request: Request, context: C & YogaInitialContext) => boolean) | undefined
  /** What HTTP caches are told, and what clients may say. */
  readonly http?: HttpOptions | undefined
  /**
   * Answers hits before the request is parsed, once all plugins had their `onRequest` and `onRequestParse`, and nothing else:
   * neither `session` nor what plugins do later is asked. What an answer depends on besides the operation must be said by
   * `early.session`. Default: no.
   */
  readonly early?: EarlyOptions | undefined
}

/** What is known of a request. In one place: weak maps, whose keys are so short-lived, keep the garbage collector busy. */
interface Exchange extends Replied {
  enabled?: boolean
  read?: Read
}

/**
 * Caches whole query responses, computed once over all instances, and invalidates what mutations return. Errors and
 * subscriptions are not stored. It belongs behind the plugins that authenticate.
 *
 * @throws TypeError or RangeError for bad options
 */
export function useAtomCache<C extends object = Record<string, unknown>>(options: YogaCacheOptions<C>): Plugin {
  const answer = answering('useAtomCache', options, ['session', 'enabled', 'http', 'early'])
  const { session, enabled = () => true, http = {} } = options
  const headers = responseHeaders(http, internalsOf(options.cache).now)
  const replies = storedReplies(headers)
  const requests = new WeakMap<Request, Exchange>()

  /** The request has come by HTTP, and is answered so. */
  function known(request: Request): Exchange {
    let one = requests.get(request)
    if (one === undefined) {
      one = { asked: 0, answers: [] }
      requests.set(request, one)
    }
    return one
  }

  const early = earlyOf(options)
  let begun = false
  const hooks =
    early &&
    earlyHooks(early, headers, known, (request, mediaType, found, fetchAPI) => {
      const { response, times, scope } = found
      const about = known(request)
      about.asked++
      about.answers.push({ result: BYTES, outcome: { type: 'hit', ttl: early.left(found) }, scope, response, times })
      return replies.of(request, about, response, mediaType, fetchAPI)
    })
  const check = schemaCheck(ruleOptions(options))
  return {
    onPluginInit(payload) {
      if (early !== undefined && begun)
        throw new TypeError('useAtomCache with early is of one server: make one for each')
      begun = true
      check.onPluginInit()
      // At the end of the list: behind every plugin that may refuse, and Yoga's own limits.
      if (hooks !== undefined) payload.plugins.push(hooks.answering as (typeof payload.plugins)[number])
    },

    ...hooks?.reading,

    onSchemaChange(payload) {
      check.onSchemaChange(payload)
      early?.serve(payload.schema as GraphQLSchema, check.making)
    },

    onParams({ request }) {
      known(request).asked++
    },

    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(async (args: ExecutionArgs) => {
        const context = args.contextValue as C & YogaInitialContext
        const { request } = context
        // As with graphql-ws there may be none, or one for many operations: nothing is told in its headers.
        const about: Exchange = requests.get(request) ?? { asked: 0, answers: [] }
        const answered = await answer({
          args,
          execute: executeFn,
          enabled() {
            about.enabled ??= notAsync('enabled', enabled(request, context))
            return about.enabled
          },
          scope: (operation) => session(request, context, operation),
          planned(plan, admitted) {
            if (about.read !== undefined) early?.learn(about.read.params, args.schema, plan, admitted)
          },
          directives: request && headers.directives(request),
        })
        about.answers.push(answered)
        return answered.result ?? notCached()
      })
    },

    onResultProcess({ request, result, resultProcessor, setResultProcessor }) {
      const about = requests.get(request)
      if (about === undefined) return
      about.written = result
      // The framework's own, which writes results as JSON: anything else is another plugin's affair.
      if (resultProcessor?.name !== 'processRegularResult') return
      const mediaType = mediaTypeFor(request.headers.get('accept'))
      if (mediaType === undefined || about.answers.every(({ response }) => response === undefined)) return
      setResultProcessor((asked, fetchAPI, accepted) => {
        const stored = untouchedOf(asked)
        return stored === undefined
          ? replies.by(about, resultProcessor(asked, fetchAPI, accepted))
          : replies.of(request, about, stored, accepted, fetchAPI)
      }, mediaType)
    },

    onResponse({ request, response, setResponse, fetchAPI }) {
      const about = requests.get(request)
      if (about === undefined) return
      requests.delete(request)
      const written = replies.complete(request, about, response, fetchAPI)
      if (written !== response) setResponse(written)
    },
  }
}

/**
 * Keeps the response to an operation fresh, until it is stopped, without any request: it is asked for as a request would, through all
 * plugins of the server, and refreshed before it ends, by one instance at a time of all that keep it. What fails, a result with errors
 * too, is told by a `keepFresh` event, and tried again.
 *
 * @throws TypeError for bad options, and GraphQLError for a query that can't be parsed
 */
export function keepFresh(options: KeepFreshOptions): KeptFresh {
  const { getEnveloped, query, variables, operationName } = options ?? {}
  if (typeof getEnveloped !== 'function') return keepEnveloped(options)
  const params = { query, variables, operationName }
  return keepEnveloped({ ...options, getEnveloped: (context: object) => getEnveloped({ ...context, params } as never) })
}

/** RFC 9111 §5.2.1.7. */
function notCached() {
  const message = 'The response is not in the cache, and the request wants it from there only.'
  return { errors: [new GraphQLError(message, { extensions: { code: 'ONLY_IF_CACHED', http: { status: 504 } } })] }
}
