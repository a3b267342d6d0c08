import { serve } from './child.ts'
import { startProcess } from './processes.ts'
import { startRedis } from './server.ts'

/** The child that processes.test.ts starts. */
const calls = {
  echo: <T>(value: T): T => value,
  about: () => ({ pid: process.pid, args: process.argv.slice(2), env: process.env.ECHO_ENV }),
  fail: (message: string): never => {
    throw new TypeError(message)
  },
  tell: (text: string) => tell('told', { text }),
  hang: () => new Promise<never>(() => {}),
  crash: (message: string) => {
    setImmediate(() => {
      throw new Error(message)
    })
    return new Promise<never>(() => {})
  },
  /** Starts a Redis and a paused process, which nobody but the reaper will end. */
  breed: async () => {
    const server = await startRedis()
    const child = await startProcess(new URL(import.meta.url))
    child.pause()
    return { server: server.pid, child: child.pid }
  },
}

export type EchoCalls = typeof calls
export type EchoEvents = { told: { text: string } }

const tell = serve<EchoEvents>(calls)
