/** What must not have happened. */
export interface Violation {
  /** The invariant of docs/protocol.md, or `call`, `seen`, `unhandled`. */
  readonly rule: Rule
  readonly at: number
  readonly text: string
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
  /** A rejection that nobody took, or something else that a process wrote to its stderr. */
  | 'unhandled'
