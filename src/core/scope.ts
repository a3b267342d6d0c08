import { show } from './checks.ts'
import { messageOf } from './errors.ts'
import type { Internals } from './internals.ts'

/**
 * Whose data an answer is, as a user of an adapter says it: a non-empty string is that user, tenant or session, and
 * part of the key; `null` is "the same for everybody", said on purpose; anything else means that it is not known.
 */
export type Scope = string | null | undefined

/**
 * The one rule of all adapters: `undefined` where the scope is not known, which is told, and nothing is cached.
 *
 * @param option that `give` is of
 */
export function scopeOf(
  internals: Internals,
  what: string,
  option: string,
  give: () => Scope,
): string | null | undefined {
  let scope: unknown
  try {
    scope = give()
  } catch (error) {
    return bypass(internals, what, `${option} failed: ${messageOf(error)}`)
  }
  if (scope === null || (typeof scope === 'string' && scope !== '')) return scope
  if (isThenable(scope)) scope.then(undefined, () => undefined) // refused just below; its own failure adds nothing
  const said = scope === '' ? 'an empty string' : isThenable(scope) ? 'a promise' : kindOf(scope)
  return bypass(
    internals,
    what,
    `${option} gave ${said}: it must be a non-empty string, or null for the same for everybody`,
  )
}

/** Never the value: it may say who asks. */
function kindOf(scope: unknown): string {
  return ['number', 'bigint', 'symbol'].includes(typeof scope) ? `a ${typeof scope}` : show(scope)
}

/** @throws TypeError for a scope that can never be one */
export function checkScope(scope: unknown): void {
  if (scope === undefined || scope === null || typeof scope === 'string' || typeof scope === 'function') return
  throw new TypeError(`scope must be a non-empty string, null, or a function that returns one, got ${typeof scope}`)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function'
}

function bypass(internals: Internals, what: string, reason: string): undefined {
  internals.events.emit({ type: 'bypass', what, reason })
}
