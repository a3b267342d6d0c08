import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { KINDS, type Servers } from './servers.ts'

export interface CommandLine {
  readonly seconds: number
  readonly seed: number
  readonly servers: Servers['kind']
  /** The directory with the sources that are tested, relative to this project. */
  readonly source: string
}

export const USAGE = `npm run chaos -- [--seconds N] [--seed S] [--servers ${KINDS.join('|')}] [--source DIRECTORY]

  --seconds  how long it plays, from 1 on (default: 60)
  --seed     a whole number, which decides all that can be decided (default: one by chance)
  --servers  one Redis; one with two replicas, behind three sentinels; or a cluster of three masters
             and three replicas (default: standalone)
  --source   the sources to be tested: a copy with a fault, for example (default: src)`

/** @throws Error that says what is wrong */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      servers: { type: 'string', default: 'standalone' },
      source: { type: 'string', default: 'src' },
    },
    strict: true,
    allowPositionals: false,
  })
  const { servers, source } = values
  const seconds = Number(values.seconds)
  if (!(seconds >= 1 && seconds <= 86_400))
    throw new Error(`--seconds must be a number from 1 to 86400, got ${values.seconds}`)
  if (!/^\d{1,10}$/.test(values.seed) || Number(values.seed) >= 2 ** 31) {
    throw new Error(`--seed must be a whole number from 0 to ${2 ** 31 - 1}, got ${values.seed}`)
  }
  const kind = KINDS.find((one) => one === servers)
  if (kind === undefined) throw new Error(`--servers must be one of ${KINDS.join(', ')}, got ${servers}`)
  return { seconds, seed: Number(values.seed), servers: kind, source }
}
