import { execFile } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { promisify } from 'node:util'
import { findServerBinary } from '../redis/binary.ts'

/** On what the figures were measured: they say nothing without it. */
export interface Machine {
  readonly date: string
  readonly processors: string
  readonly node: string
  readonly redis: string
  /** Of the minute before: what else the machine had to do. */
  readonly load: number
}

export async function describeMachine(): Promise<Machine> {
  const binary = await findServerBinary()
  const version = binary === undefined ? 'no server' : (await promisify(execFile)(binary, ['--version'])).stdout
  return {
    date: new Date().toISOString().slice(0, 10),
    processors: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    node: process.version,
    redis: /v=(\S+)/.exec(version)?.[1] ?? version.trim(),
    load: loadavg()[0] ?? 0,
  }
}

export function lineOf({ date, processors, node, redis, load }: Machine): string {
  return `${date}, ${processors}, Node ${node}, Redis ${redis}, load average before: ${load.toFixed(2)}`
}
