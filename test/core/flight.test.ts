import { expect, test, vi } from 'vitest'
import { createFlights, type Result } from '../../src/core/flight.ts'

const BRIEFLY = { signal: undefined, limit: 1, opener: false }

test('who joins after the others have waited for long enough waits for its own time, and is counted out after it', async () => {
  // A timer of a millisecond may fire before one has passed.
  using _ = vi.spyOn(performance, 'now').mockReturnValue(1)
  const flight = createFlights().open('key', () => new Promise<Result>(() => {}))
  const [first, second] = [flight.join().wait(BRIEFLY), flight.join().wait(BRIEFLY)]
  expect(flight.callers).toBe(3)
  expect([await first, await second]).toEqual([{ type: 'overdue' }, { type: 'overdue' }])
  expect(flight.callers).toBe(1)

  const late = flight.join().wait(BRIEFLY)
  expect(await Promise.race([late, 'it waits'])).toBe('it waits')
  expect(await late).toEqual({ type: 'overdue' })
  expect(flight.callers).toBe(1)
})

test('callers who wait alike share a promise; one who would wait longer does not', async () => {
  using _ = vi.spyOn(performance, 'now').mockReturnValue(1)
  let land!: (result: Result) => void
  const flight = createFlights().open('key', () => new Promise<Result>((resolve) => (land = resolve)))
  const all = [1000, 1000, 2000].map((limit) => flight.join().wait({ ...BRIEFLY, limit }))
  expect(all[0]).toBe(all[1])
  expect(all[2]).not.toBe(all[0])
  const value: Result = { type: 'value', value: 1, once: false }
  land(value)
  expect(await Promise.all(all)).toEqual([value, value, value])
})
