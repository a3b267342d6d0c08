/** How often the values of one field came from where, in one operation. */
export interface FieldOutcomes {
  /** Stored. */
  hit?: number
  /** Stored, and not fresh any more: it is resolved anew behind the answer, or that has failed, or took too long. */
  stale?: number
  /** Resolved here, for all who ask. */
  led?: number
  /** Resolved for another request, here or in another instance. */
  followed?: number
  /** Resolved for this request alone. */
  uncached?: number
}

/** Of each cached field that was asked for, by its coordinate. */
export type CachedFieldsMetadata = Readonly<Record<string, Readonly<FieldOutcomes>>>

const kept = new WeakMap<object, Record<string, FieldOutcomes>>()

/** From here on outcomes are counted for the operation with this context. */
export function countOutcomes(context: unknown): void {
  if (typeof context === 'object' && context !== null) kept.set(context, {})
}

/** Counts, where that is wanted. */
export function noteOutcome(context: unknown, coordinate: string, outcome: keyof FieldOutcomes): void {
  const all = typeof context === 'object' && context !== null ? kept.get(context) : undefined
  if (all === undefined) return
  const counts = all[coordinate] ?? {}
  counts[outcome] = (counts[outcome] ?? 0) + 1
  all[coordinate] = counts
}

/** What was counted so far; what is counted later is not in it. */
export function outcomesOf(context: unknown): CachedFieldsMetadata | undefined {
  const all = typeof context === 'object' && context !== null ? kept.get(context) : undefined
  return all && Object.fromEntries(Object.entries(all).map(([coordinate, counts]) => [coordinate, { ...counts }]))
}
