import { TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import type { LoaderError } from '../../core/errors.ts'

/** The TRPCError that the leader's procedure failed with, in another instance. */
export function revive(error: LoaderError): Error {
  const { name, code, message } = error
  if (name !== 'TRPCError' || typeof code !== 'string' || !(code in TRPC_ERROR_CODES_BY_KEY)) return error
  return new TRPCError({ code: code as keyof typeof TRPC_ERROR_CODES_BY_KEY, message, cause: error })
}

/** What a loader throws whose answer depends on more of the input than its key has: nobody else may have that. */
export const UNKEYED = new Error('the answer depends on more of the input than is in its key')
