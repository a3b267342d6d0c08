/** Chance that a seed repeats: mulberry32, which is small, fast, and good enough to choose what happens next. */
export interface Random {
  /** From 0 to below 1. */
  next(): number
  /** An integer from 0 to below `end`. */
  below(end: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
  /** The index of one of the weights; heavier ones more often. At least one must be above 0. */
  weighted(weights: readonly number[]): number
}

export function createRandom(seed: number): Random {
  // Neighbouring seeds would begin alike: a large odd step sets them apart.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  function below(end: number): number {
    return Math.floor(next() * end)
  }

  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: <T>(list: readonly T[]) => list[below(list.length)] as T,
    weighted(weights) {
      let left = next() * weights.reduce((sum, weight) => sum + weight, 0)
      for (const [i, weight] of weights.entries()) {
        left -= weight
        if (weight > 0 && left < 0) return i
      }
      return weights.findLastIndex((weight) => weight > 0)
    },
  }
}

/** What the caches themselves leave to chance is decided by it, until that is disposed. */
export function chooseBy({ next }: Random): Disposable {
  const { random } = Math
  Math.random = next
  return {
    [Symbol.dispose]() {
      Math.random = random
    },
  }
}
