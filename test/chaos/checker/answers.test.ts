import { describe } from 'vitest'
import { call, got, met, sighting, value } from '../synthetic.ts'
import { judge } from './judge.ts'

describe('answers', () => {
  const mine = value('mine', 5, { key: 'mine', scope: 'alice' })
  const bobs = value('bobs', 5, { key: 'mine', scope: 'bob' })
  const failed = (allowed: boolean, error: string) => call('getOrSet', 5, 6, { type: 'failed', allowed, error })
  judge([
    ['a fault of the store', 'I7', { A: [failed(false, 'StoreError: no reply')] }],
    ['a loader’s error', undefined, { A: [failed(true, 'Error: load failed')] }],
    ['what is the key’s', undefined, { A: [met(mine), call('get', 8, 9, got(mine), { keys: ['mine'] })] }],
    ['what is another key’s', 'I10', { A: [met(mine), call('get', 8, 9, got(mine))] }],
    ['what is another scope’s', 'I10', { A: [met(bobs), call('get', 8, 9, got(bobs), { keys: ['mine'] })] }],
    ['what is another key’s, in Redis', 'I10', {}, { sightings: [sighting(mine, 8, 9)] }],
    [
      'a rejection that nobody took',
      'unhandled',
      { A: [{ type: 'trouble', name: 'unhandled', from: 5, at: 5, text: 'Error' }] },
    ],
    ['a process that stood still', undefined, { A: [{ type: 'trouble', name: 'stall', from: 5, at: 500, text: '' }] }],
  ])
})
