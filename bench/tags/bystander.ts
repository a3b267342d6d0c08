/** Another client of the same server, in a process of its own: how long its commands take. */
import { setImmediate as turn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { serve } from '../../test/redis/child.ts'

let longest = 0
let going = false
let asking = Promise.resolve()

const calls = {
  /** Sends one command after another from now on. */
  async begin(url: string): Promise<void> {
    const client = new Redis(url)
    await client.ping()
    longest = 0
    going = true
    asking = ask(client)
  },
  /** How long the slowest of them took: ms; ends it. */
  async end(): Promise<number> {
    going = false
    await asking
    return longest
  },
}

export type BystanderCalls = typeof calls

async function ask(client: Redis): Promise<void> {
  while (going) {
    const sentAt = performance.now()
    await client.get('nothing')
    longest = Math.max(longest, performance.now() - sentAt)
    await turn()
  }
  client.disconnect()
}

serve(calls)
