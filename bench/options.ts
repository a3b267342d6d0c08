import { parseArgs } from 'node:util'
import type { Scenario, Size } from './scenario.ts'

export interface CommandLine {
  readonly scenarios: readonly Scenario[]
  readonly size: Size
  /** Where the figures go besides. */
  readonly json: string | undefined
}

export function usageOf(known: readonly Scenario[]): string {
  const width = Math.max(8, ...known.map(({ name }) => name.length))
  const lines = known.map(({ name, says }) => `  ${name.padEnd(width)}  ${says}`)
  return `npm run bench -- [scenario…] [--short] [--json FILE]

  scenario  which are measured (default: all, for an hour or so)
  --short   only whether all of it runs: its figures say nothing
  --json    puts the figures into this file too, in place of those of the same scenarios

${lines.join('\n')}`
}

/** @throws Error that says what is wrong */
export function parseCommandLine(args: readonly string[], known: readonly Scenario[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { short: { type: 'boolean', default: false }, json: { type: 'string' } },
    strict: true,
    allowPositionals: true,
  })
  const named = positionals.map((name) => {
    const found = known.find((scenario) => scenario.name === name)
    if (found !== undefined) return found
    throw new Error(`there is no scenario ${name}; there are ${known.map((scenario) => scenario.name).join(', ')}`)
  })
  return { scenarios: named.length === 0 ? known : named, size: values.short ? 'short' : 'full', json: values.json }
}
