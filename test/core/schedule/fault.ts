import type { Fault } from './mutant.ts'

/** Each leaves one rule of the protocol out. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'a store whose end does not check the token': {
    file: 'stores/memory/store.ts',
    edits: [['if (flight?.leader !== token) {\n          const entry', 'if (false) {\n          const entry']],
    violates: /^I2/,
  },
  'a waiter that takes the message of any flight': {
    file: 'core/inbox.ts',
    edits: [
      ['else if (message.token === token) waiter', 'else waiter'],
      ['early.find((message) => message.token === named)', 'early[0]'],
    ],
    violates: /^(?:I4|a forced refresh)/,
  },
  'a store that registers who waits after the claim, not in it': {
    file: 'stores/memory/store.ts',
    edits: [['flight.waiters.add(instanceId)', 'setTimeout(() => flight.waiters.add(instanceId), 1)']],
    violates: /^I5.* is not told that it ended/,
  },
  'an invalidation that detaches at its call, and not at its reply': {
    file: 'core/invalidation.ts',
    edits: [['  detach()\n  try {', '  try {']],
    violates: /^I4/,
  },
  'a leader that begins without the reply to its claim': {
    file: 'core/follower.ts',
    edits: [
      [
        "return { role: 'alone', reason: instance.closed ? 'closed' : 'store' }",
        "return { role: 'leader', token, clock: 0 }",
      ],
      ["if (reply.type !== 'lead') return", 'if (true) return'],
    ],
    violates: /^I3/,
  },
  'a store whose removal leaves the flight': {
    file: 'stores/memory/store.ts',
    edits: [["finish(id, flightAt(place), { type: 'again' })\n        }", '}']],
    violates: /^I[35]|which does not lead$/,
  },
  'a store that gives a flight to everybody who claims': {
    file: 'stores/memory/store.ts',
    edits: [['if (flight !== undefined && flight.leader !== token) {', 'if (false) {']],
    violates: /^I1/,
  },
  'a follower that trusts in the message to come': {
    file: 'core/inbox.ts',
    edits: [["setTimeout(() => waiter.finish({ type: 'lapsed' }), Math.min(limit, MAX_TIMER))", 'undefined']],
    violates: /^I5/,
  },
  'an instance whose callers do not share': {
    file: 'core/flight.ts',
    edits: [['flights.set(id, flight)', '']],
    violates: /^(?:I8|single-flight)/,
  },
}
