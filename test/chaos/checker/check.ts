import type { History } from '../history.ts'
import { answers } from './answers.ts'
import { staleness } from './freshness.ts'
import { leadership } from './leadership.ts'
import { liveness } from './liveness.ts'
import { type Model, modelOf } from './model.ts'
import { refreshing } from './refreshing.ts'
import type { Violation } from './violation.ts'
import { windows } from './windows.ts'

/**
 * All that a history proves to be wrong, in order of time. Each rule accuses only where no order of what was under way
 * at once, and no fault that was made, can excuse; so it holds of a part of a history as well.
 */
export function check(history: History, model: Model = modelOf(history)): Violation[] {
  const found = [
    ...staleness(model),
    ...windows(model),
    ...leadership(model),
    ...refreshing(model),
    ...liveness(model),
    ...answers(model),
  ]
  return found.sort((a, b) => a.at - b.at)
}
