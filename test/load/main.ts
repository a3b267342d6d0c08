import { writeFile } from 'node:fs/promises'
import { runProgram } from '../program.ts'
import { provideServerBinary } from '../redis/source.ts'
import { describeMachine, lineOf } from './machine.ts'
import { type CommandLine, parseCommandLine, usageOf } from './options.ts'
import type { Figures, Scenario } from './scenario.ts'
import { tableOf } from './table.ts'

/** 0: all promises were kept; 1: one was broken, or it could not go on; 2: it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  let said: CommandLine
  try {
    said = parseCommandLine(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usageOf()}`)
    return 2
  }
  await provideServerBinary()
  const machine = await describeMachine()
  console.log(`npm run load${args.length === 0 ? '' : ` -- ${args.join(' ')}`}\n${lineOf(machine)}`)
  const played: { name: string; figures?: Figures; error?: string }[] = []
  for (const scenario of said.scenarios) played.push(await play(scenario, said.size))
  if (said.json !== undefined) {
    await writeFile(said.json, `${JSON.stringify({ machine, size: said.size, played }, null, 2)}\n`)
  }
  const broken = played.filter(({ error }) => error !== undefined).map(({ name }) => name)
  console.log(`\n${played.length} played, ${broken.length} broken${broken.map((name) => `: ${name}`).join('')}`)
  return broken.length === 0 ? 0 : 1
}

/** One that breaks does not keep the others from being played. */
async function play({ name, says, run }: Scenario, size: CommandLine['size']) {
  console.log(`\n### ${name}\n\n${says}\n`)
  try {
    const figures = await run(size, (line) => console.log(line))
    console.log(`\n${tableOf(figures)}`)
    return { name, figures }
  } catch (error) {
    console.error(error)
    return { name, error: String(error) }
  }
}

await runProgram(main)
