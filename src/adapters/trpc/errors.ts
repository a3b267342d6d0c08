import { TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'

/**
 * What a call fails with that did not run its procedure. Errors of the cache are known by what they say: they may be of its other
 * build.
 */
export function told(error: unknown, signal: AbortSignal | undefined): unknown {
  // Nobody is there to be answered: for `onError` no fault of the server.
  if (signal?.aborted && error === signal.reason) return new TRPCError({ code: 'CLIENT_CLOSED_REQUEST', cause: error })
  if (error instanceof TRPCError || !(error instanceof Error)) return error
  const { name, message, code } = error as Error & { readonly code?: unknown }
  if (code === 'WAIT_TIMEOUT') return new TRPCError({ code: 'TIMEOUT', message, cause: error })
  // The one that the leader's procedure failed with, in another instance.
  return name === 'TRPCError' && isCode(code) ? new TRPCError({ code, message, cause: error }) : error
}

function isCode(code: unknown): code is TRPCError['code'] {
  return typeof code === 'string' && Object.hasOwn(TRPC_ERROR_CODES_BY_KEY, code)
}

/**
 * Whether a parser of inputs or outputs has thrown it: formatters show what it found, which is in the cause, and a cause does not
 * get into other instances.
 */
export function isOfParser(error: unknown): boolean {
  const { name, code, message, cause } = Object(error) as Record<string, unknown>
  if (name !== 'TRPCError' || cause === undefined) return false
  // tRPC says no more of it than this text.
  return code === 'BAD_REQUEST' || (code === 'INTERNAL_SERVER_ERROR' && message === 'Output validation failed')
}

/** What a loader throws whose answer depends on more of the input than its key has: nobody else may have that. */
export const UNKEYED = new Error('the answer depends on more of the input than is in its key')
