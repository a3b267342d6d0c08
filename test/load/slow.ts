import { degrade, type Fault } from './degradation.ts'
import type { Scenario } from './scenario.ts'

/** ms that each reply is late. The last is more than what a command may take. */
const LATE = { short: [10, 400], full: [1, 10, 100, 400] }

function lateBy(ms: number): Fault {
  return {
    name: `replies ${ms} ms late`,
    begin: (network) => network.delayReplies(ms),
    end: (network) => network.delayReplies(0),
  }
}

export const slow: Scenario = {
  name: 'slow',
  says: 'Replies of Redis are late for a while: within the budget requests wait for them, beyond it they do without.',
  run: (size, say) => degrade(LATE[size].map(lateBy), size, say),
}
