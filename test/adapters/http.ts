import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HttpServer extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string
}

/** Serves on a free loopback port. */
export async function serveHttp(listener: RequestListener): Promise<HttpServer> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      const closed = once(server, 'close')
      // Idle connections that fetch keeps, and streams that a failed test left open.
      server.closeAllConnections()
      await closed
    },
  }
}
