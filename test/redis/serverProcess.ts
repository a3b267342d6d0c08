import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { reapWithUs } from './reaper.ts'

/** The process of a server, which ends with this one. */
export interface RunningServer {
  pid: number
  state(): 'running' | 'paused' | 'gone'
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** Runs the executable until it says that it accepts connections, or, a sentinel, whom it watches. */
export async function run(binary: string, args: readonly string[], directory: string): Promise<RunningServer> {
  const child = spawn(binary, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  await once(child, 'spawn')
  const release = reapWithUs(child.pid as number, directory)
  // Errors in the configuration go to stderr, all else to stdout; without being read a full pipe would stop the server.
  const log: string[] = []
  const exited = once(child, 'close').then(release)
  child.stderr.on('data', (chunk: Buffer) => log.push(String(chunk)))
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.push(line)
      if (log.length > 50) log.shift()
      if (/ready to accept connections|\+monitor master/i.test(line)) resolve()
    })
    child.on('close', (code) => reject(new Error(`${binary} exited with ${code}:\n${log.join('\n')}`)))
  })
  let paused = false
  return {
    pid: child.pid as number,
    state: () => (isAlive(child) ? (paused ? 'paused' : 'running') : 'gone'),
    signal: (signal) => {
      child.kill(signal)
      paused = signal === 'SIGSTOP'
    },
    async end(signal) {
      if (!isAlive(child)) return
      child.kill(signal)
      // A paused process takes no SIGTERM before it goes on.
      if (signal === 'SIGTERM') child.kill('SIGCONT')
      await exited
    },
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
