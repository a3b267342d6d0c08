import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type CacheEvent, createCache, type Store } from 'atomcache'
import { createCountries } from './countries.ts'
import { createTrpcServer } from './trpc.ts'
import { createYogaServer } from './yoga.ts'

export interface ServerOptions {
  readonly name: string
  readonly kind: 'yoga' | 'trpc'
  readonly namespace: string
  readonly origin: string
}

export interface RunningServer {
  readonly url: string
  closeCache(): Promise<void>
  close(): Promise<void>
}

/** One server with a cache of its own; all that it shares with the others is the store. */
export async function startServer(
  { name, kind, namespace, origin }: ServerOptions,
  store: Store,
  listener: (event: CacheEvent) => void,
): Promise<RunningServer> {
  const cache = createCache({
    namespace,
    store,
    ttl: 60_000,
    leaseTtl: 2_000, // how long a dead leader is waited for: short, for the last scene
    commandTimeout: 2_000, // long: with all this at once on one machine, Redis may have to wait for its turn
  })
  cache.on('*', listener)
  await cache.ready()

  const countries = createCountries(cache, origin, name)
  const server = kind === 'yoga' ? createYogaServer(cache, countries) : createTrpcServer(cache, countries)
  server.keepAliveTimeout = 65_000 // longer than any client's: who closes first must not be the server
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    closeCache: () => cache.close(),
    async close() {
      server.close()
      server.closeAllConnections()
      await cache.close()
    },
  }
}
