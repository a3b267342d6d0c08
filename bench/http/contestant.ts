import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '../../test/redis/child.ts'
import { timesMade } from '../products.ts'
import { type Profiling, profiling } from '../profiled.ts'

/** What one server of those that are compared, in a process of its own, is told. */
export type ContestantCalls = Profiling & {
  /** Serves as the contestant of that name; its URL. `answer` is what those that compute nothing answer with. */
  start(name: string, redisUrl: string, answer?: string): Promise<string>
  /** How often it had to make what it answers. */
  made(): number
  begin(): void
  /** CPU time since `begin`, in microseconds. */
  end(): number
}

/** Makes this process such a server. */
export function serveContestant<Name extends string>(
  path: string,
  listenerOf: (name: Name, redisUrl: string, answer?: string) => Promise<RequestListener>,
): void {
  let before = process.cpuUsage()
  const calls: ContestantCalls = {
    ...profiling,
    async start(name, redisUrl, answer) {
      const server = createServer(await listenerOf(name as Name, redisUrl, answer)).listen(0, '127.0.0.1')
      server.keepAliveTimeout = 60_000 // the others have their turn meanwhile
      await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
    },
    made: () => timesMade,
    begin() {
      before = process.cpuUsage()
    },
    end() {
      const { user, system } = process.cpuUsage(before)
      return user + system
    },
  }
  serve(calls)
}
