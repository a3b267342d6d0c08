/** Another client of the same server, in a process of its own: how long its commands take. */
import { setImmediate as turn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { serve } from '../../test/redis/child.ts'

/** ms. */
export interface Waits {
  readonly commands: number
  readonly longest: number
  readonly p99: number
}

let taken: number[] = []
let going = false

const calls = {
  /** Sends one command after another from now on. */
  async begin(url: string): Promise<void> {
    const client = new Redis(url)
    await client.ping()
    taken = []
    going = true
    void ask(client)
  },
  /** How long they took; ends it. */
  end(): Waits {
    going = false
    const sorted = taken.toSorted((a, b) => a - b)
    return { commands: sorted.length, longest: sorted.at(-1) ?? 0, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0 }
  },
}

export type BystanderCalls = typeof calls

async function ask(client: Redis): Promise<void> {
  while (going) {
    const sentAt = performance.now()
    await client.get('nothing')
    taken.push(performance.now() - sentAt)
    await turn()
  }
  client.disconnect()
}

serve(calls)
