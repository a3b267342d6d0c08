import type { GraphQLSchema } from 'graphql'
import { type RuleOptions, rulesOf } from '../documents/rules.ts'

/** Hooks of a plugin. */
export interface SchemaCheck {
  /** Whether the server is being made. */
  readonly making: boolean
  onPluginInit(): void
  /** @throws TypeError or RangeError, while the server is made, for a bad `@cacheControl`, and for options about what is not there */
  onSchemaChange(payload: { schema: unknown }): void
}

/**
 * Refuses a schema with a bad `@cacheControl`, and options about fields and types that it does not have, while the server is
 * made. A schema that comes later, with requests already there, is told as an event.
 */
export function schemaCheck(options: RuleOptions): SchemaCheck {
  const making = whileMaking()
  return {
    get making() {
      return making.now
    },
    onPluginInit: making.begin,
    onSchemaChange({ schema }) {
      const [problem] = making.now ? rulesOf(schema as GraphQLSchema, options).problems : []
      if (problem?.type === 'option') throw new TypeError(`${problem.option}: ${problem.error.message}`)
      if (problem !== undefined) throw problem.error
    },
  }
}

/** Whether the server of a plugin is being made: from its `onPluginInit` on, until the call that makes it has returned. */
export function whileMaking(): { readonly now: boolean; begin(): void } {
  let now = false
  return {
    get now() {
      return now
    },
    begin() {
      now = true
      queueMicrotask(() => {
        now = false
      })
    },
  }
}
