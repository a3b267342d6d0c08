import type { Fault } from './mutant.ts'

/** Gives what one caller of a key has seen stale to all who ask for it later. */
export const STALE_FOR_ALL: Pick<Fault, 'file' | 'edits'> = {
  file: 'core/approach.ts',
  edits: [
    [
      "const stale = staleFor(order, look)\n  events.count('join', id)",
      `staleFor(order, look)
  const known = (events.known ??= new Map())
  if (valueIn(look) !== undefined) known.set(id, valueIn(look))
  const stale = known.get(id)
  events.count('join', id)`,
    ],
    [
      'const stale = staleFor(order, look)\n  if (look !== undefined',
      `staleFor(order, look)
  const known = (instance.events.known ??= new Map())
  if (valueIn(look) !== undefined) known.set(id, valueIn(look))
  const stale = known.get(id)
  if (look !== undefined`,
    ],
  ],
}

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
    near: 60,
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
    near: 281,
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
  'an invalidation by tag that seals nothing': {
    file: 'core/invalidation.ts',
    edits: [['if (tags.length > 0) writer.seal(tags)', '']],
    violates: /^I4.* had returned there/,
  },
  'an invalidation by tag that seals at its call, and not at its reply': {
    file: 'core/invalidation.ts',
    edits: [['  detach()\n  try {', '  writer.detach(ids)\n  try {']],
    violates: /^I4.* had returned there/,
    near: 592,
  },
  'an instance that does not seal when it hears of a tag': {
    file: 'core/createCache.ts',
    edits: [["if (all || tags.length > 0) writer.seal(all ? 'all' : tags)", '']],
    violates: /^I4.* had been heard of there/,
  },
  'a leader that reads the epochs before it lists its id': {
    file: 'core/leader.ts',
    edits: [
      [
        '(await session.index(id, tags, life)) <= at',
        "(await session.index('', tags, life).then((epoch) => session.index(id, tags, life).then(() => epoch))) <= at",
      ],
    ],
    violates: /^I3/,
    near: 401,
  },
  'a leader that stores what it does not know the clock of': {
    file: 'core/leader.ts',
    edits: [
      ['if (over || clock === undefined)', 'if (over)'],
      ['if (holds.every(Boolean))', 'if (clock === undefined || holds.every(Boolean))'],
    ],
    violates: /^(?:tags|I3)/,
  },
  'a write with tags that does not take the flight': {
    file: 'core/writes.ts',
    edits: [
      ['() => session.take(id, token, lease),', 'async () => Number.POSITIVE_INFINITY,'],
      [
        "() => session.end(id, token, { type: 'value', entry, ttl }))",
        "() => session.set(id, entry, ttl).then(() => ({ type: 'ok' as const, stored: true, refused: '' })))",
      ],
    ],
    violates: /^I3/,
  },
  'a store whose take leaves the leader': {
    file: 'stores/memory/store.ts',
    edits: [["if (!again) finish(id, flight, { type: 'again' })", 'if (flight !== undefined) return tags.clock']],
    violates: /^I2/,
    near: 277,
  },
  'a store whose take leaves the entry': {
    file: 'stores/memory/store.ts',
    edits: [['entries.delete(place)\n        return tags.clock', 'return tags.clock']],
    violates: /^I3/,
    near: 508,
  },
  'a store whose mark does not raise the epoch': {
    file: 'stores/memory/tags.ts',
    edits: [['epochs.set(tag, epoch)', '']],
    violates: /^I3/,
  },
  'a store whose index forgets ids without an entry': {
    file: 'stores/memory/store.ts',
    edits: [['if (!flights.has(place) && !entries.has(place))', 'if (!entries.has(place))']],
    violates: /^I3/,
  },
  'an index that forgets before its life is over': {
    file: 'stores/memory/tags.ts',
    edits: [['if (at >= now) continue', '']],
    violates: /^I3/,
  },
  'an invalidation by tag that passes over a page it could not read': {
    file: 'core/invalidation.ts',
    edits: [
      [
        'const { ids, next }: Page = await reading',
        'const { ids, next }: Page = await reading.catch(() => ({ ids: [] }))',
      ],
      ['await Promise.all([removeAll(instance, ids), reading])', 'await removeAll(instance, ids)'],
    ],
    violates: /^I3/,
  },
  'an invalidation by tag that passes over what it could not remove': {
    file: 'core/invalidation.ts',
    edits: [
      [
        'Promise.all([removeAll(instance, ids), reading])',
        'Promise.all([removeAll(instance, ids).catch(() => {}), reading])',
      ],
    ],
    violates: /^I3/,
    near: 427,
  },
  'a memory tier that keeps what was invalidated while it was read': {
    file: 'core/tier.ts',
    edits: [['const isGood = () => others.has(own)', 'const isGood = () => true']],
    violates: /^I4/,
    near: 547,
  },
  'an invalidation that leaves the memory of its instance alone': {
    file: 'core/calls.ts',
    edits: [['tier.drop(ids)', '']],
    violates: /^I4/,
  },
  'an invalidation by tag that leaves the memory of its instance alone': {
    file: 'core/calls.ts',
    edits: [['else tier.dropTags(tags)', '']],
    violates: /^I4/,
  },
  'a stale value in the place of an error, whatever was invalidated since': {
    ...STALE_FOR_ALL,
    violates: /^I4/,
    near: 2569,
  },
  'a clear that lists once': {
    file: 'core/invalidation.ts',
    edits: [['    await pass(instance, (page) => removeAll(instance, page.ids))\n', '']],
    violates: /^I3/,
    near: 141,
  },
}
