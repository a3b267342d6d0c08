import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '../test/redis/child.ts'

/** What one server of those that are compared, in a process of its own, is told. */
export type ContestantCalls<A extends unknown[]> = {
  /** Serves; its URL. */
  start(...given: A): Promise<string>
  begin(): void
  /** CPU time since `begin`, in microseconds. */
  end(): number
}

/** Makes this process such a server. */
export function serveContestant<A extends unknown[]>(
  path: string,
  listenerOf: (...given: A) => Promise<RequestListener>,
): void {
  let before = process.cpuUsage()
  const calls: ContestantCalls<A> = {
    async start(...given) {
      const server = createServer(await listenerOf(...given)).listen(0, '127.0.0.1')
      server.keepAliveTimeout = 60_000 // the others have their turn meanwhile
      await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
    },
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
