import type { ExecutionResult } from 'graphql'
import { notAsync, show } from '../../../core/checks.ts'
import type { Events } from '../../../core/events.ts'
import type { Policy } from '../../../core/options.ts'
import { isOutageResult, mayBeTold } from '../results/failures.ts'
import type { ResponseCacheSettings } from './options.ts'

/** What the user's functions say of a result; where one throws it is told, and the careful answer counts. `id` is the key's. */
export interface Callbacks {
  /** ms: what `onTtl` makes of it. */
  ttl(said: number, id: string, context: unknown): number
  /** What `shouldCacheResult` says; `undefined` where there is none. */
  wants(result: ExecutionResult, id: string): boolean | undefined
  /** Whether `shareError` lets others have all errors of the result. */
  shares(result: ExecutionResult, id: string): boolean
  /** Whether `isOutage` says of all errors of the result that a stale response is the better answer. */
  isOutage(result: ExecutionResult, id: string): boolean
}

export function createCallbacks(
  { onTtl, shouldCacheResult }: Pick<ResponseCacheSettings, 'onTtl' | 'shouldCacheResult'>,
  { shareError, isOutage }: Pick<Policy, 'shareError' | 'isOutage'>,
  events: Events,
): Callbacks {
  function ask<T>(option: string, id: string, careful: T, ask: () => T): T {
    try {
      return notAsync(option, ask())
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option, error })
      return careful
    }
  }

  return {
    ttl(said, id, context) {
      if (onTtl === undefined) return said
      return ask('onTtl', id, 0, () => {
        const ttl: unknown = notAsync('onTtl', onTtl({ ttl: said, context: context as Record<string, unknown> }))
        if (typeof ttl === 'number' && !Number.isNaN(ttl)) return ttl
        throw new TypeError(`onTtl returned ${show(ttl)}, not a number`)
      })
    },
    wants(result, id) {
      if (shouldCacheResult === undefined) return undefined
      return Boolean(ask('shouldCacheResult', id, false, () => shouldCacheResult({ cacheKey: id, result })))
    },
    shares: (result, id) =>
      ask('shareError', id, false, () =>
        mayBeTold(result, (error) => Boolean(notAsync('shareError', shareError(error)))),
      ),
    isOutage: (result, id) =>
      ask('isOutage', id, false, () =>
        isOutageResult(result, (error) => Boolean(notAsync('isOutage', isOutage(error)))),
      ),
  }
}
