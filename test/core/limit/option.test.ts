import { describe, expect, it } from 'vitest'
import { createCache } from '../../../src/index.ts'

describe('a limit', () => {
  it.each([
    [5, 'limit must be { group, leaders }, or false for none, got 5'],
    [{ group: '', leaders: 1 }, 'limit.group must be a well-formed text that is not empty, got ""'],
    [{ group: '\ud800', leaders: 1 }, 'limit.group must be a well-formed text that is not empty, got "\\ud800"'],
    [{ group: 'g', leaders: 0 }, 'limit.leaders must be an integer of at least 1, got 0'],
    [{ group: 'g', leaders: 1.5 }, 'limit.leaders must be an integer of at least 1, got 1.5'],
    [{ group: 'g' }, 'limit.leaders must be an integer of at least 1, got undefined'],
    [{ group: 'g', leaders: 1, places: 2 }, 'limit has no option "places"; it has group, leaders'],
  ])('that can’t be is refused: %j', async (limit, message) => {
    expect(() => createCache({ limit: limit as never })).toThrow(message)
  })
})
