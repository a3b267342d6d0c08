import { type ExecutionArgs, GraphQLError, type OperationDefinitionNode } from 'graphql'
import type { Plugin, YogaInitialContext } from 'graphql-yoga'
import { internalsOf } from '../../core/internals.ts'
import type { Scope } from '../../core/scope.ts'
import { answering } from './execution.ts'
import type { ResponseCacheOptions } from './options.ts'
import { type HttpAnswers, type HttpOptions, responseHeaders } from './responseHeaders.ts'

export { type CacheHint, type CacheScope, cacheControlTypeDefs, setCacheHint } from './cacheControl.ts'
export type { ResponseCacheMetadata } from './metadata.ts'
export type { BuildResponseCacheKey, Execution, ResponseCacheOptions } from './options.ts'
export type { HttpOptions } from './responseHeaders.ts'

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
}

/**
 * Caches whole query responses, computed once over all instances, and invalidates what mutations return. Errors and
 * subscriptions are not stored. It belongs behind the plugins that authenticate.
 *
 * @throws TypeError or RangeError for bad options
 */
export function useAtomCache<C extends object = Record<string, unknown>>(options: YogaCacheOptions<C>): Plugin {
  const answer = answering(options, ['session', 'enabled', 'http'])
  const { session, enabled = () => true, http = {} } = options
  const headers = responseHeaders(http, internalsOf(options.cache).now)
  const requests = new WeakMap<Request, HttpAnswers & { enabled?: boolean }>()

  function known(request: Request): HttpAnswers & { enabled?: boolean } {
    let one = requests.get(request)
    if (one === undefined) {
      one = { asked: 0, answers: [] }
      requests.set(request, one)
    }
    return one
  }

  return {
    onParams({ request }) {
      known(request).asked++
    },

    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(async (args: ExecutionArgs) => {
        const context = args.contextValue as C & YogaInitialContext
        const { request } = context
        const about = known(request)
        const answered = await answer({
          args,
          execute: executeFn,
          enabled() {
            about.enabled ??= enabled(request, context)
            return about.enabled
          },
          scope: (operation) => session(request, context, operation),
          directives: headers.directives(request),
        })
        about.answers.push(answered)
        return answered.result ?? NOT_CACHED
      })
    },

    onResponse({ request, response, setResponse, fetchAPI }) {
      const about = requests.get(request)
      if (about === undefined) return
      const written = headers.write(request, response, about, fetchAPI)
      if (written !== response) setResponse(written)
    },
  }
}

/** RFC 9111 §5.2.1.7. */
const NOT_CACHED = {
  errors: [
    new GraphQLError('The response is not in the cache, and the request wants it from there only.', {
      extensions: { code: 'ONLY_IF_CACHED', http: { status: 504 } },
    }),
  ],
}
