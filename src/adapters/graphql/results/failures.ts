import { type ExecutionResult, GraphQLError } from 'graphql'
import { notAsync } from '../../../core/checks.ts'
import { LoaderError, speaksOfRights, WaitTimeoutError } from '../../../core/errors.ts'

/** An error of a result, as it is told to other requests. */
interface Told {
  readonly message: string
  readonly path?: readonly (string | number)[] | undefined
  readonly extensions?: Record<string, unknown> | undefined
  /** Name of what it was thrown as, where that was no GraphQLError: whoever masks errors masks it. */
  readonly original?: string | undefined
}

/** Whether each error of the result, and what it was thrown as, may be told to others. */
export function mayBeTold({ errors = [] }: ExecutionResult, shareError: (error: unknown) => boolean): boolean {
  return errors.every((error) => isAll(error, shareError))
}

/**
 * Whether the result failed because something was down or too busy, by all of its errors and what they were thrown as: then an older
 * response is worth more than it. What speaks of rights is never hidden, and what was not executed (GraphQL §7.1.2) is the client's
 * own fault.
 */
export function isOutageResult({ data, errors = [] }: ExecutionResult, isOutage: (error: unknown) => boolean): boolean {
  return data !== undefined && errors.length > 0 && errors.every((error) => isOutageError(error, isOutage))
}

/** As `isOutageResult`, of one error. */
export function isOutageError(error: unknown, isOutage: (error: unknown) => boolean): boolean {
  return isAll(error, (one) => !speaksOfRights(one) && isOutage(one))
}

/** Whether that is so of an error, and of all that it was made of: one, or, as gateways do, several. */
function isAll(error: unknown, is: (error: unknown) => boolean, depth = 0): boolean {
  if (depth >= MAX_ORIGINALS || !error) return true
  if (!is(error)) return false
  const { originalError, errors } = error as { originalError?: unknown; errors?: unknown }
  const parts: readonly unknown[] = error instanceof AggregateError && Array.isArray(errors) ? errors : []
  return isAll(originalError, is, depth + 1) && parts.every((part) => isAll(part, is, depth + 1))
}

/** Whether what another caller's run threw may be told to this one; if not it may speak of the rights of that one. */
export function mayHear(error: unknown, shareError: (error: unknown) => boolean): boolean {
  // Of this caller's own wait.
  if (error instanceof WaitTimeoutError) return true
  try {
    return Boolean(notAsync('shareError', shareError(error)))
  } catch {
    return false // told by whoever threw
  }
}

/** What was thrown for another caller, as it may be told: masked where that was, and without headers for that one. */
export function othersError(error: unknown): unknown {
  const { extensions } = Object(error) as { extensions?: Record<string, unknown> }
  if (error instanceof GraphQLError || (error instanceof LoaderError && error.name === 'GraphQLError')) {
    const originalError = error instanceof GraphQLError ? error.originalError : undefined
    return new GraphQLError(error.message, { extensions: toldOf(extensions), originalError })
  }
  const told = typeof extensions === 'object' && extensions !== null ? toldOf(extensions) : extensions
  if (told === extensions) return error
  // A copy: whoever threw it has its own. It stays of its class, by which it may be masked.
  const { extensions: _own, ...rest } = Object.getOwnPropertyDescriptors(error)
  return Object.create(Object.getPrototypeOf(error), {
    ...rest,
    extensions: { value: told, enumerable: true, configurable: true, writable: true },
  })
}

/** Executors and plugins wrap what was thrown; deeper than any of them does. */
const MAX_ORIGINALS = 10

/**
 * The text of a result with errors. It is not what clients see: who is told of it may mask errors, and so gets back errors
 * that can be told apart.
 */
export function failureText(data: unknown, errors: readonly GraphQLError[], extensions: object | undefined): string {
  const told = errors.map((error): Told => {
    const { message, path, extensions } = error
    return { message, path, extensions: toldOf(extensions), original: originalOf(error) }
  })
  return JSON.stringify({ data, errors: told, extensions })
}

/** The result that was written. Without locations: the document of another request may have them elsewhere. */
export function failureOf(text: string): ExecutionResult {
  const { data, errors, extensions } = JSON.parse(text) as {
    data: Record<string, unknown>
    errors: Told[]
    extensions?: Record<string, unknown>
  }
  const revived = errors.map(({ message, path, extensions, original }) => {
    const originalError = original === undefined ? undefined : Object.assign(new Error(message), { name: original })
    return new GraphQLError(message, { path, extensions, originalError })
  })
  return { data, errors: revived, ...(extensions === undefined ? {} : { extensions }) }
}

/** Of what an error says to HTTP its status is for everybody, and its headers (cookies) for who asked. */
export function toldOf(extensions: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  if (extensions === undefined) return undefined // an error that was formatted already, as Mercurius does
  const { http, ...rest } = extensions
  if (typeof http !== 'object' || http === null) return extensions
  const { headers: _own, ...told } = http as { headers?: unknown }
  return { ...rest, http: told }
}

/**
 * Name of what an error was made of, where that is no GraphQLError: by its class, as Yoga looks at it, and with its name, as
 * envelop does.
 */
export function originalOf(error: unknown): string | undefined {
  let current = error
  while (current instanceof GraphQLError && current.originalError) current = current.originalError
  return current instanceof GraphQLError ? undefined : String((current as { name?: unknown } | null)?.name ?? 'Error')
}
