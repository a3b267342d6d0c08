import type { LRUCache } from 'lru-cache'
import { notAsync } from '../../../core/checks.ts'
import type { Events } from '../../../core/events.ts'
import { fitOf } from '../../../core/fit.ts'
import { isFor } from '../responses/parts.ts'
import type { FieldHints } from '../responses/resolverHints.ts'
import { type Kept, UNSHARED } from './kept.ts'
import type { FieldPlan } from './plan.ts'
import { isRefusedBy } from './values.ts'

/** The ids of values that are for nobody else. */
export type Refused = Pick<LRUCache<string, true>, 'has' | 'set'>

const MEND = 'Return plain data, or say in the extensions of the field how to serialize and revive it'

/** A run of the resolver for all. */
export interface Flown {
  readonly id: string
  readonly scope: string | null
  /** Of tags, when its flight began; `undefined` where that is not known, or where there is none. */
  readonly clock: number | undefined
}

/** What is kept of what a resolver gave. */
export interface Keeping {
  /** ms that a value is fresh, whatever it is made of. */
  ttlOf(value: unknown, id: string): number
  /** Whether the value turned out to be for less than all who have the same id. */
  isPersonal(said: FieldHints, flown: Flown): boolean
  /** What others get; `UNSHARED` where each must resolve it. @throws TypeError with `strict`, for what can't be kept */
  keptOf(value: unknown, flown: Flown, said: FieldHints): unknown
}

export function createKeeping(plan: FieldPlan, strict: boolean, events: Events, refused: Refused): Keeping {
  const { coordinate, what, serialize } = plan
  let told = false

  /** The value as it can be kept; `UNSHARED` where each must resolve it. @throws TypeError with `strict`, for what can't be kept */
  function plainOf(value: unknown, id: string): unknown {
    let plain = value
    try {
      if (serialize !== undefined) plain = notAsync('serialize', serialize(value))
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'serialize', error })
      return UNSHARED
    }
    const fit = fitOf(plain)
    if (fit.type !== 'unfit') return plain
    const { reason, path } = fit
    if (strict) {
      const place = path === '' ? 'it is' : `its ${path} is`
      throw new TypeError(`@cached of ${coordinate}: its value can't be kept: ${place} ${reason}. ${MEND}`)
    }
    refused.set(id, true)
    if (!told) events.emit({ type: 'uncacheable', key: id, shape: what, reason, path })
    told = true
    return UNSHARED
  }

  /** ms that it is fresh by itself, and whether it is one of those that nothing was found for. */
  function freshnessOf(value: unknown, id: string): { readonly ttl: number; readonly negative: boolean } {
    const { ttl, negativeTtl } = plan
    if (negativeTtl === undefined) return { ttl, negative: false }
    try {
      const negative = Boolean(notAsync('isNegative', plan.isNegative(value)))
      return { ttl: negative ? negativeTtl : ttl, negative }
    } catch (error) {
      events.emit({ type: 'policyError', key: id, option: 'isNegative', error })
      return { ttl: 0, negative: false }
    }
  }

  /** Whether it turned out to be for less than all who have the same id. */
  function isPersonal({ hints, parts }: FieldHints, { id, scope }: Flown): boolean {
    const isOfOthers = parts.some((part) => !isFor(part, scope))
    // Others would wait in vain, and its private parts, asked for in the course of a flight, would never be stored.
    if (isOfOthers) refused.set(id, true)
    return isOfOthers || (!plan.private && hints.some(({ scope }) => scope === 'PRIVATE'))
  }

  function keptOf(value: unknown, flown: Flown, { hints, parts }: FieldHints): unknown {
    const { id, clock } = flown
    const plain = plainOf(value, id)
    if (plain === UNSHARED || isPersonal({ hints, parts }, flown)) return UNSHARED
    const said = hints.map(({ maxAge }) => (maxAge === undefined ? Number.POSITIVE_INFINITY : maxAge * 1000))
    // It will be an error of the executor, and errors are not stored.
    const { ttl: usual, negative } = freshnessOf(value, id)
    const most = isRefusedBy(plan.type, value) ? 0 : usual
    const ttl = [...said, ...parts.map((part) => part.ttl)].reduce((a, b) => Math.min(a, b), most)
    const tags = parts.flatMap((part) => part.tags)
    const since = parts.reduce((least, part) => Math.min(least, part.clock), clock ?? 0)
    return {
      value: plain,
      ...(ttl === plan.ttl ? {} : { ttl }),
      ...(negative ? { negative: true as const } : {}),
      ...(tags.length === 0 ? {} : { tags }),
      ...(clock === undefined ? {} : { clock }),
      ...(since < (clock ?? 0) ? { since } : {}),
    } satisfies Kept
  }

  return { ttlOf: (value, id) => freshnessOf(value, id).ttl, isPersonal, keptOf }
}
