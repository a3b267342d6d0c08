/** What must not have happened. */
export interface Violation {
  /** The invariant of docs/protocol.md, or the name of another rule. */
  readonly rule: Rule
  readonly at: number
  readonly text: string
  /** Whose surroundings in the history may tell why. */
  readonly key?: string
}

export type Rule =
  | 'I1'
  | 'I2'
  | 'I3'
  | 'I4'
  | 'I5'
  | 'I6'
  | 'I7'
  | 'I10'
  /** Step 3: nobody leads beside an entry that is there and that it has not seen. */
  | 'seen'
  /** Nothing is answered after its time, nor in the place of an error that there was not. */
  | 'window'
  /** One at a time refreshes a key. */
  | 'refresh'
  /** Who failed to refresh a key rests. */
  | 'rest'
  /** A rejection that nobody took, or something else that a process wrote to its stderr. */
  | 'unhandled'
