import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What `npm run chaos` came to. */
export interface Played {
  readonly code: number | null
  readonly output: string
  /** The number behind this word at the beginning of a line: `operations: 123`. */
  count(what: string): number
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Runs the command as a user does, and lets the terminal see what it says. */
export async function playCommand(...args: readonly string[]): Promise<Played> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/chaos/main.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  console.log(output)
  return {
    code,
    output,
    count: (what) => Number(new RegExp(`^${what}: (\\d+)`, 'm').exec(output)?.[1]),
  }
}
