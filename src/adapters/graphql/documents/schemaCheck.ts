import type { GraphQLSchema } from 'graphql'
import { type RuleOptions, rulesOf } from './rules.ts'

/** Hooks of a plugin. */
export interface SchemaCheck {
  onPluginInit(): void
  /** @throws TypeError or RangeError, while the server is made, for a bad `@cacheControl`, and for options about what is not there */
  onSchemaChange(payload: { schema: unknown }): void
}

/**
 * Refuses a schema with a bad `@cacheControl`, and options about fields and types that it does not have, while the server is
 * made. A schema that comes later, with requests already there, is told as an event.
 */
export function schemaCheck(options: RuleOptions): SchemaCheck {
  let making = false
  return {
    onPluginInit() {
      making = true
      queueMicrotask(() => {
        making = false
      })
    },
    onSchemaChange({ schema }) {
      const [problem] = making ? rulesOf(schema as GraphQLSchema, options).problems : []
      if (problem !== undefined) throw problem.error
    },
  }
}
