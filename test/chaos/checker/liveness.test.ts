import { describe } from 'vitest'
import { call, DONE, event, fault, got, run, still } from '../synthetic.ts'
import { judge } from './judge.ts'

describe('calls and followers', () => {
  const waits = call('getOrSet', 2000, 8000, got(null), { call: 7 })
  const follows = event('follow', 2010, { key: 'k', token: 'T:a', call: 7 })
  const moves = (name: 'followed' | 'wentOn', at: number) => event(name, at, { call: 7 })
  const ended = { A: [run('a', 2005, 2100, [event('publish', 2110, { token: 'T:a' })])] }
  const dead = { A: [run('a', 2005, undefined)] }
  const killed = { killed: { A: 3000 }, faults: [fault('kill', 3000, 3500, 'A')] }
  judge([
    ['one that does not end', 'I5', { A: [call('getOrSet', 5, undefined, DONE)] }],
    ['one that has not ended yet', undefined, { A: [call('getOrSet', 5, undefined, DONE)] }, { complete: false }],
    ['one whose process died', undefined, { A: [call('getOrSet', 5, undefined, DONE)] }, { killed: { A: 20 } }],
    ['one that takes too long', 'I5', { A: [call('get', 5, 15_100, got(null))] }],
    ['one that may have to queue', undefined, { A: [call('get', 5, 15_100, got(null))] }, { limited: true }],
    ['one that queues for too long', 'I5', { A: [call('get', 5, 25_100, got(null))] }, { limited: true }],
    [
      'one whose process was paused',
      undefined,
      { A: [call('get', 5, 15_100, got(null))] },
      { faults: [fault('pause', 100, 900, 'A')] },
    ],
    [
      'one while another process was paused',
      'I5',
      { A: [call('get', 5, 15_100, got(null))] },
      { faults: [fault('pause', 100, 900, 'B')] },
    ],
    ['one that goes on after its abort', 'I5', { A: [call('getOrSet', 5, 2200, got(null), { abortedAt: 100 })] }],
    ['one that ends at its abort', undefined, { A: [call('getOrSet', 5, 2200, got(null), { abortedAt: 2100 })] }],
    ['a follower that is not told', 'I5', { ...ended, B: [waits, follows, still(8000)] }],
    ['a follower that is told', undefined, { ...ended, B: [waits, follows, moves('followed', 2120), still(8000)] }],
    [
      'a follower that went on by itself',
      undefined,
      { ...ended, B: [waits, follows, moves('wentOn', 2900), still(8000)] },
    ],
    ['a follower that went on too late', 'I5', { ...ended, B: [waits, follows, moves('wentOn', 3900), still(8000)] }],
    [
      'a follower whose caller left',
      undefined,
      { ...ended, B: [call('getOrSet', 2000, 2500, got(null), { call: 7 }), follows, still(8000)] },
    ],
    ['a follower that lost its inbox', undefined, { ...ended, B: [waits, follows, event('inbox', 2050), still(8000)] }],
    [
      'a follower in a storm',
      undefined,
      { ...ended, B: [waits, follows, still(8000)] },
      { faults: [fault('cut', 2000, 2000, 'B')] },
    ],
    [
      'a follower while another process is cut off',
      'I5',
      { ...ended, B: [waits, follows, still(8000)] },
      { faults: [fault('cut', 2000, 2000, 'C')] },
    ],
    [
      'a follower that may still be told',
      undefined,
      { ...ended, B: [call('getOrSet', 2000, undefined, DONE, { call: 7 }), follows, still(3000)] },
      { complete: false },
    ],
    [
      'a follower that hears that it waits after the end was sent',
      'I5',
      { A: [run('a', 2005, 2008, [event('publish', 2110, { token: 'T:a' })])], B: [waits, follows, still(8000)] },
    ],
    [
      'one that is told then',
      undefined,
      {
        A: [run('a', 2005, 2008, [event('publish', 2009, { token: 'T:a' })])],
        B: [waits, follows, moves('followed', 3400), still(8000)],
      },
    ],
    ['nobody takes over from the dead', 'I6', { ...dead, B: [waits, follows, still(8000)] }, killed],
    [
      'somebody takes over from the dead',
      undefined,
      { ...dead, B: [waits, follows, event('takeover', 3390, { call: 7 }), still(8000)] },
      killed,
    ],
    ['nobody takes over from the living', undefined, { ...dead, B: [waits, follows, still(8000)] }],
    [
      'nobody can take over',
      undefined,
      { ...dead, B: [waits, follows, still(8000)] },
      { ...killed, faults: [fault('pauseRedis', 3300, 4800)] },
    ],
  ])
})
