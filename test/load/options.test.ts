import { describe, expect, test } from 'vitest'
import { parseCommandLine, usageOf } from './options.ts'
import type { Figures, Scenario } from './scenario.ts'
import { tableOf } from './table.ts'

const FIGURES: Figures = [
  { how: 'healthy', 'p99 (ms)': 1.234, runs: 12 },
  { how: 'cut', 'p99 (ms)': 250.4, runs: 3 },
]
const KNOWN: readonly Scenario[] = ['one', 'another'].map((name) => ({
  name,
  says: `plays ${name}`,
  run: async () => FIGURES,
}))

describe('the command line of load', () => {
  test('says which, how long, and where to', () => {
    const { scenarios, ...rest } = parseCommandLine(['another', '--short', '--json', 'file'], KNOWN)
    expect(scenarios.map(({ name }) => name)).toEqual(['another'])
    expect(rest).toEqual({ size: 'short', json: 'file' })
  })

  test('plays all of them in full where nothing is said', () => {
    expect(parseCommandLine([], KNOWN)).toEqual({ scenarios: KNOWN, size: 'full', json: undefined })
  })

  test.for([
    [['third'], 'there is no scenario third; there are one, another'],
    [['--long'], "Unknown option '--long'"],
  ] as const)('refuses %j', ([args, message]) => {
    expect(() => parseCommandLine(args, KNOWN)).toThrow(message)
  })

  test('names what there is', () => {
    expect(usageOf(KNOWN)).toContain('\n  one       plays one\n  another   plays another')
  })
})

test('figures are a table in Markdown', () => {
  expect(tableOf(FIGURES)).toBe(
    [
      '| how     | p99 (ms) | runs |',
      '| ------- | -------: | ---: |',
      '| healthy |     1.23 |   12 |',
      '| cut     |      250 |    3 |',
    ].join('\n'),
  )
})
