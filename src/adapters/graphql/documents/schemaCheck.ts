import type { GraphQLSchema } from 'graphql'
import { hintsOf } from './rules.ts'

/** Hooks of a plugin. */
export interface SchemaCheck {
  onPluginInit(): void
  /** @throws TypeError or RangeError for a bad `@cacheControl`, while the server is made */
  onSchemaChange(payload: { schema: unknown }): void
}

/**
 * Refuses a schema with a bad `@cacheControl` while the server is made. One that comes later, with requests already there,
 * is told as an event: of what has a bad hint no response is cached.
 */
export function schemaCheck(): SchemaCheck {
  let making = false
  return {
    onPluginInit() {
      making = true
      queueMicrotask(() => {
        making = false
      })
    },
    onSchemaChange({ schema }) {
      const [problem] = making ? hintsOf(schema as GraphQLSchema).problems : []
      if (problem !== undefined) throw problem
    },
  }
}
