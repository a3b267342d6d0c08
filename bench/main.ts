import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { describeMachine, lineOf, type Machine } from '../test/load/machine.ts'
import { tableOf } from '../test/load/table.ts'
import { runProgram } from '../test/program.ts'
import { provideServerBinary } from '../test/redis/source.ts'
import { type CommandLine, parseCommandLine, usageOf } from './options.ts'
import type { Goal, Outcome, Scenario, Size } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

/** What `--json` holds, by the names of scenarios. */
export type Report = Record<string, Measured>

export interface Measured extends Outcome {
  readonly machine: Machine
  /** How to measure it again. */
  readonly command: string
  readonly size: Size
}

/** 0: all was measured, whatever the figures; 1: somebody answered wrongly, or it could not go on; 2: it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  let said: CommandLine
  try {
    said = parseCommandLine(args, SCENARIOS)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usageOf(SCENARIOS)}`)
    return 2
  }
  await provideServerBinary()
  const broken: string[] = []
  for (const scenario of said.scenarios) {
    try {
      await measure(scenario, said)
    } catch (error) {
      // One that breaks does not keep the others from being measured.
      console.error(error)
      broken.push(scenario.name)
    }
  }
  console.log(
    `\n${said.scenarios.length} played, ${broken.length} broken${broken.length === 0 ? '' : `: ${broken.join(', ')}`}`,
  )
  return broken.length === 0 ? 0 : 1
}

async function measure({ name, says, run }: Scenario, { size, json }: CommandLine): Promise<void> {
  const machine = await describeMachine()
  const command = `npm run bench -- ${name}${size === 'short' ? ' --short' : ''}`
  console.log(`\n## ${name}\n\n${says}\n\n\`${command}\`, ${lineOf(machine)}\n`)
  const outcome = await run(size, (line) => console.log(`… ${line}`))
  for (const { title, figures } of outcome.tables) console.log(`\n${title}\n\n${tableOf(figures)}`)
  if (outcome.goals.length > 0) console.log(`\n${outcome.goals.map(lineOfGoal).join('\n')}`)
  if (json === undefined) return
  const before: Report = existsSync(json) ? JSON.parse(await readFile(json, 'utf8')) : {}
  const report: Report = { ...before, [name]: { machine, command, size, ...outcome } }
  await writeFile(json, `${JSON.stringify(report, null, 2)}\n`)
}

function lineOfGoal({ what, limit, got, met }: Goal): string {
  return `${met ? 'met    ' : 'NOT MET'}  ${what}: ${limit}, got ${Number(got.toFixed(3))}`
}

await runProgram(main)
