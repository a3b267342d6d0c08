/** What can be wrong with a store, by what a caller can do about it. */
export type StoreErrorCode =
  /** No connection, or it broke before the reply: the command may or may not have run. */
  | 'UNREACHABLE'
  /** No reply within the command budget: the command may or may not have run. */
  | 'TIMEOUT'
  /** The store answered, and said no (out of memory, read-only, no permission, ...). */
  | 'REFUSED'
  /** A key of ours holds a value of a type that we never write. It is left alone. */
  | 'WRONG_TYPE'
  /** The circuit breaker is open: nothing was sent. */
  | 'BREAKER_OPEN'
  /** The cache was closed. */
  | 'CLOSED'

/** A store could not do what it was asked. Stores throw it; the cache turns it into a `storeFault` event. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  /** Of a command for many ids: those that it failed for, where that is known. */
  readonly ids: readonly string[] | undefined
  /** Of `REFUSED`: the right that the store's user lacks, as an ACL has it: `'+eval'`. It is refused until that is granted. */
  readonly missing: string | undefined
  constructor(
    code: StoreErrorCode,
    message: string,
    options: ErrorOptions & { ids?: readonly string[]; missing?: string } = {},
  ) {
    super(message, options)
    this.code = code
    this.ids = options.ids
    this.missing = options.missing
  }
}

/**
 * A write or an invalidation that the store did not confirm: it may hold, wholly, partly or not at all. Repeat it.
 * `keys` are the ids of those not confirmed, `tags` the tags; `cause` is the first fault.
 */
export class UnconfirmedError extends Error {
  override readonly name = 'UnconfirmedError'
  readonly code = 'UNCONFIRMED'
  readonly keys: readonly string[]
  readonly tags: readonly string[]
  constructor(what: string, cause: unknown, keys: readonly string[] = [], tags: readonly string[] = []) {
    const names = [...keys.slice(0, 3), ...tags.slice(0, 3).map((tag) => `tag ${tag}`)]
    const more = keys.length + tags.length - names.length
    const some = names.length === 0 ? '' : ` (${names.join(', ')}${more === 0 ? '' : `, and ${more} more`})`
    super(`${what} was not confirmed by the store${some}: ${messageOf(cause)}`, { cause })
    this.keys = keys
    this.tags = tags
  }
}

/** `waitTimeout` passed while somebody else computed the value, or its loader waited for a place (`limit`), and `onWaitTimeout` is `'throw'`. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError'
  readonly code = 'WAIT_TIMEOUT'
  readonly key: string
  /** @param group in which there was no place for its loader */
  constructor(key: string, waitTimeout: number, group?: string) {
    const what = group === undefined ? `another caller's value of ${key}` : `${key}, and a place in the group ${group}`
    super(`waited ${waitTimeout} ms for ${what}`)
    this.key = key
  }
}

/** What of a loader's error travels to another instance. */
export interface SharedError {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  /** The status of the response that it is about, by whichever name it has it, or a cause of it. */
  readonly status?: number
  readonly extensions?: Readonly<Record<string, unknown>>
}

/**
 * What a follower throws when the leader's loader failed in another instance and `shareError` allowed it to be told:
 * `name`, `message`, `code`, `status` and `extensions` are the original's. It has no stack: the failure did not happen here.
 */
export class LoaderError extends Error implements SharedError {
  override readonly name: string
  // Declared, not defined: what the original did not have this one does not have either.
  declare readonly code?: string | number
  declare readonly status?: number
  declare readonly extensions?: Readonly<Record<string, unknown>>
  constructor(error: SharedError) {
    super(error.message)
    this.name = error.name
    if (error.code !== undefined) this.code = error.code
    if (error.status !== undefined) this.status = error.status
    if (error.extensions !== undefined) this.extensions = error.extensions
    delete this.stack
  }
}

/** Larger errors are not worth a message to every waiting instance: those run the loader themselves. */
const MAX_SHARED_ERROR_BYTES = 64 * 1024

/** The id of the codec of errors that are stored. */
export const ERROR_CODEC = 'error'

/** The bytes of an error for the waiters, or `undefined` for one that can't travel. */
export function encodeError(error: unknown): Uint8Array | undefined {
  try {
    const { name, message, code, extensions } = (error ?? {}) as Record<string, unknown>
    const shared = {
      name: typeof name === 'string' ? name : 'Error',
      message: typeof message === 'string' ? message : String(error),
      ...optional(code, saidBy(error).find(isStatus), extensions),
    }
    const bytes = Buffer.from(JSON.stringify(shared))
    return bytes.byteLength <= MAX_SHARED_ERROR_BYTES ? bytes : undefined
  } catch {
    return undefined // a cycle, a BigInt, a getter that throws: the followers run the loader themselves
  }
}

/** The error that `encodeError` wrote, or `undefined` for bytes that are not one. */
export function decodeError(bytes: Uint8Array): LoaderError | undefined {
  try {
    const shared: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (!isRecord(shared) || typeof shared.name !== 'string' || typeof shared.message !== 'string') return undefined
    const { name, message, code, status, extensions } = shared
    return new LoaderError({ name, message, ...optional(code, status, extensions) })
  } catch {
    return undefined
  }
}

function optional(
  code: unknown,
  status: unknown,
  extensions: unknown,
): Pick<SharedError, 'code' | 'status' | 'extensions'> {
  return {
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(typeof status === 'number' ? { status } : {}),
    ...(isRecord(extensions) ? { extensions } : {}),
  }
}

/** An abort says that somebody does not wait any more, nothing about the value: it is never shared. Also as a cause. */
export function isAbort(error: unknown): boolean {
  return isTimeout(error) || hasCause(error, ({ name }) => name === 'AbortError')
}

/** Of `AbortSignal.timeout`; drivers have errors of that name too, which say something else. */
export function isTimeout(error: unknown): boolean {
  return hasCause(error, (cause) => cause.name === 'TimeoutError' && cause instanceof DOMException)
}

/** Whether the error, or one that it was made of, is such. */
function hasCause(error: unknown, isSuch: (cause: { name?: unknown }) => boolean): boolean {
  try {
    let current = error as { name?: unknown; cause?: unknown } | null | undefined
    for (let depth = 0; depth < MAX_CAUSES && typeof current === 'object' && current !== null; depth++) {
      if (isSuch(current)) return true
      current = current.cause as typeof current
    }
  } catch {
    // a getter or proxy that throws: it says nothing
  }
  return false
}

/** Deeper than anyone wraps an error; a cycle of causes must end. */
const MAX_CAUSES = 5

const PERSONAL = /\b(?:401|403|UNAUTHENTICATED|UNAUTHORI[SZ]ED|FORBIDDEN)\b/i

/**
 * The default of `shareError`: everything but aborts and what speaks of one caller's rights. It looks at `name`,
 * `message`, `code`, `status`, `statusCode`, `extensions.code`, `extensions.http.status` and the same of the causes.
 */
export function isShareable(error: unknown): boolean {
  return !isAbort(error) && !speaksOfRights(error)
}

/** Whether the error says 401, 403, `UNAUTHENTICATED`, `UNAUTHORIZED` or `FORBIDDEN` anywhere that `isShareable` looks. */
export function speaksOfRights(error: unknown): boolean {
  try {
    return isPersonal(error)
  } catch {
    return true // a getter or proxy that throws
  }
}

function isPersonal(error: unknown): boolean {
  let current: unknown = error
  for (let depth = 0; depth < MAX_CAUSES && current !== undefined && current !== null; depth++) {
    const { name, message, code, status, statusCode, extensions, cause } = Object(current) as Record<string, unknown>
    const { code: extensionCode, http } = isRecord(extensions) ? extensions : {}
    const httpStatus = isRecord(http) ? http.status : undefined
    const said = [name, message, code, status, statusCode, extensionCode, httpStatus]
    if (typeof current === 'string' ? PERSONAL.test(current) : said.some((part) => PERSONAL.test(String(part)))) {
      return true
    }
    current = cause
  }
  return false
}

/** What is the caller's own fault, or the truth about what it asked for: of HTTP, tRPC and GraphQL. */
const NO_OUTAGE =
  /(?:^|[^A-Z])(?:BAD_REQUEST|BAD_USER_INPUT|UNAUTHENTICATED|UNAUTHORI[SZ]ED|FORBIDDEN|NOT_FOUND|GONE|CONFLICT|PRECONDITION_FAILED|PAYLOAD_TOO_LARGE|UNPROCESSABLE_CONTENT|METHOD_NOT_SUPPORTED|CLIENT_CLOSED_REQUEST|GRAPHQL_(?:PARSE|VALIDATION)_FAILED)(?![A-Z])/i

/** Of 4xx these two say that the origin does not come to it (RFC 9110 §15.5.9, RFC 6585 §4). */
const OVERLOADED: ReadonlySet<unknown> = new Set([408, 429])

/**
 * The default of `isOutage`: everything but aborts, and what is the caller's own fault, or true of what it asked for. It looks at
 * `code` and `status` as they are called by GraphQL, tRPC, `fetch`, got, ky, axios and the AWS SDK, and at those of the causes; RFC
 * 5861 §4 has 500, 502, 503 and 504 only, of which an error that is no response says nothing.
 */
export function isOutage(error: unknown): boolean {
  if (isAbort(error) && !isTimeout(error)) return false
  try {
    return !saidBy(error).some((part) => {
      const status = Number(part)
      return status >= 400 && status < 500 ? !OVERLOADED.has(status) : NO_OUTAGE.test(String(part))
    })
  } catch {
    return false // a getter or proxy that throws
  }
}

function isStatus(given: unknown): given is number {
  return typeof given === 'number' && given >= 100 && given < 600
}

/** What an error, and what it was made of, says of its kind. */
function saidBy(error: unknown): readonly unknown[] {
  const all: unknown[] = []
  let current: unknown = error
  for (let depth = 0; depth < MAX_CAUSES && isRecord(current); depth++) {
    const extensions = recordOf(current.extensions)
    const response = recordOf(current.response)
    const data = recordOf(current.data)
    all.push(current.code, current.status, current.statusCode, extensions.code, recordOf(extensions.http).status)
    all.push(response.status, response.statusCode, data.code, data.httpStatus)
    all.push(recordOf(current.$metadata).httpStatusCode)
    current = current.cause
  }
  return all
}

function recordOf(given: unknown): Record<string, unknown> {
  return isRecord(given) ? given : {}
}

export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    return 'an error without a text'
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
