import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { describeMachine, lineOf } from '../../test/load/machine.ts'
import { tableOf } from '../../test/load/table.ts'
import { runProgram } from '../../test/program.ts'
import { provideServerBinary } from '../../test/redis/source.ts'
import type { Report } from '../main.ts'
import type { Table } from '../scenario.ts'
import { type Compared, compareOnCluster, compareOnServer, differences } from './check.ts'
import { measureParameters } from './measure.ts'
import { type Parameters, readParameters } from './parameters.ts'
import { comparedRows, INSTANCES, simulate } from './tables.ts'

const USAGE = `npm run bench:simulate -- [instances…] [--parameters FILE] [--json FILE] [--check]

  instances     how many there are in the tables that grow by them (default: ${INSTANCES.join(' ')})
  --parameters  what commands cost: read from this file, or measured and put there if there is none (default: measured)
  --json        puts the tables into this file too, beside those of the benchmarks
  --check       plays small cases for real, and compares

Simulates what the protocol costs many instances that want the same keys at once.`

/** 0: done; 1: the simulation says something else than what was measured; 2: it was called wrongly. */
async function main(args: readonly string[]): Promise<number> {
  let said: CommandLine
  try {
    said = parse(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return 2
  }
  const parameters = await obtain(said.parameters)
  if (said.check) return check(parameters)
  const tables = simulate(parameters, said.instances, (line) => console.log(`… ${line}`))
  for (const table of tables) show(table)
  if (said.json === undefined) return 0
  const before: Report = existsSync(said.json) ? JSON.parse(await readFile(said.json, 'utf8')) : {}
  const { machine } = parameters
  // Where it is put is no part of how it is measured.
  const how = args.filter((arg, i) => !arg.startsWith('--json') && args[i - 1] !== '--json')
  const command = ['npm run bench:simulate', ...(how.length === 0 ? [] : ['--', ...how])].join(' ')
  const report: Report = { ...before, simulate: { machine, command, size: 'full', tables, goals: [] } }
  await writeFile(said.json, `${JSON.stringify(report, null, 2)}\n`)
  return 0
}

interface CommandLine {
  readonly instances: readonly number[]
  readonly parameters: string | undefined
  readonly json: string | undefined
  readonly check: boolean
}

function parse(args: readonly string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { parameters: { type: 'string' }, json: { type: 'string' }, check: { type: 'boolean', default: false } },
    strict: true,
    allowPositionals: true,
  })
  const instances = positionals.map(Number)
  for (const [i, count] of instances.entries()) {
    if (!(Number.isInteger(count) && count >= 1)) throw new Error(`${positionals[i]} is no number of instances`)
  }
  const { parameters, json, check } = values
  return { instances: instances.length === 0 ? INSTANCES : instances, parameters, json, check }
}

async function obtain(file: string | undefined): Promise<Parameters> {
  if (file !== undefined && existsSync(file)) return readParameters(file)
  await provideServerBinary()
  console.log('… what commands cost here')
  const parameters = await measureParameters()
  if (file !== undefined) await writeFile(file, `${JSON.stringify(parameters, null, 2)}\n`)
  return parameters
}

async function check(parameters: Parameters): Promise<number> {
  await provideServerBinary()
  const one = { caches: 1, callers: 10, keys: 1, valueBytes: 1000 }
  const alone = [1, 2, 4, 8].map((processes) => ({ ...one, processes }))
  const crowd = { ...one, processes: 8, caches: 4 }
  console.log(`${lineOf(await describeMachine())}; simulated / measured`)
  const all: Compared[] = []
  console.log('… one server')
  const many = await compareOnServer(parameters, [{ ...one, processes: 1, callers: 1, keys: 1000 }])
  const server = [...many, ...(await compareOnServer(parameters, [...alone, { ...crowd, valueBytes: 50_000 }]))]
  show({ title: 'one server', figures: comparedRows(server) })
  console.log('… a cluster')
  const cluster = await compareOnCluster(parameters, [...alone, crowd])
  show({ title: '3 masters', figures: comparedRows(cluster) })
  all.push(...server, ...cluster)
  const differing = differences(all)
  console.log(differing.length === 0 ? '\nthe same' : `\nNOT THE SAME\n${differing.join('\n')}`)
  return differing.length === 0 ? 0 : 1
}

function show({ title, figures }: Table): void {
  console.log(`\n${title}\n\n${tableOf(figures)}`)
}

await runProgram(main)
