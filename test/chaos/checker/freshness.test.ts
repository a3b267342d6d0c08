import { describe } from 'vitest'
import { LOOK_LIMIT } from '../history.ts'
import { call, DONE, event, fault, got, met, run, type Story, set, sighting, UNCONFIRMED, value } from '../synthetic.ts'
import { judge } from './judge.ts'

const old = value('old', 5)
const invalidated = call('invalidate', 10, 20, DONE)

describe('in the same instance, after an invalidation has returned', () => {
  const tagged = value('tagged', 5, { tags: ['t'], items: { k: 1, t: 1 } })
  const byTag = call('invalidate', 10, 20, DONE, { keys: [], tags: ['t'] })
  const versions = { k: 2 }
  judge([
    ['what was begun before it', 'I4', { A: [met(old), invalidated, call('getOrSet', 21, 22, got(old))] }],
    [
      'the same, asked for before it had returned',
      undefined,
      { A: [met(old), invalidated, call('get', 19, 22, got(old))] },
    ],
    [
      'what was begun after its call',
      undefined,
      { A: [met(value('new', 11)), invalidated, call('get', 21, 22, got(value('new', 11)))] },
    ],
    [
      'after one that was not confirmed',
      undefined,
      { A: [met(old), call('invalidate', 10, 20, UNCONFIRMED), call('get', 21, 22, got(old))] },
    ],
    [
      'after one of another key',
      undefined,
      { A: [met(old), call('delete', 10, 20, DONE, { keys: ['mine'] }), call('get', 21, 22, got(old))] },
    ],
    [
      'one of many',
      'I4',
      { A: [met(old), invalidated, call('getMany', 21, 22, got(null, old), { keys: ['mine', 'k'] })] },
    ],
    ['what has the tag', 'I4', { A: [met(tagged), byTag, call('getOrSet', 21, 22, got(tagged))] }],
    ['what has no such tag', undefined, { A: [met(old), byTag, call('getOrSet', 21, 22, got(old))] }],
    [
      'after clear',
      'I4',
      { A: [met(old), call('clear', 10, 20, DONE, { keys: [] }), call('claim', 21, 22, got(old))] },
    ],
    [
      'of an older version, though it says that it was begun later',
      'I4',
      {
        A: [
          met(value('late', 12)),
          call('invalidate', 10, 20, DONE, { versions }),
          call('get', 21, 22, got(value('late', 12))),
        ],
      },
    ],
    [
      'of the version that was current',
      undefined,
      {
        A: [
          met(value('late', 12, { items: versions })),
          call('invalidate', 10, 20, DONE, { versions }),
          call('get', 21, 22, got(value('late', 12))),
        ],
      },
    ],
    [
      'what an instance that died got',
      undefined,
      { A: [met(old), invalidated], A2: [call('getOrSet', 19, 22, got(old))] },
    ],
  ])
})

describe('direct sets', () => {
  const early = value('set', 5, { kind: 'set', token: null })
  const late = value('later', 9, { kind: 'set', token: null, items: { k: 2 } })
  judge([
    ['what was begun before one', 'I4', { A: [met(old), set(late, 10, 20), call('getOrSet', 21, 22, got(old))] }],
    [
      'after one that lost',
      undefined,
      { A: [met(old), set(late, 10, 20, got(null)), call('getOrSet', 21, 22, got(old))] },
    ],
    [
      'what was set before an invalidation',
      'I4',
      { A: [set(early, 6, 9), invalidated, call('get', 21, 22, got(early))] },
    ],
    [
      'what was set while an invalidation was under way',
      undefined,
      { A: [set(early, 6, 11), invalidated, call('get', 21, 22, got(early))] },
    ],
    [
      'a set that was not confirmed',
      undefined,
      { A: [set(early, 6, 9, UNCONFIRMED), invalidated, call('get', 21, 22, got(early))] },
    ],
    ['the earlier of two sets', 'I4', { A: [set(early, 6, 9), set(late, 10, 20), call('get', 21, 22, got(early))] }],
    [
      'either of two sets at once',
      undefined,
      { A: [set(early, 6, 11), set(late, 10, 20), call('get', 21, 22, got(early))] },
    ],
  ])
})

describe('from Redis, and in other instances, after an invalidation has returned', () => {
  const other = (...records: Story[string]): Story => ({ A: [invalidated], B: [met(old), ...records] })
  const get = call('get', 21, 23, got(old))
  const memory = { memory: { B: 500 } }
  judge([
    [
      'one, by who may share the look of what keeps it fresh',
      undefined,
      other(call('getOrSet', 519, 522, got(old))),
      { kept: true },
    ],
    ['one, after that look', 'I3', other(call('getOrSet', 521, 522, got(old))), { kept: true }],
    ['one, where nothing keeps it fresh', 'I3', other(call('getOrSet', 519, 522, got(old)))],
    [
      'one, after the notice, which that look does not outlive',
      'I3',
      other(event('invalidate', 25, { keys: ['k'] }), call('getOrSet', 26, 27, got(old))),
      { kept: true },
    ],
    ['many, which share no look with it', 'I3', other(call('getMany', 21, 22, got(old))), { kept: true }],
    ['many, asked for after it', 'I3', other(call('getMany', 21, 22, got(old)))],
    ['many, which share no look', 'I3', other(call('has', 15, 22, got(null)), call('getMany', 21, 22, got(old)))],
    ['many, asked for before it had returned', undefined, other(call('getMany', 19, 22, got(old)))],
    ['one, by the first who asks', 'I3', other(get)],
    ['one, by who may share the look of another', undefined, other(call('has', 15, 22, got(null)), get)],
    ['one, by who may join a flight that nobody waits for', undefined, other(run('r', 8, undefined), get)],
    [
      'by who came after the notice',
      'I3',
      other(call('has', 15, 22, got(null)), event('invalidate', 20.5, { keys: ['k'] }), get),
    ],
    [
      'by who came after an earlier notice',
      undefined,
      other(call('has', 15, 22, got(null)), event('invalidate', 19, { keys: ['k'] }), get),
    ],
    [
      'by who came after a notice of another key',
      undefined,
      other(call('has', 15, 22, got(null)), event('invalidate', 20.5, { keys: ['mine'] }), get),
    ],
    ['by who came after a notice of clear', 'I3', other(call('has', 15, 22, got(null)), event('clear', 20.5), get)],
    ['by who has memory, for as long as that keeps it', undefined, other(call('getMany', 521, 522, got(old))), memory],
    ['by who has memory, longer than that', 'I3', other(call('getMany', 1521, 1522, got(old))), memory],
    ['one, longer than that', 'I3', other(call('getOrSet', 1521, 1522, got(old))), memory],
    [
      'one, longer than that, where something is late',
      undefined,
      other(call('getOrSet', 1521, 1522, got(old))),
      { ...memory, faults: [fault('delay', 500, 900)] },
    ],
    [
      'by who has memory, after the notice',
      'I3',
      other(event('invalidate', 25, { keys: ['k'] }), call('getMany', 26, 27, got(old))),
      memory,
    ],
    [
      'by who has memory, after its inbox was lost',
      'I3',
      other(event('inbox', 25), call('getMany', 26, 27, got(old))),
      memory,
    ],
    [
      'by who has memory, after its inbox was lost before',
      undefined,
      other(event('inbox', 8), call('getMany', 26, 27, got(old))),
      memory,
    ],
    ['in Redis itself', 'I3', { A: [invalidated], B: [run('old', 5, 7)] }, { sightings: [sighting(old, 8, 21)] }],
    ['in Redis itself until it had returned', undefined, { A: [invalidated] }, { sightings: [sighting(old, 8, 19)] }],
    [
      'while a master hands over',
      undefined,
      other(call('getMany', 21, 22, got(old))),
      { faults: [fault('handOver', 18, 30)] },
    ],
    [
      'while a master hands over, of before that',
      'I3',
      other(call('getMany', 30, 32, got(old))),
      { faults: [fault('handOver', 25, 40)] },
    ],
    [
      'after a master has handed over',
      'I3',
      other(call('getMany', 31, 32, got(old))),
      { faults: [fault('handOver', 18, 30)] },
    ],
    [
      'in Redis long after that',
      'I3',
      { A: [invalidated] },
      { faults: [fault('handOver', 18, 30)], sightings: [sighting(old, 8, 31)] },
    ],
    [
      'in Redis, read while it hands over',
      undefined,
      { A: [invalidated] },
      { faults: [fault('handOver', 15, 30 + LOOK_LIMIT)], sightings: [sighting(old, 8, 22)] },
    ],
  ])
})
