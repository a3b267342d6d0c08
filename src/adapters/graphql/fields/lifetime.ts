import { GraphQLError } from 'graphql'
import type { Internals } from '../../../core/internals.ts'
import type { CallOptions, Policy } from '../../../core/options.ts'
import { originalOf } from '../results/failures.ts'
import { type Kept, UNSHARED } from './kept.ts'
import type { CachedField, FieldsSettings } from './options.ts'
import { FailedMembers } from './values.ts'

/** For how long the values of a field are of use, and what becomes of its errors. */
export interface Lifetime {
  /** ms that a value is fresh. */
  readonly ttl: number
  /** ms, of those that are negative; `undefined` where they are as all others. */
  readonly negativeTtl: number | undefined
  /** Of what the resolver gave. */
  readonly isNegative: (value: unknown) => boolean
  readonly policy: Policy
  /** Whether an error may be told to others in this instance. */
  readonly shareError: Policy['shareError']
}

/** What a field and the options say, in ms. @throws TypeError for what says nothing */
export function lifetimeOf(said: CachedField, settings: FieldsSettings, internals: Internals): Lifetime {
  const ttl = said.maxAge === undefined ? settings.ttl : said.maxAge * 1000
  const own = {
    staleWhileRevalidate: msOf(said.staleWhileRevalidate),
    staleIfError: msOf(said.staleIfError),
    negativeTtl: msOf(said.negativeMaxAge),
    isOutage: said.isOutage,
  }
  const policy = internals.policy({
    ...settings.policy,
    ...Object.fromEntries(Object.entries(own).filter(([, given]) => given !== undefined)),
    ttl: (kept: Kept) => kept.ttl ?? ttl,
    shouldCache: (kept: unknown) => kept !== UNSHARED,
    isNegative: (kept: Kept) => kept.negative === true,
  } as CallOptions<never>)
  const { negativeTtl } = policy
  if (said.isNegative !== undefined && negativeTtl === undefined) {
    throw new TypeError('isNegative says which values are fresh for negativeMaxAge: say that too')
  }
  const shareError = (error: unknown) => !(error instanceof FailedMembers) && policy.shareError(error)
  return {
    ttl,
    negativeTtl,
    isNegative: (said.isNegative ?? settings.isNegative) as Lifetime['isNegative'],
    policy: {
      ...policy,
      shareError: (error) => travels(error) && shareError(error),
      isOutage: (error) => outageOf(error, policy.isOutage),
    },
    shareError,
  }
}

/** In schemas, as in HTTP, durations are seconds. */
function msOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}

/** Whether the origin is down: one of a list says so for all, and what an error was made of must say so too. */
function outageOf(error: unknown, isOutage: Policy['isOutage']): boolean {
  if (error instanceof FailedMembers) return error.errors.some((one) => outageOf(one, isOutage))
  if (!isOutage(error)) return false
  const original = error instanceof GraphQLError ? error.originalError : undefined
  return original === undefined || original === null || outageOf(original, isOutage)
}

/**
 * Whether an error is in another instance what it is here. It gets there by its name, without its class and what it was made
 * of: by those it may be masked here, or told.
 */
function travels(error: unknown): boolean {
  const { name } = Object(error) as { name?: unknown }
  return (name === 'GraphQLError') === (originalOf(error) === undefined)
}
