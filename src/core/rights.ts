import { StoreError } from './errors.ts'

/**
 * What the store does not let this cache do, by kind of command. It refuses every one of the kind until somebody grants the
 * right: so that is told once, and requests do not ask again and again.
 */
export interface Rights {
  /** The refusal that was the answer a moment ago; `undefined` where it is time to ask. */
  refusal(op: string): StoreError | undefined
  /** Whether the failure is to be told: not where the lack of the right was told before. */
  isNews(op: string, error: unknown): boolean
  /** One of the kind was done. */
  granted(op: string): void
}

interface Lack {
  readonly error: StoreError
  /** `StoreError.missing` of what was told. */
  readonly told: Set<string>
  /** By `performance.now()`. */
  askAt: number
}

/** @param askAgainAfter ms between two commands of a kind that is refused; those that must be sent are sent all the same */
export function createRights(askAgainAfter: number): Rights {
  const lacks = new Map<string, Lack>()

  return {
    refusal(op) {
      const lack = lacks.get(op)
      if (lack === undefined) return undefined
      const now = performance.now()
      if (now < lack.askAt) return lack.error
      // This one asks; the others go without meanwhile.
      lack.askAt = now + askAgainAfter
      return undefined
    },

    isNews(op, error) {
      if (!(error instanceof StoreError) || error.missing === undefined) return true
      const told = lacks.get(op)?.told ?? new Set()
      lacks.set(op, { error, told, askAt: performance.now() + askAgainAfter })
      if (told.has(error.missing)) return false
      told.add(error.missing)
      return true
    },

    granted: (op) => void lacks.delete(op),
  }
}
