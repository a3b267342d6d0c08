import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'

/** One command as the server saw it. */
export interface CommandRecord {
  /** Server time in seconds, with microseconds behind the point. */
  time: number
  /** Address of the client (`127.0.0.1:50123`), or `lua` for a command inside a script. */
  source: string
  /** Name and arguments; the name as the client wrote it. */
  args: readonly string[]
}

export interface CommandWatch extends AsyncDisposable {
  /** What was seen so far; grows while the watch runs. */
  readonly records: readonly CommandRecord[]
  /** Ends the watch and returns every command the server ran before this call. */
  stop(): Promise<readonly CommandRecord[]>
}

/** Sees every command of every client through MONITOR, from now on. Slows the server down: not for measuring time. */
export async function watchCommands(url: string): Promise<CommandWatch> {
  // A watch that reconnects would have a gap nobody sees: a broken connection ends it instead, and `stop` rejects.
  const control = new Redis(url, { retryStrategy: null })
  const watcher = await monitorOf(control)
  for (const client of [control, watcher]) client.on('error', () => {})
  const own = addressOf(await control.client('INFO'))
  const records: CommandRecord[] = []
  let stopped: Promise<readonly CommandRecord[]> | undefined

  watcher.on('monitor', (time: string, args: string[], source: string) => {
    if (source !== own) records.push({ time: Number(time), source, args })
  })

  function disconnect(): void {
    watcher.disconnect()
    control.disconnect()
  }

  // The monitor's stream is another connection: when our own marker comes by, all that ran before it has come by too.
  async function finish(): Promise<readonly CommandRecord[]> {
    const marker = `end of watch ${randomUUID()}`
    const seen = new Promise<void>((resolve, reject) => {
      const broken = () => reject(new Error('The MONITOR connection broke: commands may be missing.'))
      if (watcher.status === 'end') return broken()
      watcher.on('end', broken)
      watcher.on('monitor', (_time: string, args: string[]) => {
        if (args[1] === marker) resolve()
      })
    })
    try {
      await Promise.all([seen, control.echo(marker)])
      return records
    } finally {
      disconnect()
    }
  }

  return {
    records,
    stop() {
      stopped ??= finish()
      return stopped
    },
    async [Symbol.asyncDispose]() {
      disconnect()
    },
  }
}

/**
 * What comes in one packet with the reply to MONITOR ioredis takes for a reply to nothing, and such a client sees nothing:
 * then another one is made.
 */
export async function monitorOf(control: Redis): Promise<Redis> {
  for (let attempts = 5; ; attempts--) {
    try {
      return await control.monitor()
    } catch (error) {
      if (attempts === 1 || !/Command queue state error/.test(String(error))) throw error
    }
  }
}

/** Whether a script ran this command. */
export function inScript(record: CommandRecord): boolean {
  return record.source === 'lua'
}

/** How many commands each client sent; those inside scripts are under `lua`. */
export function countBySource(records: readonly CommandRecord[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { source } of records) counts.set(source, (counts.get(source) ?? 0) + 1)
  return counts
}

function addressOf(clientInfo: unknown): string {
  const address = / addr=(\S+)/.exec(String(clientInfo))?.[1]
  if (address === undefined) throw new Error(`CLIENT INFO without an address: ${String(clientInfo)}`)
  return address
}
