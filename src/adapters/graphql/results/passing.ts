import { Buffer } from 'node:buffer'
import { LoaderError } from '../../../core/errors.ts'
import { responseCodec, type StoredResponse } from './response.ts'

/** What is told of a result that passes. */
export interface Passing {
  /** Something was down or too busy: a stale response is the better answer. */
  readonly outage: boolean
  /** What those get who waited for it, where there is no such response for them; `undefined` where each must run the operation. */
  readonly response: StoredResponse | undefined
}

/** What tells it from all else that may be thrown. */
const CODE = 'ATOMCACHE_PASSING_RESULT'

/** Bytes of a response that is told to other instances in an error. */
const MAX_TOLD = 32_768

/**
 * Thrown in the place of a result that is not stored for reasons that pass (it has errors, or is made of something stale), where there
 * is a stale response: that stays, and is the answer to all who wait where the result is an outage.
 */
export class PassingResult extends Error implements Passing {
  override readonly name = 'PassingResult'
  readonly code = CODE
  readonly outage: boolean
  readonly response: StoredResponse | undefined
  /** What of it gets to other instances. */
  readonly extensions: Readonly<Record<string, unknown>>
  constructor({ outage, response }: Passing, cause: unknown) {
    super('the result of the operation is not stored', { cause })
    this.outage = outage
    this.response = response
    const told = response !== undefined && response.bytes.byteLength <= MAX_TOLD ? toldOf(response) : undefined
    this.extensions = { outage, told }
  }

  /** Whether other instances may be told: those that get nothing of it run the operation themselves. */
  get shareable(): boolean {
    return this.outage || this.extensions.told !== undefined
  }
}

/** What was thrown as that, here or in another instance; `undefined` for all else. */
export function passingOf(error: unknown): Passing | undefined {
  if (error instanceof PassingResult) return error
  if (!(error instanceof LoaderError) || error.code !== CODE) return undefined
  const { outage, told } = error.extensions ?? {}
  return { outage: outage === true, response: responseOf(told) }
}

function toldOf(response: StoredResponse): string {
  return Buffer.from(responseCodec.encode(response) as Uint8Array).toString('base64')
}

function responseOf(told: unknown): StoredResponse | undefined {
  if (typeof told !== 'string') return undefined
  try {
    return responseCodec.decode(Buffer.from(told, 'base64')) as StoredResponse
  } catch {
    return undefined // whoever wrote it
  }
}
