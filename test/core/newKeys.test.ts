import { describe, expect, it, vi } from 'vitest'
import { createNewKeys, type MaxNewKeys, newKeysSettings } from '../../src/core/newKeys.ts'
import { createCache } from '../../src/index.ts'

const counting = (options: MaxNewKeys) => createNewKeys(newKeysSettings(options))
const of = (scope: string | null, operation = 'op') => ({ scope, operation })

describe('maxNewKeys', () => {
  it.for<readonly [object | null, ErrorConstructor, string]>([
    [null, TypeError, 'maxNewKeys must be { perScope, perOperation, window }, got null'],
    [[], TypeError, 'maxNewKeys must be { perScope, perOperation, window }, got an array'],
    [{}, TypeError, 'maxNewKeys needs perScope or perOperation: without either it bounds nothing'],
    [{ window: 5 }, TypeError, 'maxNewKeys needs perScope or perOperation: without either it bounds nothing'],
    [{ perScope: 0 }, RangeError, 'maxNewKeys.perScope must be an integer from 1 to 50000, got 0'],
    [{ perScope: 1e6 }, RangeError, 'maxNewKeys.perScope must be an integer from 1 to 50000, got 1000000'],
    [{ perOperation: '5' }, RangeError, 'maxNewKeys.perOperation must be an integer from 1 to 50000, got "5"'],
    [{ perScope: 5, window: 0 }, RangeError, 'maxNewKeys.window must be at least 1 (ms), got 0'],
    [{ perSession: 5 }, TypeError, 'maxNewKeys has no option "perSession"; it has perScope, perOperation, window'],
  ])('refuses %o', ([options, error, message]) => {
    const make = () => createCache({ maxNewKeys: options as MaxNewKeys })
    expect(make).toThrow(error)
    expect(make).toThrow(message)
  })

  it('without it nothing is refused', () => {
    const { refuse } = createNewKeys(undefined)
    for (let i = 0; i < 1000; i++) expect(refuse(`${i}`, of(null))).toBeUndefined()
  })

  it('bounds the distinct keys of each scope by itself, and those that are counted stay', () => {
    const { refuse } = counting({ perScope: 2 })
    for (const scope of ['ann', 'bob', null]) {
      expect(['a', 'b', 'a', 'c', 'b', 'd'].map((id) => refuse(`${scope} ${id}`, of(scope))?.limit)).toEqual([
        ...[undefined, undefined, undefined],
        ...['perScope', undefined, 'perScope'],
      ])
    }
  })

  it('everybody is no session of that name, and no operation is a scope', () => {
    const { refuse } = counting({ perScope: 1, perOperation: 4 })
    const askers = [of(null, 'a'), of('everybody', 'b'), of('scope everybody', 'c'), of('operation a', 'd')]
    for (const [i, asker] of askers.entries()) expect(refuse(`${i}`, asker)).toBeUndefined()
  })

  it('bounds those of an operation over all scopes; one that is refused counts for nothing', () => {
    const { refuse } = counting({ perScope: 2, perOperation: 2 })
    expect([refuse('1', of('ann')), refuse('2', of('bob'))]).toEqual([undefined, undefined])
    expect(refuse('3', of('ann'))).toEqual({ limit: 'perOperation', most: 2 })
    expect(refuse('4', of('ann', 'other'))).toBeUndefined()
    expect(refuse('5', of('ann', 'other'))).toEqual({ limit: 'perScope', most: 2 })
  })

  it('is counted anew after the window', () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1000)
    try {
      const { refuse } = counting({ perScope: 1, window: 500 })
      expect(refuse('a', of('ann'))).toBeUndefined()
      now.mockReturnValue(1499)
      expect(refuse('b', of('ann'))).toMatchObject({ limit: 'perScope' })
      now.mockReturnValue(1500)
      expect(refuse('b', of('ann'))).toBeUndefined()
      expect(refuse('a', of('ann'))).toMatchObject({ limit: 'perScope' })
    } finally {
      now.mockRestore()
    }
  })

  it('remembers a bounded number of keys: who is still there is counted, whatever others do', () => {
    const { refuse } = counting({ perScope: 100, window: 3_600_000 })
    for (let i = 0; i < 100; i++) refuse(`${i}`, of('ann'))
    for (let i = 0; i < 210_000; i++) {
      refuse(`${i}`, of(`crowd ${Math.floor(i / 100)}`))
      if (i % 10_000 === 0) expect(refuse('one more', of('ann'))).toMatchObject({ limit: 'perScope' })
    }
    // Those who came first are forgotten.
    for (const id of ['x', 'y']) expect(refuse(id, of('crowd 0'))).toBeUndefined()
  })

  it('remembers nothing of what it refuses', () => {
    const { refuse } = counting({ perScope: 1, perOperation: 1, window: 3_600_000 })
    refuse('first', { scope: null, operation: 'first' })
    for (let i = 0; i < 1000; i++) {
      const operation = `of a client ${i}`
      expect(refuse(`${i}`, { scope: null, operation })).toMatchObject({ limit: 'perScope' })
      // Nor as an operation that is full, or nearly so.
      expect(refuse(`of ann ${i}`, { scope: `ann ${i}`, operation })).toBeUndefined()
    }
  })
})
