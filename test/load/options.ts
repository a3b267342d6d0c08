import { parseArgs } from 'node:util'
import type { Scenario, Size } from './scenario.ts'
import { SCENARIOS, scenarioOf } from './scenarios.ts'

export interface CommandLine {
  readonly scenarios: readonly Scenario[]
  readonly size: Size
  /** Where the figures go besides. */
  readonly json: string | undefined
}

export function usageOf(known = SCENARIOS): string {
  const width = Math.max(8, ...known.map(({ name }) => name.length))
  const lines = known.map(({ name, says }) => `  ${name.padEnd(width)}  ${says}`)
  return `npm run load -- [scenario…] [--short] [--json FILE]

  scenario  which are played (default: all, for minutes)
  --short   a form of seconds, as the tests play it: its figures say little
  --json    writes the figures to this file too

${lines.join('\n')}`
}

/** @throws Error that says what is wrong */
export function parseCommandLine(args: readonly string[], known = SCENARIOS): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { short: { type: 'boolean', default: false }, json: { type: 'string' } },
    strict: true,
    allowPositionals: true,
  })
  const named = positionals.map((name) => scenarioOf(name, known))
  return {
    scenarios: named.length === 0 ? known : named,
    size: values.short ? 'short' : 'full',
    json: values.json,
  }
}
