import type { ExecutionArgs, OperationDefinitionNode } from 'graphql'
import type { Plugin, YogaInitialContext } from 'graphql-yoga'
import type { Scope } from '../../core/scope.ts'
import { cachedExecution, type ResponseCacheOptions } from './execution.ts'

export interface YogaCacheOptions<C = Record<string, unknown>> extends ResponseCacheOptions {
  /**
   * Whose data the response is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached. Asked when the context is complete.
   */
  readonly session: (request: Request, context: C & YogaInitialContext, operation: OperationDefinitionNode) => Scope
}

/**
 * Caches whole query responses, computed once over all instances. Errors, mutations, subscriptions, responses in parts
 * and questions about the schema are not stored. It belongs behind the plugins that authenticate.
 *
 * @throws TypeError or RangeError for bad options
 */
export function useAtomCache<C extends object = Record<string, unknown>>(options: YogaCacheOptions<C>): Plugin {
  const run = cachedExecution(options)
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn((args: ExecutionArgs) =>
        run(args, executeFn, (operation) => {
          const context = args.contextValue as C & YogaInitialContext
          return options.session(context.request, context, operation)
        }),
      )
    },
  }
}
