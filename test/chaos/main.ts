import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runProgram } from '../program.ts'
import { type CommandLine, parseCommandLine, USAGE } from './options.ts'
import { EVERYTHING } from './profile.ts'
import { reportOf } from './report.ts'
import { GRACE, runChaos } from './run.ts'
import { surroundingsOf } from './surroundings.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** 0: nothing is wrong; 1: violations, or it could not go on; 2: it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  let said: CommandLine
  try {
    said = parseCommandLine(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return 2
  }
  const { seconds, seed, servers } = said
  // The run ends by itself, and what it started with it, unless that hangs too; then they end with this process.
  setTimeout(() => process.exit(1), (seconds + 60) * 1000 + GRACE).unref()
  const source = pathToFileURL(resolve(ROOT, said.source)).href
  console.log(`chaos: ${seconds} seconds of ${servers}, seed ${seed}`)
  const chaos = await runChaos({ seconds, seed, servers, source, profile: EVERYTHING, impatient: false })
  for (const line of reportOf(chaos)) console.log(line)
  const [first] = chaos.violations
  if (first?.key !== undefined) {
    console.log(`\nall of ${first.key} around the first:`)
    for (const line of surroundingsOf(chaos.model.history, first.key, first.at)) console.log(line)
  }
  return chaos.violations.length === 0 ? 0 : 1
}

await runProgram(main)
