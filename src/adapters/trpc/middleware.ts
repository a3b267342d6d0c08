import type { TRPCError } from '@trpc/server'
import type { Call } from './options.ts'

/** What a middleware is called with. */
export interface MiddlewareCall extends Call {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly meta: unknown
  readonly signal: AbortSignal | undefined
  getRawInput(): Promise<unknown>
  next(changed?: { getRawInput(): Promise<unknown> }): Promise<MiddlewareResult>
}

export type MiddlewareResult =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly error: TRPCError }
