import { show } from './checks.ts'
import { keyId } from './key.ts'

/** A bulkhead: how many loaders of a group run at once, over all instances. */
export interface Limit {
  /** What they have in common, such as the database they ask: any text that is not empty. */
  readonly group: string
  /** An integer of at least 1: so many lead at once. All who name the group should say the same. */
  readonly leaders: number
}

/** @throws TypeError or RangeError that names what was given */
export function checkLimit(limit: unknown): Limit {
  if (typeof limit !== 'object' || limit === null) {
    throw new TypeError(`limit must be { group, leaders }, or false for none, got ${show(limit)}`)
  }
  const { group, leaders, ...others } = limit as Partial<Limit>
  const [other] = Object.keys(others)
  if (other !== undefined) throw new TypeError(`limit has no option ${show(other)}; it has group, leaders`)
  if (typeof group !== 'string' || group === '' || !group.isWellFormed()) {
    throw new TypeError(`limit.group must be a well-formed text that is not empty, got ${show(group)}`)
  }
  if (!(Number.isSafeInteger(leaders) && (leaders as number) >= 1)) {
    throw new RangeError(`limit.leaders must be an integer of at least 1, got ${show(leaders)}`)
  }
  // As the store knows it: a long one is a digest.
  return Object.freeze({ group: keyId(group), leaders: leaders as number })
}
