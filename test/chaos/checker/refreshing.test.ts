import { describe } from 'vitest'
import { call, DONE, event, fault, run, type Story } from '../synthetic.ts'
import { judge } from './judge.ts'

const refresh = true as const
const long = { lease: 3000 }

describe('two that refresh a key at once', () => {
  const two = (more: Parameters<typeof run>[4], other: Parameters<typeof run>[4] = { refresh }): Story => ({
    A: [run('a', 5000, 5400, [], other)],
    B: [run('b', 5200, 5300, [], { refresh, ...more })],
  })
  judge([
    ['each with a flight', 'refresh', two({}), long],
    ['the second without one', 'refresh', two({ token: null }), long],
    ['both without one', 'refresh', two({ token: null }, { token: null, refresh }), long],
    ['beside who leads', 'refresh', two({ token: null }, {}), long],
    ['beside who is on its own', undefined, two({}, { token: null }), long],
    ['beside a forced one', undefined, two({}, { forced: true }), long],
    [
      'one after the other',
      undefined,
      { A: [run('a', 5000, 5400, [], { refresh })], B: [run('b', 5400, 5500, [], { refresh })] },
      long,
    ],
    ['where a lease may run out', undefined, two({})],
    ['of two keys', undefined, two({ key: 'mine' }), long],
    ['after an eviction', undefined, two({}), { ...long, faults: [fault('evict', 5100, 5110)] }],
    [
      'after an eviction of another key',
      'refresh',
      two({}),
      { ...long, faults: [fault('evict', 1000, 1010, 'B', ['mine'])] },
    ],
    ['after an invalidation', undefined, { ...two({}), C: [call('invalidate', 5050, 5060, DONE)] }, long],
    [
      'after a lost connection',
      undefined,
      {
        A: [run('a', 5000, 5400, [], { refresh })],
        B: [event('storeFault', 5150), run('b', 5200, 5300, [], { refresh })],
      },
      long,
    ],
  ])
})

describe('who failed to refresh a key', () => {
  const failed = run('a', 5000, 5100, [], { refresh, how: 'error' })
  const again = (at: number, more: Parameters<typeof run>[4] = {}) => run('b', at, at + 10, [], { refresh, ...more })
  judge([
    ['tries again at once', 'rest', { A: [failed, again(5110)] }],
    ['tries again while it rests', 'rest', { A: [failed, again(5790)] }],
    ['tries again after that', undefined, { A: [failed, again(5860)] }],
    ['waits, and another instance tries', undefined, { A: [failed], B: [again(5110)] }],
    ['computes it for who has nothing', undefined, { A: [failed, run('b', 5110, 5120)] }],
    ['keeps it fresh', undefined, { A: [failed, again(5110, { kept: true })] }],
    ['hears of a value meanwhile', undefined, { A: [failed, again(5310)], B: [run('c', 5200, 5300)] }],
    [
      'hears of an invalidation meanwhile',
      undefined,
      { A: [failed, call('invalidate', 5150, 5160, DONE), again(5310)] },
    ],
  ])
})
