import type { ExecuteFunction, Plugin } from '@envelop/core'
import type { ExecutionArgs, OperationDefinitionNode } from 'graphql'
import type { Scope } from '../../core/scope.ts'
import { cachedExecution, type ResponseCacheOptions } from './execution.ts'

export interface EnvelopCacheOptions<C = Record<string, unknown>> extends ResponseCacheOptions {
  /**
   * Whose data the response is: a non-empty string (user, tenant, session) is part of its key; `null` is the same for
   * everybody, said on purpose; with `undefined`, `''` or a throw it is not cached. Asked when the context is complete.
   */
  readonly session: (context: C, operation: OperationDefinitionNode) => Scope
}

/**
 * Caches whole query responses, computed once over all instances. Errors, mutations, subscriptions, responses in parts
 * and questions about the schema are not stored. It belongs behind the plugins that authenticate.
 *
 * @throws TypeError or RangeError for bad options
 */
export function useAtomCache<C extends object = Record<string, unknown>>(options: EnvelopCacheOptions<C>): Plugin {
  const run = cachedExecution(options)
  return {
    onExecute({ executeFn, setExecuteFn }) {
      const execute = executeFn as (args: ExecutionArgs) => unknown
      const cached = (args: ExecutionArgs) =>
        run(args, execute, (operation) => options.session(args.contextValue as C, operation))
      setExecuteFn(cached as ExecuteFunction)
    },
  }
}
