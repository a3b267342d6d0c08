import type { Figures } from '../test/load/scenario.ts'

/** `short`: seconds, to see that all of it runs; `full`: long enough for figures. */
export type Size = 'short' | 'full'

export interface Table {
  readonly title: string
  readonly figures: Figures
}

/** What a figure has to be, and what it was. */
export interface Goal {
  /** Of which contestant and which figure. */
  readonly what: string
  /** `'at most 1.15'`. */
  readonly limit: string
  readonly got: number
  readonly met: boolean
}

export interface Outcome {
  readonly tables: readonly Table[]
  readonly goals: readonly Goal[]
}

/** What is measured of all contestants in one run, after it was seen that they do the same. */
export interface Scenario {
  readonly name: string
  /** What is measured, in one sentence. */
  readonly says: string
  /**
   * Measures, with servers of its own.
   *
   * @param say hears what somebody at the terminal wants to know meanwhile
   * @throws where a contestant answers wrongly; nothing is timed then. A goal that is not met is no error
   */
  run(size: Size, say: (line: string) => void): Promise<Outcome>
}

/** Of what differs only in its size `short` plays the first. */
export function played<T>(all: readonly T[], size: Size): readonly T[] {
  return size === 'short' ? all.slice(0, 1) : all
}

export function atMost(what: string, limit: number, got: number): Goal {
  return { what, limit: `at most ${Number(limit.toFixed(3))}`, got, met: got <= limit }
}

export function atLeast(what: string, limit: number, got: number): Goal {
  return { what, limit: `at least ${Number(limit.toFixed(3))}`, got, met: got >= limit }
}
