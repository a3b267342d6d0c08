import { describe } from 'vitest'
import { call, DONE, event, fault, got, met, run, set, sighting, UNCONFIRMED, value } from '../synthetic.ts'
import { judge } from './judge.ts'

const old = value('old', 5)

describe('leaders', () => {
  const published = (run: string, at: number) => event('publish', at, { token: `T:${run}` })
  const fenced = (run: string, at: number) => event('fenced', at, { token: `T:${run}` })
  const first = run('a', 10, 20, [published('a', 25)])
  const later = (at: number, more = {}) => run('b', at, at + 5, [published('b', at + 7)], more)
  const gone = call('invalidate', 21, 24, DONE)
  const lost = { A: [run('a', 5000, undefined, [fenced('a', 6000)])] }
  const long = { lease: 3000 }
  judge([
    ['two that held a key at once', 'I1', { A: [first], B: [run('b', 15, 30, [published('b', 35)])] }],
    [
      'two, of which one was fenced',
      undefined,
      { A: [run('a', 10, 20, [fenced('a', 25)])], B: [run('b', 15, 30, [published('b', 35)])] },
    ],
    [
      'two, of which one gave back',
      undefined,
      { A: [run('a', 10, 20, [event('release', 12, { token: 'T:a' })])], B: [run('b', 15, 30, [published('b', 35)])] },
    ],
    ['two, one after the other, and an invalidation between', undefined, { A: [first, gone], B: [later(30)] }],
    ['one beside an entry it has not seen', 'seen', { A: [first], B: [later(30)] }],
    ['one that was forced', undefined, { A: [first], B: [later(30, { forced: true })] }],
    [
      'one after the entry has run out',
      undefined,
      { A: [run('a', 10, 20, [published('a', 25)], { ttl: 15 })], B: [later(30)] },
    ],
    [
      'one after what was only shared',
      undefined,
      { A: [run('a', 10, 20, [event('share', 25, { token: 'T:a' })])], B: [later(30)] },
    ],
    [
      'one after a tag was invalidated that the key may have',
      undefined,
      { A: [first, call('invalidate', 21, 24, DONE, { keys: [], tags: ['u'] })], B: [later(30)] },
    ],
    [
      'one after an unconfirmed write of before',
      undefined,
      { A: [call('delete', 1, 9, UNCONFIRMED), first], B: [later(30)] },
    ],
    [
      'one after an eviction',
      undefined,
      { A: [first], B: [later(30)] },
      { faults: [fault('evict', 21, 24, 'all', ['k'])] },
    ],
    [
      'one after an eviction of another key',
      'seen',
      { A: [first], B: [later(30)] },
      { faults: [fault('evict', 21, 24, 'all', ['mine'])] },
    ],
    [
      'one after a process was killed, which may have sent anything',
      undefined,
      { A: [first], B: [later(30)] },
      { faults: [fault('kill', 5, 9, 'C')] },
    ],
    ['one that lost a long lease for no reason', 'I1', lost, long],
    ['one that lost a short lease', undefined, lost],
    [
      'one that lost a long lease to an invalidation',
      undefined,
      { ...lost, B: [call('invalidate', 5500, 5600, DONE)] },
      long,
    ],
    [
      'one that lost a long lease because it was paused',
      undefined,
      lost,
      { ...long, faults: [fault('pause', 5100, 5900, 'A')] },
    ],
    [
      'one that lost a long lease while another was paused',
      'I1',
      lost,
      { ...long, faults: [fault('pause', 5100, 5900, 'B')] },
    ],
  ])
})

describe('what is stored', () => {
  const seen = (what: Parameters<typeof sighting>[0], stamp?: string) => ({
    sightings: [sighting(what, 30, 40, stamp)],
  })
  const direct = value('set', 5, { kind: 'set', token: null })
  const solo = value('solo', 5, { token: null })
  const fenced = (at: number) => ({ A: [run('old', 5, 20, [event('fenced', at, { token: 'T:old' })])] })
  judge([
    ['by the flight that made it', undefined, {}, seen(old)],
    ['under a stamp that is not its flight’s', 'I2', {}, seen(old, 'another')],
    ['made without a flight', 'I2', {}, seen(solo)],
    ['made without a flight, as somebody read it', 'I2', { A: [met(solo), call('get', 30, 31, got(solo))] }],
    [
      'made without a flight, as its own caller got it',
      undefined,
      { A: [met(solo), call('getOrSet', 4, 31, got(solo))] },
    ],
    ['by a leader that was fenced before', 'I2', fenced(35), seen(old)],
    ['by a leader that was fenced afterwards', undefined, fenced(45), seen(old)],
    ['by a set', undefined, { A: [set(direct, 6, 9)] }, seen(direct)],
    ['by a set that says that it lost', 'I2', { A: [set(direct, 6, 9, got(null))] }, seen(direct)],
  ])
})
