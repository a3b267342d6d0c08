/** `short`: seconds, as the tests run it; `full`: long enough for figures. */
export type Size = 'short' | 'full'

/** One row of a table: a figure by the head of its column, which says the unit: `'p99 (ms)'`. */
export type Row = Readonly<Record<string, string | number>>

/** What was measured. All rows have the same columns, in the order of the first one. */
export type Figures = readonly Row[]

/** A load on real servers with something that is promised under it. */
export interface Scenario {
  readonly name: string
  /** What it does and what it promises, in one sentence. */
  readonly says: string
  /**
   * Plays it, with servers of its own.
   *
   * @param say hears what somebody at the terminal wants to know meanwhile
   * @throws where a promise is broken; a slow machine breaks none
   */
  run(size: Size, say: (line: string) => void): Promise<Figures>
}
