import { TRPCError, type TRPCMiddlewareFunction } from '@trpc/server'
import type { Cache } from '../../core/cache.ts'
import { known, notAsync, show } from '../../core/checks.ts'
import { internalsOf } from '../../core/internals.ts'
import { checkTags } from '../../core/tag.ts'
import { marked } from './marks.ts'
import type { MiddlewareCall } from './middleware.ts'
import type { AnsweredCall } from './options.ts'

export interface InvalidatesOptions<C = unknown, I = unknown> {
  readonly cache: Cache
  /** What the mutation has changed: tags, or a function of the call and its result that returns them. */
  readonly tags: readonly string[] | ((call: AnsweredCall<C, I>) => readonly string[])
  /** When that could not be confirmed in time: answer, and try again until it is (`'retry'`), or an error (`'throw'`). Default: `'retry'`. */
  readonly onInvalidateError?: 'retry' | 'throw' | undefined
}

const OPTIONS: ReadonlySet<string> = new Set<keyof InvalidatesOptions>(['cache', 'tags', 'onInvalidateError'])

type Overwritten<C, O> = Omit<C, keyof O> & O

/**
 * Invalidates tags when a mutation has succeeded, before its answer leaves. Queries, subscriptions and mutations that failed
 * pass.
 *
 * @throws TypeError for bad options
 */
export function invalidates<C, M, O, I>(
  options: InvalidatesOptions<Overwritten<C, O>, I>,
): TRPCMiddlewareFunction<C, M, O, object, I> {
  const internals = internalsOf(options?.cache)
  known('invalidates', options, OPTIONS)
  const { tags, onInvalidateError = 'retry' } = options as unknown as InvalidatesOptions
  if (typeof tags !== 'function' && !Array.isArray(tags)) {
    throw new TypeError(`invalidates needs tags: a list of strings, or a function that returns one, got ${show(tags)}`)
  }
  const listed = typeof tags === 'function' ? [] : [...tags] // the list is its owner's, who may go on with it
  checkTags(listed)
  if (onInvalidateError !== 'retry' && onInvalidateError !== 'throw') {
    throw new TypeError(`onInvalidateError must be 'retry' or 'throw', got ${show(onInvalidateError)}`)
  }

  /** What is thrown here the client must know: the mutation is done. */
  async function invalidate({ ctx, input, path }: MiddlewareCall, data: unknown): Promise<unknown> {
    try {
      const said: unknown = typeof tags === 'function' ? notAsync('tags', tags({ ctx, input, path, data })) : listed
      checkTags(said)
      return said.length === 0 ? undefined : await internals.invalidate({ tags: said })
    } catch (error) {
      internals.events.emit({ type: 'policyError', key: path, option: 'tags', error })
      return error
    }
  }

  const middleware = async (call: MiddlewareCall) => {
    const result = await call.next()
    if (call.type !== 'mutation' || !result.ok) return result
    const error = await invalidate(call, result.data)
    if (error === undefined || onInvalidateError === 'retry') return result
    const message = 'The mutation is done, but cached answers may be older than it.'
    throw new TRPCError({ code: 'INTERNAL_SERVER_ERROR', message, cause: error })
  }
  return marked(middleware, { type: 'invalidates' }) as never
}
