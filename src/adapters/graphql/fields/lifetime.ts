import type { Internals } from '../../../core/internals.ts'
import type { CallOptions, Policy } from '../../../core/options.ts'
import { isOutageError, originalOf } from '../results/failures.ts'
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
      // How long it is fresh is said of what is kept; and it has no stale windows.
      negativeTtl: undefined,
      neverStale: (kept) => (kept as Kept).negative === true,
      shareError: (error) => travels(error) && shareError(error),
      isOutage: (error) => hides(error, policy.isOutage),
    },
    shareError,
  }
}

/** In schemas, as in HTTP, durations are seconds. */
function msOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}

/** Whether an older value is worth more than the error, or than a list in which members failed. */
function hides(error: unknown, isOutage: Policy['isOutage']): boolean {
  return (error instanceof FailedMembers ? error.errors : [error]).every((one) => isOutageError(one, isOutage))
}

/**
 * Whether an error is in another instance what it is here. It gets there by its name, without its class and what it was made
 * of: by those it may be masked here, or told.
 */
function travels(error: unknown): boolean {
  const { name } = Object(error) as { name?: unknown }
  return (name === 'GraphQLError') === (originalOf(error) === undefined)
}
