/** Another client of the same server, in a process of its own: how long its commands take. */
import { setImmediate as turn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { serve } from '../../test/redis/child.ts'

let taken: number[] = []
let going = false
let asking = Promise.resolve()

const calls = {
  /** Sends one command after another from now on. */
  async begin(url: string): Promise<void> {
    const client = new Redis(url)
    await client.ping()
    taken = []
    going = true
    asking = ask(client)
  },
  /** How long they took, at the p99: ms; ends it. */
  async end(): Promise<number> {
    going = false
    await asking
    const sorted = taken.toSorted((a, b) => a - b)
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0
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
