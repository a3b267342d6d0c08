import { describe } from 'vitest'
import { call, event, fault, got, met, run, type Story, set, UNCONFIRMED, value } from '../synthetic.ts'
import { judge } from './judge.ts'

// Every margin is 1000 ms where nothing is wrong, and 4000 where something may be late.
const lasts = { ttl: 300, staleWhileRevalidate: 700, staleIfError: 5000 }
const made = value('A:load:1', 5, { done: 100, lasts, token: 'T:A:load:1' })
const failed = run('A:load:2', 2000, 2100, [], { how: 'error' })

describe('what is answered after its time', () => {
  const asked = (at: number, ...records: Story[string]): Story => ({
    A: [met(made), ...records],
    B: [call('getOrSet', at, at + 1, got(made))],
  })
  const read = (op: 'get' | 'getMany' | 'entry' | 'claim', at: number): Story => ({
    A: [met(made)],
    B: [call(op, at, at + 1, got(made))],
  })
  judge([
    ['while it is fresh', undefined, asked(350)],
    ['while it may be stale', undefined, asked(1050)],
    ['within the margin', undefined, asked(2090)],
    ['stale beyond its first window, though nothing failed', 'window', asked(2110)],
    ['the same by a claim', 'window', read('claim', 2110)],
    ['the same by who reads its times', undefined, read('entry', 2110)],
    ['stale beyond its first window, after a failure', undefined, asked(2110, failed)],
    [
      'stale beyond its first window, before a failure',
      'window',
      asked(2110, run('A:load:2', 2000, 2200, [], { how: 'error' })),
    ],
    ['stale beyond its first window, after a value', 'window', asked(2110, run('A:load:2', 2000, 2100))],
    ['in the place of an error beyond all windows', 'window', asked(6410, failed)],
    ['in the place of an error within them', undefined, asked(6390, failed)],
    ['fresh, by a read of what is fresh', undefined, read('get', 1390)],
    ['stale, by a read of what is fresh', 'window', read('get', 1410)],
    ['stale, by a read of many', 'window', read('getMany', 1410)],
    ['beyond all windows, by who reads its times', 'window', read('entry', 6410)],
    [
      'what another waited for too long',
      undefined,
      { A: [met(made)], B: [call('getOrSet', 2000, 2500, got(made)), call('getOrSet', 2110, 2111, got(made))] },
      { hurry: 100 },
    ],
    [
      'what another waits for in another instance',
      'window',
      { A: [met(made), call('getOrSet', 500, 2500, got(made))], B: [call('getOrSet', 2110, 2111, got(made))] },
      { hurry: 100 },
    ],
    [
      'by who is in trouble',
      undefined,
      { A: [met(made)], B: [event('breaker', 900), call('get', 1410, 1411, got(made))] },
    ],
    ['made by who was paused', undefined, read('get', 1410), { faults: [fault('pause', 100, 500, 'A')] }],
    [
      'by who is in trouble, long ago',
      'window',
      { A: [met(made)], B: [event('breaker', 900), call('get', 4410, 4411, got(made))] },
    ],
    [
      'what lasts for ever',
      undefined,
      { A: [met(value('old', 5)), call('get', 99_000, 99_001, got(value('old', 5)))] },
    ],
  ])
})

describe('what was set', () => {
  const set1 = value('A:set:1', 5, {
    kind: 'set',
    done: 5,
    token: null,
    lasts: { ttl: 300, staleWhileRevalidate: 0, staleIfError: 0 },
  })
  judge([
    ['after its time', 'window', { A: [set(set1, 6, 100), call('getOrSet', 1410, 1411, got(set1))] }],
    ['within the margin', undefined, { A: [set(set1, 6, 100), call('getOrSet', 1390, 1391, got(set1))] }],
    ['unconfirmed', undefined, { A: [set(set1, 6, 100, UNCONFIRMED), call('getOrSet', 9410, 9411, got(set1))] }],
  ])
})

describe('a stored error', () => {
  const told = (at: number) =>
    call('getOrSet', at, at + 1, { type: 'failed', allowed: true, error: 'Error: load', run: 'A:load:2' })
  const failing = (errorTtl?: number) =>
    run('A:load:2', 5, 100, [], { how: 'error', ...(errorTtl === undefined ? {} : { errorTtl }) })
  const invalidated = call('invalidate', 110, 120, { type: 'done' })
  judge([
    ['within its time', undefined, { A: [failing(500)], B: [told(590)] }],
    ['within the margin', undefined, { A: [failing(500)], B: [told(1590)] }],
    ['after its time', 'window', { A: [failing(500)], B: [told(1610)] }],
    ['that was not to be stored', 'window', { A: [failing()], B: [told(1110)] }],
    ['after an invalidation in the same instance', 'I4', { A: [failing(500), invalidated, told(130)] }],
    ['after an invalidation in another one', 'I3', { A: [failing(500), invalidated], B: [told(130)] }],
    [
      'of what began after it',
      undefined,
      { A: [invalidated, run('A:load:2', 130, 140, [], { how: 'error', errorTtl: 500 })], B: [told(150)] },
    ],
  ])
})
