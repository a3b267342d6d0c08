import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Ties a process to the life of this one: when this process ends, by whatever means (a worker of vitest ends by a
 * signal, and SIGKILL runs no `exit` handler), a tiny shell sees its stdin close, kills `pid` and removes `directory`.
 * The returned function ends the bond without killing; call it once the process is known to have exited.
 */
export function reapWithUs(pid: number, directory = ''): () => void {
  const script = 'read -r line || { kill -9 "$1"; [ -z "$2" ] || rm -rf "$2"; } 2>/dev/null'
  // In a session of its own, or Ctrl-C in the terminal would end the shell before it could reap.
  const shell = spawn('sh', ['-c', script, 'reaper', String(pid), directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  // Without `sh` there is no reaping, and nothing else is lost.
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  return () => {
    shell.stdin.end('released\n')
  }
}

/** Whether a process with this id runs. A dead one whose parent has not asked for its status yet does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // Where the first process of a container reaps no orphans, they stay as zombies: proc(5), state after the name.
    return process.platform !== 'linux' || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
