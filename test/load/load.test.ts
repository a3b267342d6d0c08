import { expect, test } from 'vitest'
import { SCENARIOS } from './scenarios.ts'
import { tableOf } from './table.ts'

/** ms: a limit for a hang; the short forms take seconds. */
const LIMIT = 120_000

test('each scenario has a name of its own', () => {
  const names = SCENARIOS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})

test.each(SCENARIOS)('what $name promises is kept, in its short form', { timeout: LIMIT }, async ({ run }) => {
  const figures = await run('short', console.log)
  console.log(tableOf(figures))
  expect(figures.length).toBeGreaterThan(0)
})
