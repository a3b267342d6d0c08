import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Calls, Events, FromChild, ToChild } from './child.ts'
import { reapWithUs } from './reaper.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface ProcessOptions {
  args?: readonly string[]
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>
}

/** A Node process that runs one TypeScript file, which serves calls with `serve` from child.ts. */
export interface NodeProcess<C extends Calls, E extends Events> extends AsyncDisposable {
  readonly pid: number
  /** What it wrote to stderr so far. */
  readonly stderr: string
  /** Runs a call in the child. Rejects with its error, or when the process is gone. */
  call<N extends keyof C & string>(name: N, ...args: Parameters<C[N]>): Promise<Awaited<ReturnType<C[N]>>>
  /** The next event of that name: the oldest that nobody has taken yet, or else the one to come. */
  next<N extends keyof E & string>(name: N): Promise<E[N]>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when the process is gone, with its exit code or the signal that ended it. */
  terminate(): Promise<number | string | null>
  /** SIGSTOP: the process stands still in the middle of whatever it does. */
  pause(): void
  /** SIGCONT. */
  resume(): void
}

/**
 * Starts `file` (`new URL('./worker.ts', import.meta.url)`) and waits until it serves. If the process ends without
 * having been killed from here, all calls reject with its stderr, and so does the disposal: no test can miss it.
 */
export async function startProcess<C extends Calls, E extends Events = Events>(
  file: URL,
  options: ProcessOptions = {},
): Promise<NodeProcess<C, E>> {
  const path = fileURLToPath(file)
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...(options.args ?? [])], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    // Structured clone instead of JSON: a Date, a Map and `undefined` arrive as what they are.
    serialization: 'advanced',
  })
  await once(child, 'spawn')
  const release = reapWithUs(child.pid as number)

  const pending = new Map<number, Settle>()
  const arrived = new Map<string, unknown[]>()
  const arrivals = new EventEmitter()
  let stderr = ''
  let calls = 0
  let gone: Error | undefined
  let wanted = false
  let markServing: () => void = () => {}

  const exited = once(child, 'close').then(([code, signal]) => {
    release()
    const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`
    gone = new Error(`${path} ${how}${wanted ? ', as the test asked' : ''}${stderr && `; its stderr:\n${stderr}`}`)
    for (const { reject } of pending.values()) reject(gone)
    pending.clear()
    arrivals.emit('gone')
  })

  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  child.on('message', (message) => {
    receive(message as FromChild)
  })

  function receive(message: FromChild): void {
    switch (message.type) {
      case 'serving':
        markServing()
        return
      case 'event': {
        const queue = arrived.get(message.name) ?? []
        queue.push(message.payload)
        arrived.set(message.name, queue)
        arrivals.emit(`event:${message.name}`)
        return
      }
      case 'value':
        pending.get(message.id)?.resolve(message.value)
        pending.delete(message.id)
        return
      case 'error':
        pending.get(message.id)?.reject(message.error)
        pending.delete(message.id)
        return
      default:
        message satisfies never
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!isAlive(child)) return exited
    wanted = true
    child.kill(signal)
    await exited
  }

  const kill = () => end('SIGKILL')

  await new Promise<void>((resolve, reject) => {
    markServing = resolve
    arrivals.once('gone', () => reject(gone))
  })

  return {
    pid: child.pid as number,
    get stderr() {
      return stderr
    },
    call(name, ...args) {
      const id = ++calls
      return new Promise((resolve, reject) => {
        if (gone !== undefined) return reject(gone)
        pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
        const request: ToChild = { id, name, args }
        child.send(request, (error) => {
          // The channel of a process that just died: `exited` is about to say it better.
          if (error) exited.then(() => reject(gone ?? error), reject)
        })
      })
    },
    next(name) {
      return new Promise((resolve, reject) => {
        function take(): void {
          const queue = arrived.get(name) ?? []
          if (queue.length === 0 && gone === undefined) return
          arrivals.off(`event:${name}`, take)
          arrivals.off('gone', take)
          if (queue.length > 0) resolve(queue.shift() as never)
          else reject(gone)
        }
        arrivals.on(`event:${name}`, take)
        arrivals.on('gone', take)
        take()
      })
    },
    kill,
    async terminate() {
      await end('SIGTERM')
      return child.exitCode ?? child.signalCode
    },
    pause: () => {
      child.kill('SIGSTOP')
    },
    resume: () => {
      child.kill('SIGCONT')
    },
    async [Symbol.asyncDispose]() {
      await kill()
      if (!wanted) throw gone
    },
  }
}

interface Settle {
  resolve(value: unknown): void
  reject(error: unknown): void
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
